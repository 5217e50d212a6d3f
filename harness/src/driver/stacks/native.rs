//! The stack of a stopped thread of a compiled program.

use super::Binaries;
use super::binary::{Bytes, UnwindSections};
use super::maps::Mapping;
use crate::sys::{Registers, Stopped};
use framehop::{
    CacheNative, ExplicitModuleSectionInfo, FrameAddress, MayAllocateDuringUnwind, Module, UnwindRegsNative, Unwinder,
    UnwinderNative,
};
use std::collections::BTreeSet;

/// Unwinds one process after the other, and keeps what it knows of a process for as
/// long as the same is mapped there.
#[derive(Default)]
pub(super) struct Native {
    known: Vec<Mapping>,
    /// Beginnings of the files that the unwinder was told of.
    told: BTreeSet<u64>,
    unwinder: UnwinderNative<Bytes, MayAllocateDuringUnwind>,
    cache: CacheNative<MayAllocateDuringUnwind>,
}

/// A place in a file: which file, and the address it has there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) binary: usize,
    pub(super) address: u64,
}

impl std::fmt::Debug for Native {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Native").field("told", &self.told).finish_non_exhaustive()
    }
}

impl Native {
    /// The places in the stack, the innermost first. It ends where it cannot be followed
    /// with certainty.
    pub(super) fn stack(
        &mut self,
        stopped: &Stopped,
        registers: &Registers,
        maps: &[Mapping],
        binaries: &mut Binaries,
        most: usize,
    ) -> Vec<Place> {
        if self.known != maps {
            *self = Self { known: maps.to_vec(), ..Self::default() };
        }
        let mut places = Vec::new();
        let mut address = FrameAddress::from_instruction_pointer(registers.instruction);
        let mut stack = Memory { stopped, page: 0, bytes: Vec::new() };
        let mut now = unwinding(registers);
        while places.len() < most {
            let lookup = address.address_for_lookup();
            let Some(base) = binaries.base_of(stopped, maps, lookup) else { break };
            let returns = matches!(address, FrameAddress::ReturnAddress(_));
            if returns && !follows_a_call(stopped, address.address()) {
                break;
            }
            places.push(Place { binary: base.binary, address: lookup.wrapping_sub(base.bias) });
            if self.told.insert(base.start) {
                let module = module(binaries.unwind_sections(base.binary), &base);
                self.unwinder.add_module(module);
            }
            let mut read = |at: u64| stack.read(at).ok_or(());
            let next = self.unwinder.unwind_frame(address, &mut now, &mut self.cache, &mut read);
            let Some(next) = next.ok().flatten().and_then(FrameAddress::from_return_address) else { break };
            address = next;
        }
        places
    }
}

/// Where a file begins in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Base {
    pub(super) binary: usize,
    pub(super) start: u64,
    pub(super) end: u64,
    /// What is added to an address of the file.
    pub(super) bias: u64,
}

fn module(sections: UnwindSections, base: &Base) -> Module<Bytes> {
    let (frames, index) = (sections.frames.unzip(), sections.index.unzip());
    let info = ExplicitModuleSectionInfo {
        eh_frame_svma: frames.0,
        eh_frame: frames.1,
        eh_frame_hdr_svma: index.0,
        eh_frame_hdr: index.1,
        debug_frame: sections.debug_frames,
        ..ExplicitModuleSectionInfo::default()
    };
    Module::new(String::new(), base.start..base.end, base.bias, info)
}

#[cfg(target_arch = "x86_64")]
fn unwinding(registers: &Registers) -> UnwindRegsNative {
    UnwindRegsNative::new(registers.instruction, registers.stack, registers.frame)
}

#[cfg(target_arch = "aarch64")]
fn unwinding(registers: &Registers) -> UnwindRegsNative {
    UnwindRegsNative::new(registers.link, registers.stack, registers.frame)
}

/// Whether the instruction before this address is a call: what is found on a stack
/// without one before it is no return address.
#[cfg(target_arch = "x86_64")]
fn follows_a_call(stopped: &Stopped, address: u64) -> bool {
    let mut code = [0u8; 7];
    let Some(start) = address.checked_sub(7) else { return false };
    if stopped.read_memory(start, &mut code) != code.len() {
        return false;
    }
    // `e8` with four bytes; or `ff /2` with an operand of up to five bytes more.
    let indirect = |length: usize| match code.get(7 - length..) {
        Some([0xff, operand, ..]) => operand >> 3 & 7 == 2,
        _ => false,
    };
    code[2] == 0xe8 || (2..=7).any(indirect)
}

/// `bl` or `blr`.
#[cfg(target_arch = "aarch64")]
fn follows_a_call(stopped: &Stopped, address: u64) -> bool {
    let mut code = [0u8; 4];
    let Some(start) = address.checked_sub(4) else { return false };
    let read = stopped.read_memory(start, &mut code) == 4;
    let code = u32::from_le_bytes(code);
    read && (code >> 26 == 0b100101 || code & 0xffff_fc1f == 0xd63f_0000)
}

/// The stack, read in pages.
struct Memory<'a> {
    stopped: &'a Stopped,
    page: u64,
    bytes: Vec<u8>,
}

const PAGE: u64 = 4096;

impl Memory<'_> {
    fn read(&mut self, address: u64) -> Option<u64> {
        let page = address / PAGE * PAGE;
        let at = usize::try_from(address - page).ok()?;
        if self.bytes.is_empty() || page != self.page {
            let mut bytes = vec![0; PAGE as usize];
            let count = self.stopped.read_memory(page, &mut bytes);
            bytes.truncate(count);
            (self.page, self.bytes) = (page, bytes);
        }
        match self.bytes.get(at..at + 8) {
            Some(bytes) => Some(u64::from_ne_bytes(bytes.try_into().ok()?)),
            // Over the end of a page.
            None => {
                let mut bytes = [0u8; 8];
                (self.stopped.read_memory(address, &mut bytes) == 8).then(|| u64::from_ne_bytes(bytes))
            }
        }
    }
}
