//! Agents that mean harm, each in a cell: none hangs Quietus, fills its memory,
//! reaches the host or makes it panic.
//!
//! Every test runs as whoever runs the tests; as root also in the person of an
//! ordinary user, of a root without CAP_SYS_ADMIN (a container's), and of one
//! with capabilities to pass on. A person who cannot be taken on here is
//! ignored, by name.

mod bench;
mod files;
mod output;
mod processes;
mod seal;

use bench::{Body, Person, Seen};
use libtest_mimic::{Arguments, Trial};

const TESTS: &[(&str, Body)] = &[
    ("a_fork_bomb_is_bounded", processes::fork_bomb),
    ("a_chain_of_short_lives_is_seen", processes::short_lives),
    ("an_agent_deaf_to_every_signal_is_killed", processes::deaf),
    ("kill_everything_hits_only_the_cell", processes::kill_everything),
    ("a_host_that_is_killed_or_stopped_is_no_loss", processes::host_gone),
    ("an_agent_and_its_host_may_end_together", processes::ends_with_its_host),
    ("names_sessions_and_closed_descriptors_hide_nobody", processes::disguised),
    ("an_agent_that_stops_itself_is_killed", processes::stops_itself),
    ("what_cannot_run_says_why", processes::cannot_run),
    ("an_agent_that_ends_at_once_has_ended", processes::ends_at_once),
    ("thirty_thousand_orphans_are_waited_for", processes::many_ended),
    ("one_gibibyte_of_output_is_read_to_its_end", output::flood),
    ("endless_output_does_not_hide_the_end", output::endless),
    ("control_characters_reach_no_report", output::controls),
    ("many_files_are_one_finding", files::many),
    ("a_sparse_file_has_its_size", files::sparse),
    ("deep_directories_are_told", files::deep),
    ("links_out_of_the_workspace_leave_the_host_alone", files::links),
    ("what_nobody_may_read_is_found", files::unreadable),
    ("deleted_files_fill_no_memory", files::deleted),
    ("standard_input_is_the_cell_s_file", files::input),
    ("a_lock_in_the_cell_is_no_lock_on_the_host", files::locks),
    ("the_seal_holds", seal::holds),
    ("the_host_is_as_it_was", seal::host_as_it_was),
    ("a_user_namespace_inside_is_no_way_out", seal::nested_namespaces),
];

fn main() {
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = Vec::new();
    for person in Person::ALL {
        for (name, body) in TESTS {
            // Of the odd persons only what their privileges bear on.
            if matches!(person, Person::BareRoot | Person::Heir) && !name.contains("seal") && !name.contains("host") {
                continue;
            }
            let seen = person.seen();
            trials.push(
                Trial::test(format!("{}::{name}", person.name()), move || person.run(name, *body))
                    .with_ignored_flag(seen == Seen::Missing),
            );
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    bench::clean_up();
    conclusion.exit();
}
