//! The test in its own process: sweeps, tells what it does and what it found, and ends.

use super::future_agent::FutureAgent;
use super::isolated::DIRECTORY;
use super::message::Message;
use std::ffi::OsStr;
use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixStream};

/// Runs the sweep and ends the process: nothing else of the test binary is to run here.
pub(super) fn run(socket: &OsStr, agent: FutureAgent) -> ! {
    let connected =
        SocketAddr::from_abstract_name(socket.as_bytes()).and_then(|address| UnixStream::connect_addr(&address));
    let Ok(mut stream) = connected else { std::process::exit(1) };
    // Whoever loses its parent becomes a child of this process, and is seen.
    let _seen_less = crate::sys::become_subreaper();
    // The one that listens may be gone: then nobody wants to know.
    let mut tell = |message: &Message| stream.write_all(message.line().as_bytes()).is_ok();
    let swept = go_home().and_then(|()| {
        agent.own_process().sweep_telling(&mut |what| {
            tell(&Message::Runs(what.to_owned()));
        })
    });
    let last = match swept {
        Ok(run) => Message::Done(Box::new(run)),
        Err(why) => Message::Failed(why),
    };
    let told = tell(&last);
    std::process::exit(i32::from(!told))
}

/// Goes to the directory in which the test was started, and makes that for temporary files.
fn go_home() -> Result<(), String> {
    let temporary = std::env::temp_dir();
    std::fs::create_dir_all(&temporary).map_err(|error| format!("cannot make {}: {error}", temporary.display()))?;
    let Some(directory) = std::env::var_os(DIRECTORY) else { return Ok(()) };
    std::env::set_current_dir(&directory).map_err(|error| format!("cannot enter {}: {error}", directory.display()))
}
