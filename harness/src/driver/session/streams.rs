//! The standard streams of an agent: pipes whose far ends the init gets.

use crate::driver::DriverError;
use crate::model::{Stdin, StdinThen};
use crate::sys::Stdio;
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::PipeFlags;
use std::path::Path;

/// Our ends.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// Standard input, while it is open.
    pub(super) input: Option<OwnedFd>,
    /// What is still to be written to it, and whether to close it then.
    pub(super) pending: Vec<u8>,
    pub(super) close_after: bool,
    /// Standard output and error; one descriptor for a terminal.
    pub(super) outputs: [Option<OwnedFd>; 2],
    /// What the kernel calls the pipes of the outputs.
    pub(super) names: Vec<String>,
}

/// The agent's ends, open until the init has them.
#[derive(Debug)]
pub(super) struct FarEnds {
    #[expect(dead_code, reason = "kept open until the init has copies")]
    held: Vec<OwnedFd>,
    pub(super) stdio: Stdio,
}

/// A descriptor above the standard ones, so that none is overwritten when the
/// agent's are put in place.
fn high(fd: OwnedFd) -> Result<OwnedFd, DriverError> {
    if fd.as_raw_fd() > 2 {
        Ok(fd)
    } else {
        rustix::io::fcntl_dupfd_cloexec(&fd, 3).map_err(DriverError::system("copy a descriptor"))
    }
}

fn pipe() -> Result<(OwnedFd, OwnedFd), DriverError> {
    let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(DriverError::system("make a pipe"))?;
    Ok((high(reader)?, high(writer)?))
}

fn nonblocking(fd: &OwnedFd) -> Result<(), DriverError> {
    rustix::fs::fcntl_setfl(fd, OFlags::NONBLOCK).map_err(DriverError::system("set a pipe to non-blocking"))
}

fn null(flags: OFlags) -> Result<OwnedFd, DriverError> {
    high(
        rustix::fs::open(c"/dev/null", flags | OFlags::CLOEXEC, Mode::empty())
            .map_err(DriverError::system("open /dev/null"))?,
    )
}

pub(super) fn name_of(fd: &OwnedFd) -> Option<String> {
    let link = rustix::fs::readlink(format!("/proc/self/fd/{}", fd.as_raw_fd()), Vec::new()).ok()?;
    Some(link.to_string_lossy().into_owned())
}

/// Makes the streams of an agent. A file may not be there yet when commands of
/// `prepare` can make it.
pub(super) fn for_agent(
    stdin: &Stdin,
    directory: &Path,
    made_by_prepare: bool,
) -> Result<(Streams, FarEnds), DriverError> {
    let mut streams = Streams::default();
    let far_input = match stdin {
        Stdin::Closed => null(OFlags::RDONLY)?,
        // Opened in the cell: through a descriptor of ours the agent could open
        // the host's file again, for writing (/proc/self/fd/0).
        Stdin::File(path) => {
            if !made_by_prepare {
                rustix::fs::access(directory.join(path), rustix::fs::Access::READ_OK).map_err(|errno| {
                    DriverError::Command { what: format!("standard input from `{path}`"), why: errno.to_string() }
                })?;
            }
            null(OFlags::RDONLY)?
        }
        Stdin::Open | Stdin::Text { .. } => {
            let (reader, writer) = pipe()?;
            nonblocking(&writer)?;
            if let Stdin::Text { text, then } = stdin {
                streams.pending = text.clone().into_bytes();
                streams.close_after = *then == StdinThen::Closed;
            }
            streams.input = Some(writer);
            reader
        }
    };
    let mut far = vec![far_input];
    for output in &mut streams.outputs {
        let (reader, writer) = pipe()?;
        nonblocking(&reader)?;
        streams.names.extend(name_of(&reader));
        *output = Some(reader);
        far.push(writer);
    }
    let [stdin, stdout, stderr] = [&far[0], &far[1], &far[2]].map(|fd| fd.as_fd().as_raw_fd());
    Ok((streams, FarEnds { held: far, stdio: Stdio { stdin, stdout, stderr } }))
}

/// The streams of a helper: no input, and both outputs on one pipe.
pub(super) fn for_helper() -> Result<(OwnedFd, FarEnds), DriverError> {
    let (reader, writer) = pipe()?;
    nonblocking(&reader)?;
    let held = vec![null(OFlags::RDONLY)?, writer];
    let stdio = Stdio { stdin: held[0].as_raw_fd(), stdout: held[1].as_raw_fd(), stderr: held[1].as_raw_fd() };
    Ok((reader, FarEnds { held, stdio }))
}
