//! A program or library on disk, as far as its stacks need it.
//!
//! It is read and never mapped: whoever can write to a mapped file can end its reader
//! by cutting it off. Every size is bounded, since the file is an agent's.

use super::maps::Mapping;
use object::elf::FileHeader64;
use object::read::elf::ElfFile;
use object::{
    CompressionFormat, Endianness, Object, ObjectSection, ObjectSegment, ObjectSymbol, ObjectSymbolTable, ReadCache,
    SymbolIndex, SymbolKind,
};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that is longer is not read.
const LONGEST_FILE: u64 = 512 * 1024 * 1024;
/// Nor is a section.
const LONGEST_SECTION: u64 = 256 * 1024 * 1024;

/// Bytes of a section, shared by whoever reads them.
pub(super) type Bytes = Arc<[u8]>;

type Parsed<'a> = ElfFile<'a, FileHeader64<Endianness>, &'a ReadCache<&'a File>>;

/// What unwinding needs.
#[derive(Debug, Clone, Default)]
pub(super) struct UnwindSections {
    pub(super) frames: Option<(Range<u64>, Bytes)>,
    pub(super) index: Option<(Range<u64>, Bytes)>,
    pub(super) debug_frames: Option<Bytes>,
}

/// A function: where its code is, and where its name is to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Function {
    code: Range<u64>,
    symbol: SymbolIndex,
    /// Whether the table of symbols for other programs has it.
    exported: bool,
}

/// The file.
#[derive(Debug)]
pub(super) struct Binary {
    pub(super) path: PathBuf,
    file: File,
    /// The address that the first byte of the file has in it.
    pub(super) first: u64,
    /// By address; none before they are asked for.
    functions: Option<Vec<Function>>,
    unwinding: Option<UnwindSections>,
}

/// The first bytes of a file, by which the one on disk is known to be the one in memory.
pub(super) const HEAD: usize = 4096;

impl Binary {
    /// The file of this mapping, which is that of its beginning and holds `head` in the
    /// memory of the process. `None` when it can no longer be had.
    pub(super) fn of(tid: i32, mapping: &Mapping, head: &[u8]) -> Option<Self> {
        let inside = mapping.path.strip_prefix("/").ok()?;
        let mapped = PathBuf::from(format!("/proc/{tid}/map_files/{:x}-{:x}", mapping.start, mapping.end));
        // An ordinary user may not ask for the first; the last is the program itself only.
        let program = PathBuf::from(format!("/proc/{tid}/exe"));
        let there = (!mapping.deleted).then(|| Path::new(&format!("/proc/{tid}/root")).join(inside));
        let places = [Some(mapped), there, Some(program)];
        places.into_iter().flatten().find_map(|place| Self::open(&place, &mapping.path, Some(head)))
    }

    fn open(place: &Path, path: &Path, head: Option<&[u8]>) -> Option<Self> {
        // It may have become a pipe or a device, which is not to be waited for.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = File::from(rustix::fs::open(place, flags, Mode::empty()).ok()?);
        let about = file.metadata().ok()?;
        if !about.is_file() || about.len() > LONGEST_FILE {
            return None;
        }
        if let Some(head) = head {
            let mut found = [0u8; HEAD];
            let found = found.get_mut(..head.len())?;
            file.read_exact_at(found, 0).ok()?;
            if found != head {
                return None;
            }
        }
        let mut binary = Self { path: path.to_owned(), file, first: 0, functions: None, unwinding: None };
        binary.first = binary.parsed(|elf| {
            let first = elf.segments().find(|segment| segment.file_range().0 == 0)?;
            Some(first.address() / 4096 * 4096)
        })?;
        Some(binary)
    }

    /// The file that holds the debug information which was taken out of this one.
    pub(super) fn separate_debug(&self) -> Option<Self> {
        let id = self.parsed(|elf| elf.build_id().ok()?.map(<[u8]>::to_vec))?;
        let text: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let (directory, name) = text.split_at_checked(2)?;
        let path = PathBuf::from(format!("/usr/lib/debug/.build-id/{directory}/{name}.debug"));
        let debug = Self::open_debug(&path)?;
        let same = debug.parsed(|elf| Some(elf.build_id().ok()? == Some(id.as_slice())));
        same.filter(|same| *same).map(|_| debug)
    }

    fn open_debug(path: &Path) -> Option<Self> {
        Self::open(path, path, None)
    }

    fn parsed<T>(&self, read: impl FnOnce(&Parsed<'_>) -> Option<T>) -> Option<T> {
        let cache = ReadCache::new(&self.file);
        read(&Parsed::parse(&cache).ok()?)
    }

    /// What unwinding needs.
    pub(super) fn unwind_sections(&mut self) -> UnwindSections {
        if let Some(known) = &self.unwinding {
            return known.clone();
        }
        let sections = self.parsed(|elf| {
            let placed = |name: &str| {
                let section = elf.section_by_name(name)?;
                let start = section.address();
                Some((start..start.checked_add(section.size())?, data(&section)?))
            };
            let debug_frames = elf.section_by_name(".debug_frame").and_then(|section| data(&section));
            Some(UnwindSections { frames: placed(".eh_frame"), index: placed(".eh_frame_hdr"), debug_frames })
        });
        self.unwinding.insert(sections.unwrap_or_default()).clone()
    }

    /// The content of sections, by their names; empty for what is not there.
    pub(super) fn sections(&self, names: &[&'static str]) -> Vec<Bytes> {
        let all = self.parsed(|elf| {
            let one = |name: &&str| elf.section_by_name(name).and_then(|section| data(&section));
            Some(names.iter().map(|name| one(name).unwrap_or_default()).collect())
        });
        all.unwrap_or_default()
    }

    /// The addresses of symbols that it gives to others, in the order of the names.
    pub(super) fn exported<const N: usize>(&self, names: [&str; N]) -> Option<[u64; N]> {
        let mut found = [0; N];
        self.parsed(|elf| {
            for symbol in elf.dynamic_symbols().filter(|symbol| symbol.is_definition()) {
                let Ok(name) = symbol.name() else { continue };
                if let Some(place) = names.iter().position(|wanted| *wanted == name).and_then(|at| found.get_mut(at)) {
                    *place = symbol.address();
                }
            }
            Some(())
        })?;
        found.iter().all(|address| *address != 0).then_some(found)
    }

    /// The name of the function whose code is at this address of the file.
    pub(super) fn function(&mut self, address: u64) -> Option<String> {
        if self.functions.is_none() {
            self.functions = Some(self.read_functions());
        }
        let functions = self.functions.as_ref()?;
        let before = functions.partition_point(|function| function.code.start <= address);
        let function = functions.get(before.checked_sub(1)?).filter(|function| function.code.contains(&address))?;
        self.parsed(|elf| {
            let table = if function.exported { elf.dynamic_symbol_table() } else { elf.symbol_table() };
            let symbol = table?.symbol_by_index(function.symbol).ok()?;
            symbol.name().ok().filter(|name| !name.is_empty()).map(str::to_owned)
        })
    }

    fn read_functions(&self) -> Vec<Function> {
        let functions = self.parsed(|elf| {
            let all = elf.symbols().map(|symbol| (symbol, false));
            let all = all.chain(elf.dynamic_symbols().map(|symbol| (symbol, true)));
            let code = all.filter(|(symbol, _)| symbol.kind() == SymbolKind::Text && symbol.size() > 0);
            let placed = code.filter_map(|(symbol, exported)| {
                let end = symbol.address().checked_add(symbol.size())?;
                Some(Function { code: symbol.address()..end, symbol: symbol.index(), exported })
            });
            Some(placed.collect::<Vec<_>>())
        });
        let mut functions = functions.unwrap_or_default();
        functions.sort_by_key(|function| function.code.start);
        functions
    }
}

/// What a section holds, unpacked.
fn data<'a>(section: &impl ObjectSection<'a>) -> Option<Bytes> {
    let packed = section.compressed_data().ok()?;
    if packed.uncompressed_size > LONGEST_SECTION || packed.data.len() as u64 > LONGEST_SECTION {
        return None;
    }
    match packed.format {
        CompressionFormat::None => Some(packed.data.into()),
        _ => Some(packed.decompress().ok()?.as_ref().into()),
    }
}
