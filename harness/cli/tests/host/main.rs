//! The host is sacred: whatever is done to Quietus itself, nothing of it stays.
//!
//! Every test runs the built program. Whether something is left is read from
//! the machine: the processes that carry the mark of the test, the mounts, the
//! directories.

mod ground;
mod killed;
mod odd;

use ground::Person;
use libtest_mimic::{Arguments, Trial};

type Body = fn(Person) -> Result<(), libtest_mimic::Failed>;

const TESTS: &[(&str, Body)] = &[
    ("killed_after_each_line", killed::after_each_line),
    ("killed_in_a_sweep", killed::in_a_sweep),
    ("killed_while_it_sets_up", killed::while_it_sets_up),
    ("asked_to_stop", killed::asked_to_stop),
    ("asked_twice", killed::asked_twice),
    ("ignored_signals_stay_ignored", killed::ignored_signals),
    ("blocked_signals_are_heard", killed::blocked_signals),
    ("its_children_may_be_ignored", odd::ignored_children),
    ("without_standard_streams", odd::without_streams),
    ("a_reader_that_goes_away_is_no_error", odd::reader_gone),
    ("few_descriptors", odd::few_descriptors),
    ("few_processes", odd::few_processes),
    ("odd_names_of_the_directory", odd::odd_names),
    ("a_directory_that_is_gone", odd::directory_gone),
    ("a_directory_nobody_may_write", odd::directory_closed),
    ("a_directory_in_memory", odd::directory_in_memory),
    ("a_directory_that_is_bound", odd::directory_bound),
    ("outputs_are_written_to_and_not_replaced", odd::outputs),
    ("many_files_and_little_memory", odd::memory),
    ("inside_itself", odd::inside_itself),
];

fn main() {
    let mut arguments = Arguments::from_args();
    // They mostly wait.
    arguments.test_threads.get_or_insert(10);
    let mut trials = Vec::new();
    for person in [Person::Oneself, Person::Nobody] {
        for (name, body) in TESTS {
            trials.push(
                Trial::test(format!("{}::{name}", person.name()), move || body(person))
                    .with_ignored_flag(!person.is_here()),
            );
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    ground::clean_up();
    conclusion.exit();
}
