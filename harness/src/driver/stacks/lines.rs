//! From an address of a file to its place in the source, by debug information.

use super::binary::{Binary, Bytes};
use super::own::Named;
use addr2line::Context;
use gimli::{Dwarf, EndianArcSlice, RunTimeEndian, SectionId};

type Reader = EndianArcSlice<RunTimeEndian>;

/// The source lines of one file.
pub(super) struct Lines(Option<Context<Reader>>);

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Lines").field(&self.0.is_some()).finish()
    }
}

/// The sections that are read.
const SECTIONS: [SectionId; 11] = [
    SectionId::DebugAbbrev,
    SectionId::DebugAddr,
    SectionId::DebugAranges,
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
    SectionId::DebugTypes,
];

fn context(binary: &Binary) -> Option<Context<Reader>> {
    let names: Vec<&'static str> = SECTIONS.iter().map(|section| section.name()).collect();
    let contents = binary.sections(&names);
    let content = |wanted: SectionId| {
        let index = SECTIONS.iter().position(|section| *section == wanted);
        index.and_then(|index| contents.get(index)).cloned().unwrap_or_default()
    };
    if content(SectionId::DebugInfo).is_empty() || content(SectionId::DebugLine).is_empty() {
        return None;
    }
    let endian = if cfg!(target_endian = "big") { RunTimeEndian::Big } else { RunTimeEndian::Little };
    let load = |section| -> Result<Reader, gimli::Error> {
        let bytes: Bytes = content(section);
        Ok(EndianArcSlice::new(bytes, endian))
    };
    Context::from_dwarf(Dwarf::load(load).ok()?).ok()
}

impl Lines {
    /// Those of a file, from itself or from where its debug information was put.
    pub(super) fn of(binary: &Binary) -> Self {
        Self(context(binary).or_else(|| context(&binary.separate_debug()?)))
    }

    /// The functions that an address is in, the innermost first: where one was inlined
    /// into another there are several. Empty where the debug information does not say.
    pub(super) fn at(&self, address: u64, module: &str) -> Vec<Named> {
        let Some(context) = &self.0 else { return Vec::new() };
        let Ok(mut frames) = context.find_frames(address).skip_all_loads() else { return Vec::new() };
        let mut named = Vec::new();
        while let Ok(Some(frame)) = frames.next() {
            let Some((file, line)) = frame.location.and_then(|place| Some((place.file?.to_owned(), place.line?)))
            else {
                break;
            };
            let function = frame.function.and_then(|function| Some(function.demangle().ok()?.into_owned()));
            // Line 0 is how a compiler says that there is none.
            let line = Some(line).filter(|line| *line > 0);
            named.push(Named { file: line.map(|_| file), line, function, module: module.to_owned() });
        }
        named
    }
}
