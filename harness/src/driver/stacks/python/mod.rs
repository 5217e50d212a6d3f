//! The stack of a stopped thread of CPython, as its interpreter keeps it.
//!
//! Read from the outside, like everything here: nothing is run in the process. The
//! layouts are those of the versions in [`layout`]; any other is left alone. That what
//! is read is what it is taken for is proven by the types that the interpreter itself
//! says its objects have: where one is another, nothing is said.

mod layout;
mod lines;

use super::binary::Binary;
use super::own::Named;
use crate::sys::Stopped;
use layout::{Layout, Stacking};
use lines::LineTable;
use std::path::Path;

/// No more interpreters, threads and frames are looked at.
const MOST_INTERPRETERS: usize = 16;
const MOST_THREADS: usize = 1024;
/// Nor longer names, line tables and their strings.
const LONGEST_NAME: u64 = 4096;
const LONGEST_TABLE: u64 = 1024 * 1024;

/// Where an interpreter keeps what has to be known, in the file it is in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interpreter {
    minor: u32,
    runtime: u64,
    code: u64,
    text: u64,
    bytes: u64,
}

/// The version that a file of CPython is of, by its name: `python3.11`, or
/// `libpython3.11.so.1.0`.
pub(super) fn version(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?;
    let (program, library) = (name.strip_prefix("python3."), name.strip_prefix("libpython3."));
    let minor = program.or_else(|| library?.split_once(".so").map(|(minor, _)| minor))?;
    minor.parse().ok()
}

impl Interpreter {
    /// The interpreter in a file of this version, if it is in there and known.
    pub(super) fn of(binary: &Binary, minor: u32) -> Option<Self> {
        if !layout::is_known(minor) {
            return None;
        }
        let names = ["_PyRuntime", "PyCode_Type", "PyUnicode_Type", "PyBytes_Type"];
        let [runtime, code, text, bytes] = binary.exported(names)?;
        Some(Self { minor, runtime, code, text, bytes })
    }

    /// The frames of the thread that has this value of pthread_self(3), the innermost
    /// first. `None` when it runs no Python, or anything is not as it should be.
    pub(super) fn stack(&self, stopped: &Stopped, bias: u64, thread: u64, most: usize) -> Option<Vec<Named>> {
        if thread == 0 {
            return None;
        }
        let at = |address: u64| address.wrapping_add(bias);
        let layout = Layout::of(self.minor, &|offset| number(stopped, at(self.runtime).wrapping_add(offset)))?;
        let reader = Reader { stopped, layout, code: at(self.code), text: at(self.text), bytes: at(self.bytes) };
        let state = reader.thread_state(at(self.runtime), thread)?;
        let frames = reader.frames(state, most)?;
        (!frames.is_empty()).then_some(frames)
    }
}

struct Reader<'a> {
    stopped: &'a Stopped,
    layout: Layout,
    /// The types of code objects, strings and bytes.
    code: u64,
    text: u64,
    bytes: u64,
}

fn number(stopped: &Stopped, address: u64) -> Option<u64> {
    let mut bytes = [0u8; 8];
    (stopped.read_memory(address, &mut bytes) == bytes.len()).then(|| u64::from_ne_bytes(bytes))
}

/// Every object begins with its count and its type.
const TYPE: u64 = 8;
/// A bytes object: its length and what it holds.
const BYTES_LENGTH: u64 = 16;
const BYTES_DATA: u64 = 32;
/// A string: its length and its form.
const TEXT_LENGTH: u64 = 16;
const TEXT_FORM: u64 = 32;

/// Who owns a frame that is none of Python code (`FRAME_OWNED_BY_CSTACK`).
const BY_C_STACK: u8 = 3;

impl Reader<'_> {
    fn number(&self, address: u64, offset: u64) -> Option<u64> {
        number(self.stopped, address.wrapping_add(offset))
    }

    fn int(&self, address: u64, offset: u64) -> Option<i32> {
        Some(self.number(address, offset)? as u32 as i32)
    }

    /// What the interpreter knows of a thread.
    fn thread_state(&self, runtime: u64, thread: u64) -> Option<u64> {
        let layout = &self.layout;
        let mut interpreter = self.number(runtime, layout.interpreters)?;
        for _ in 0..MOST_INTERPRETERS {
            if interpreter == 0 {
                return None;
            }
            let mut state = self.number(interpreter, layout.threads)?;
            for _ in 0..MOST_THREADS {
                if state == 0 {
                    break;
                }
                if self.number(state, layout.thread_id)? == thread {
                    return Some(state);
                }
                state = self.number(state, layout.next_thread)?;
            }
            interpreter = self.number(interpreter, layout.next_interpreter)?;
        }
        None
    }

    fn frames(&self, state: u64, most: usize) -> Option<Vec<Named>> {
        let layout = &self.layout;
        let mut frame = match layout.stacking {
            Stacking::Objects { first, .. } | Stacking::Frames { first, .. } => self.number(state, first)?,
            Stacking::Entered { entered, first, .. } => self.number(self.number(state, entered)?, first)?,
        };
        let mut frames = Vec::new();
        // Frames that are none of Python code stand between the others.
        for _ in 0..most.saturating_mul(2) {
            if frame == 0 || frames.len() == most {
                break;
            }
            frames.extend(self.frame(frame)?);
            frame = self.number(frame, layout.previous)?;
        }
        Some(frames)
    }

    /// `Some(None)` for a frame that is none of Python code or has not begun.
    fn frame(&self, frame: u64) -> Option<Option<Named>> {
        let layout = &self.layout;
        if let Stacking::Entered { owner, .. } | Stacking::Frames { owner, .. } = layout.stacking
            && self.number(frame, owner)? as u8 == BY_C_STACK
        {
            return Some(None);
        }
        let code = self.object(frame, layout.code, self.code)?;
        let instruction = match layout.stacking {
            Stacking::Objects { unit, .. } => i64::from(self.int(frame, layout.instruction)?).checked_mul(unit)?,
            Stacking::Entered { instructions, .. } | Stacking::Frames { instructions, .. } => {
                let first = code.wrapping_add(instructions);
                self.number(frame, layout.instruction)?.wrapping_sub(first).cast_signed()
            }
        };
        let Ok(instruction) = u64::try_from(instruction) else { return Some(None) };
        let first_line = self.int(code, layout.first_line)?;
        let table = self.content(self.object(code, layout.lines, self.bytes)?)?;
        let line = LineTable { form: layout.line_form, first_line, table: &table }.line(instruction);
        let file = self.string(self.object(code, layout.file, self.text)?)?;
        let function = Some(self.string(self.object(code, layout.name, self.text)?)?);
        Some(Some(Named { file: line.map(|_| file), line, function, module: String::new() }))
    }

    /// The object that is referred to from there, if it is of this type.
    fn object(&self, address: u64, offset: u64, wanted: u64) -> Option<u64> {
        let object = self.number(address, offset)?;
        (self.number(object, TYPE)? == wanted).then_some(object)
    }

    fn content(&self, bytes: u64) -> Option<Vec<u8>> {
        let length = self.number(bytes, BYTES_LENGTH).filter(|length| *length <= LONGEST_TABLE)?;
        self.copy(bytes.wrapping_add(BYTES_DATA), usize::try_from(length).ok()?)
    }

    fn copy(&self, address: u64, length: usize) -> Option<Vec<u8>> {
        let mut copy = vec![0; length];
        (self.stopped.read_memory(address, &mut copy) == length).then_some(copy)
    }

    /// A string whose characters follow its head.
    fn string(&self, text: u64) -> Option<String> {
        let length = self.number(text, TEXT_LENGTH).filter(|length| *length <= LONGEST_NAME)?;
        let form = self.number(text, TEXT_FORM)? as u32;
        let (size, compact, ascii) = (form >> 2 & 7, form >> 5 & 1, form >> 6 & 1);
        let [short, long] = self.layout.heads;
        let head = if ascii == 1 { short } else { long };
        let bytes = self.copy(text.wrapping_add(head), usize::try_from(length).ok()? * size as usize)?;
        let characters: Option<String> = match (compact, size) {
            (1, 1) => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
            (1, 2) => {
                bytes.chunks_exact(2).map(|two| char::from_u32(u16::from_ne_bytes([two[0], two[1]]).into())).collect()
            }
            (1, 4) => bytes
                .chunks_exact(4)
                .map(|four| char::from_u32(u32::from_ne_bytes([four[0], four[1], four[2], four[3]])))
                .collect(),
            _ => None,
        };
        characters
    }
}
