//! The file of `--journal`: written while trials run, read by `--resume` and `report render`.

use crate::exit::Failure;
use crate::output;
use crate::reporting::MOST_OF_A_REPORT;
use quietus::audit::Found;
use quietus::explore::{Entry, Journaled, journaled_report, read_journal};
use quietus_reports::{Report, Run, Trial, json_line};
use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What stands around a run.
pub(crate) struct Next {
    /// What is run; none for a bare command.
    pub(crate) key: Option<String>,
    /// The report without runs.
    pub(crate) report: Report,
    /// The command line that replays a token, up to the token and after it.
    pub(crate) replay: (String, String),
}

/// A journal that is written: each trial is in it once it has ended.
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    /// What stands around the next run.
    next: Option<Next>,
    failed: Option<std::io::Error>,
}

impl Journal {
    /// Begun anew, or gone on with after its last whole line.
    pub(crate) fn open(path: &Path, resumes: bool) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::usage(format!("cannot write {}: {error}", path.display()));
        if !resumes {
            keeps_nothing(path)?;
        }
        let mut file =
            OpenOptions::new().create(true).read(true).write(true).truncate(!resumes).open(path).map_err(failed)?;
        if resumes {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(failed)?;
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
            file.set_len(whole as u64).map_err(failed)?;
            file.seek(SeekFrom::End(0)).map_err(failed)?;
        }
        Ok(Self { path: path.to_path_buf(), file, next: None, failed: None })
    }

    fn add(&mut self, entry: &Entry<'_>) {
        if self.failed.is_none() {
            self.failed = self.file.write_all(json_line(entry).as_bytes()).err();
        }
    }

    /// Says what stands around the next run.
    pub(crate) fn next(&mut self, next: Next) {
        self.next = Some(next);
    }

    pub(crate) fn begin(&mut self, run: &Run) {
        if let Some(Next { key, report, replay }) = self.next.take() {
            self.add(&Entry::Begin { key, report: Cow::Owned(report), run: Cow::Borrowed(run), replay });
        }
    }

    pub(crate) fn trial(&mut self, trial: &Trial, found: &[Found]) {
        self.add(&Entry::Trial { trial: Cow::Borrowed(trial), found: Cow::Borrowed(found) });
    }

    pub(crate) fn end(&mut self, run: &Run) {
        self.add(&Entry::End { run: Cow::Borrowed(run) });
    }

    /// Whether every line was written.
    pub(crate) fn close(&self) -> Result<(), Failure> {
        match &self.failed {
            Some(error) => Err(Failure::usage(format!("cannot write {}: {error}", self.path.display()))),
            None => Ok(()),
        }
    }
}

/// What a journal would overwrite that is none is refused.
fn keeps_nothing(path: &Path) -> Result<(), Failure> {
    let mut start = Vec::new();
    if path.is_file() {
        // One that cannot be read is told when it cannot be written.
        let _unread = File::open(path).and_then(|file| file.take(START.len() as u64).read_to_end(&mut start));
    }
    if start.is_empty() || start == START.as_bytes() {
        return Ok(());
    }
    Err(Failure::usage(format!("{} is there and is no journal: it would be overwritten", path.display()))
        .with_help("name a file of its own for --journal"))
}

/// How each begins.
const START: &str = "{\"begin\"";

/// Whether a text is that of a journal, by its beginning.
pub(crate) fn is_one(text: &str) -> bool {
    text.starts_with(START)
}

/// The runs of a journal.
pub(crate) fn read(path: &Path) -> Result<Vec<Journaled>, Failure> {
    of_text(&output::read_text(path, MOST_OF_A_REPORT)?, path)
}

fn of_text(text: &str, path: &Path) -> Result<Vec<Journaled>, Failure> {
    read_journal(text).map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display())))
}

/// The report of a journal's text.
pub(crate) fn report(text: &str, path: &Path) -> Result<Report, Failure> {
    let nothing = || Failure::usage(format!("{} holds no run: it was broken off before the first", path.display()));
    journaled_report(of_text(text, path)?).ok_or_else(nothing)
}
