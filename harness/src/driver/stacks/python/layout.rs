//! Where CPython 3.9 to 3.13 keep what a stack is read from, on 64-bit machines.
//!
//! From their own headers (`Include/internal`): the layouts stay the same within a
//! minor version. From 3.13 on the interpreter itself says where most of it is
//! (`_Py_DebugOffsets`), but each version says that in another form.

use super::lines::Form;

/// Offsets into the interpreter's own structures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// The first interpreter, in the runtime.
    pub(super) interpreters: u64,
    pub(super) next_interpreter: u64,
    /// The first thread, in an interpreter.
    pub(super) threads: u64,
    pub(super) next_thread: u64,
    /// What pthread_self(3) says in that thread.
    pub(super) thread_id: u64,
    pub(super) stacking: Stacking,
    /// Of a frame: the one that called it, its code, and where it is in that.
    pub(super) previous: u64,
    pub(super) code: u64,
    pub(super) instruction: u64,
    /// Of a code object.
    pub(super) file: u64,
    pub(super) name: u64,
    pub(super) first_line: u64,
    pub(super) lines: u64,
    pub(super) line_form: Form,
    /// How long the head of a string is: of ASCII characters, and of others.
    pub(super) heads: [u64; 2],
}

/// How frames are kept.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stacking {
    /// Each is an object; its place in the code is a number of so many bytes.
    Objects { first: u64, unit: i64 },
    /// The innermost stands where the interpreter was entered last. The place in the
    /// code is an address; the code's instructions begin after its head.
    Entered { entered: u64, first: u64, owner: u64, instructions: u64 },
    /// The innermost stands in the thread.
    Frames { first: u64, owner: u64, instructions: u64 },
}

/// Whether this minor version of Python 3 is known.
pub(super) fn is_known(minor: u32) -> bool {
    (9..=13).contains(&minor) && cfg!(all(target_arch = "x86_64", target_pointer_width = "64"))
}

const V3_9: Layout = Layout {
    interpreters: 32,
    next_interpreter: 0,
    threads: 8,
    next_thread: 8,
    thread_id: 176,
    stacking: Stacking::Objects { first: 24, unit: 1 },
    previous: 24,
    code: 32,
    instruction: 104,
    file: 104,
    name: 112,
    first_line: 40,
    lines: 120,
    line_form: Form::Pairs,
    heads: [48, 72],
};

const V3_10: Layout =
    Layout { stacking: Stacking::Objects { first: 24, unit: 2 }, instruction: 96, line_form: Form::Ranges, ..V3_9 };

const V3_11: Layout = Layout {
    interpreters: 40,
    threads: 16,
    thread_id: 152,
    stacking: Stacking::Entered { entered: 56, first: 8, owner: 69, instructions: 184 },
    previous: 48,
    code: 32,
    instruction: 56,
    file: 112,
    name: 120,
    first_line: 72,
    lines: 136,
    line_form: Form::Locations,
    ..V3_9
};

const V3_12: Layout = Layout {
    threads: 72,
    thread_id: 136,
    stacking: Stacking::Entered { entered: 56, first: 0, owner: 70, instructions: 192 },
    previous: 8,
    code: 0,
    first_line: 68,
    heads: [40, 56],
    ..V3_11
};

/// What `_PyRuntime` begins with from 3.13 on.
const COOKIE: u64 = u64::from_ne_bytes(*b"xdebugpy");

impl Layout {
    /// The layout of this minor version. `runtime` reads from the beginning of what the
    /// interpreter says of itself.
    pub(super) fn of(minor: u32, runtime: &dyn Fn(u64) -> Option<u64>) -> Option<Self> {
        match minor {
            9 => Some(V3_9),
            10 => Some(V3_10),
            11 => Some(V3_11),
            12 => Some(V3_12),
            13 => Self::described(runtime),
            _ => None,
        }
    }

    /// As 3.13 describes itself, in the order of its `_Py_DebugOffsets`. Not for builds
    /// without the global lock, which keep their objects in another way.
    fn described(runtime: &dyn Fn(u64) -> Option<u64>) -> Option<Self> {
        // No structure is as long as that: an offset beyond is none.
        let word = |index: u64| runtime(index * 8).filter(|offset| *offset < 1 << 20);
        let version = runtime(8)?;
        let free_threaded = runtime(16)?;
        if runtime(0)? != COOKIE || version >> 16 != 0x030d || free_threaded != 0 {
            return None;
        }
        Some(Self {
            interpreters: word(5)?,
            next_interpreter: word(8)?,
            threads: word(9)?,
            next_thread: word(21)?,
            thread_id: word(24)?,
            stacking: Stacking::Frames { first: word(23)?, owner: word(33)?, instructions: word(43)? },
            previous: word(29)?,
            code: word(30)?,
            instruction: word(31)?,
            file: word(35)?,
            name: word(36)?,
            first_line: word(39)?,
            lines: word(38)?,
            line_form: Form::Locations,
            heads: [40, 56],
        })
    }
}
