//! Where in its code a stopped thread is: the lines that a person looks at to mend
//! what was found.
//!
//! A stack is taken while its thread is stopped, as addresses, and named later, when
//! nobody waits. It reads, and runs or changes nothing; only [`of_process`] stops anybody.
//! What cannot be read with certainty is left out: a wrong line is worse than none.

mod binary;
mod halted;
mod lines;
mod maps;
mod native;
mod own;
mod python;

use crate::sys::Stopped;
use binary::{Binary, HEAD, UnwindSections};
use lines::Lines;
use maps::Mapping;
use native::{Base, Native, Place};
use own::{Named, Whose, is_interpreter, of_native, of_python, own};
use python::Interpreter;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

pub(super) use halted::{Placed, of_process};
pub(super) use maps::file_at;

/// Of one process so many threads are shown, and so many places of each.
pub(super) const MOST_THREADS: usize = 8;
pub(super) const MOST_PLACES: usize = 12;

/// No more of a stack is looked at. What a person wants to see is near its top.
const DEEPEST: usize = 64;

/// A stack, not yet named.
#[derive(Debug, Default)]
pub(in crate::driver) struct Taken {
    /// What an interpreter runs; empty for other programs.
    python: Vec<Named>,
    native: Vec<(Place, bool)>,
    /// The native places are those of an interpreter whose own stack cannot be read.
    interpreted: bool,
}

/// Takes stacks and names them. Holds what it has read of the programs.
#[derive(Debug, Default)]
pub(in crate::driver) struct Stacks {
    binaries: Binaries,
    native: Native,
    /// Reading a file of an agent went wrong in a way that nobody thought of.
    broken: bool,
}

impl Stacks {
    /// The stack of a stopped thread; empty where it cannot be had.
    pub(in crate::driver) fn take(&mut self, stopped: &Stopped) -> Taken {
        self.guarded(|stacks| stacks.try_take(stopped).unwrap_or_default())
    }

    /// Where in its own code the agent was: `agent.py:41 in run_tool`.
    pub(in crate::driver) fn own_line(&mut self, taken: &Taken) -> Option<String> {
        // A line of the interpreter is not the agent's.
        if taken.interpreted {
            return None;
        }
        // What the system's libraries do is not looked up: their debug information is long.
        self.guarded(|stacks| own(&stacks.named(taken, |own| own))?.text())
    }

    /// All of the stack that has a name, the innermost first.
    pub(in crate::driver) fn lines(&mut self, taken: &Taken, most: usize) -> Vec<String> {
        self.guarded(|stacks| {
            stacks.named(taken, |_| true).iter().filter_map(|(place, _)| place.text()).take(most).collect()
        })
    }

    /// What is read was made by others, and by libraries that were made to read it. An
    /// error in one of them must cost the lines, not the trial.
    fn guarded<T: Default>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        if self.broken {
            return T::default();
        }
        let result = catch_unwind(AssertUnwindSafe(|| work(self)));
        result.unwrap_or_else(|_| {
            *self = Self { broken: true, ..Self::default() };
            T::default()
        })
    }

    fn try_take(&mut self, stopped: &Stopped) -> Option<Taken> {
        let registers = stopped.registers()?;
        let maps = maps::of(stopped.tid());
        let python = self.python(stopped, &maps, registers.thread);
        if let Some(python) = python {
            return Some(Taken { python, ..Taken::default() });
        }
        let program = std::fs::read_link(format!("/proc/{}/exe", stopped.tid())).ok()?;
        let places = self.native.stack(stopped, &registers, &maps, &mut self.binaries, DEEPEST);
        let native = places.into_iter().map(|place| (place, self.binaries.is_own(place.binary, &program))).collect();
        Some(Taken { python: Vec::new(), native, interpreted: is_interpreter(&program) })
    }

    fn python(&mut self, stopped: &Stopped, maps: &[Mapping], thread: u64) -> Option<Vec<Named>> {
        let begins = |mapping: &&Mapping| mapping.offset == 0;
        for mapping in maps.iter().filter(begins) {
            let Some(minor) = python::version(&mapping.path) else { continue };
            let Some(base) = self.binaries.base_at(stopped, maps, mapping) else { continue };
            let Some(interpreter) = self.binaries.interpreter(base.binary, minor) else { continue };
            return interpreter.stack(stopped, base.bias, thread, DEEPEST);
        }
        None
    }

    /// The places with a name, in files of which `wanted` holds: whether they are the agent's own.
    fn named(&mut self, taken: &Taken, wanted: impl Fn(bool) -> bool) -> Vec<(Named, Whose)> {
        let python = taken.python.iter().map(|place| (place.clone(), of_python(place)));
        let mut named: Vec<(Named, Whose)> = python.collect();
        for (place, own) in taken.native.iter().filter(|(_, own)| wanted(*own)) {
            let functions = self.binaries.name(*place);
            named.extend(functions.into_iter().map(|function| {
                let whose = of_native(&function, *own);
                (function, whose)
            }));
        }
        named
    }
}

/// By what a file in memory is known: where it is said to be, and how it begins.
type Known = (PathBuf, u64, Vec<u8>);

/// The files that stacks were in.
#[derive(Debug, Default)]
struct Binaries {
    /// None for what could not be read.
    known: BTreeMap<Known, Option<usize>>,
    binaries: Vec<Binary>,
    lines: BTreeMap<usize, Lines>,
    interpreters: BTreeMap<usize, Option<Interpreter>>,
}

/// No more files are held open.
const MOST_FILES: usize = 256;

impl Binaries {
    /// The file whose code is at this address, and where it begins.
    fn base_of(&mut self, stopped: &Stopped, maps: &[Mapping], address: u64) -> Option<Base> {
        let index = maps.partition_point(|mapping| mapping.start <= address).checked_sub(1)?;
        let mapping = maps.get(index).filter(|mapping| address < mapping.end)?;
        let mut parts = maps.get(..=index)?.iter().rev().take_while(|part| part.is_of(mapping));
        let first = parts.find(|part| part.offset == 0)?;
        self.base_at(stopped, maps, first)
    }

    /// The file that begins with this mapping.
    fn base_at(&mut self, stopped: &Stopped, maps: &[Mapping], first: &Mapping) -> Option<Base> {
        let mut head = vec![0; HEAD];
        if stopped.read_memory(first.start, &mut head) != HEAD {
            return None;
        }
        let known = (first.path.clone(), first.inode, head);
        let binary = match self.known.get(&known) {
            Some(binary) => (*binary)?,
            None => {
                let there = self.binaries.len() < MOST_FILES && self.known.len() < 4 * MOST_FILES;
                let opened = if there { Binary::of(stopped.tid(), first, &known.2) } else { None };
                let binary = opened.map(|opened| {
                    self.binaries.push(opened);
                    self.binaries.len() - 1
                });
                if there {
                    self.known.insert(known, binary);
                }
                binary?
            }
        };
        let from = maps.iter().skip_while(|mapping| mapping.start < first.start);
        let parts = from.take_while(|part| part.is_of(first) && (part.offset > 0 || part.start == first.start));
        let end = parts.last()?.end;
        let bias = first.start.wrapping_sub(self.binaries.get(binary)?.first);
        Some(Base { binary, start: first.start, end, bias })
    }

    fn unwind_sections(&mut self, binary: usize) -> UnwindSections {
        self.binaries.get_mut(binary).map(Binary::unwind_sections).unwrap_or_default()
    }

    fn interpreter(&mut self, binary: usize, minor: u32) -> Option<Interpreter> {
        let file = self.binaries.get(binary)?;
        *self.interpreters.entry(binary).or_insert_with(|| Interpreter::of(file, minor))
    }

    /// Whether this is the program itself, or a library that did not come with the system.
    fn is_own(&self, binary: usize, program: &Path) -> bool {
        let Some(file) = self.binaries.get(binary) else { return false };
        let system = ["/lib", "/usr", "/opt", "/nix"]
            .iter()
            .any(|top| file.path.as_os_str().as_encoded_bytes().starts_with(top.as_bytes()));
        file.path == program || !system
    }

    fn name(&mut self, place: Place) -> Vec<Named> {
        let Some(file) = self.binaries.get_mut(place.binary) else { return Vec::new() };
        let module = file.path.to_string_lossy().into_owned();
        let lines = self.lines.entry(place.binary).or_insert_with(|| Lines::of(file));
        let named = lines.at(place.address, &module);
        if !named.is_empty() {
            return named;
        }
        let function = file.function(place.address);
        let function = function.map(|name| addr2line::demangle_auto(name.into(), None).into_owned());
        vec![Named { function, module, ..Named::default() }]
    }
}
