//! What a system call of a tracee is about: its paths and addresses, as the
//! tracee means them.

use super::table::{Place, places};
use crate::driver::stacks::file_at;
use crate::model::path_text;
use crate::sys::{Stopped, Syscall};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

/// The longest path the kernel takes (PATH_MAX).
const LONGEST: usize = 4096;

/// The paths and addresses of a call, in the order of its arguments.
pub(super) fn subjects(stopped: &Stopped, name: &str, call: &Syscall) -> Vec<String> {
    places(name).iter().filter_map(|place| subject(stopped, *place, call)).collect()
}

fn subject(stopped: &Stopped, place: Place, call: &Syscall) -> Option<String> {
    let argument = |index: u8| call.arguments.get(usize::from(index)).copied();
    match place {
        Place::Path(index) => path(stopped, None, argument(index)?),
        Place::At(index) => path(stopped, Some(argument(index)? as u32), argument(index + 1)?),
        Place::Descriptor(index) => descriptor(stopped.tid(), argument(index)? as u32),
        Place::Address(index) => address(stopped, argument(index)?, argument(index + 1)?),
        Place::Mapped(index) => Some(path_text(file_at(stopped.tid(), argument(index)?)?.as_os_str().as_bytes())),
        Place::Name(index) => Some(path_text(&c_string(stopped, argument(index)?)?)),
    }
}

/// What a descriptor of a thread is: a path, or such as `socket:[12345]`.
pub(super) fn descriptor(tid: i32, number: u32) -> Option<String> {
    let link = std::fs::read_link(format!("/proc/{tid}/fd/{number}")).ok()?;
    Some(path_text(link.as_os_str().as_bytes()))
}

fn path(stopped: &Stopped, directory: Option<u32>, address: u64) -> Option<String> {
    let text = PathBuf::from(std::ffi::OsString::from_vec(c_string(stopped, address)?));
    let tid = stopped.tid();
    let base = match directory {
        _ if text.is_absolute() => PathBuf::from("/"),
        Some(number) if number != libc::AT_FDCWD.cast_unsigned() => {
            std::fs::read_link(format!("/proc/{tid}/fd/{number}")).ok()?
        }
        _ => std::fs::read_link(format!("/proc/{tid}/cwd")).ok()?,
    };
    Some(path_text(plain(&base.join(text)).as_os_str().as_bytes()))
}

/// Without `.` and `..`, by name alone.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

/// The bytes up to a NUL. `None` when there is none, or it cannot be read.
fn c_string(stopped: &Stopped, address: u64) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    while text.len() < LONGEST {
        let at = address.checked_add(text.len() as u64)?;
        // Up to the end of a page: the next one may not be there.
        let mut chunk = [0u8; 256];
        let room = chunk.len().min(4096 - (at % 4096) as usize);
        let count = stopped.read_memory(at, chunk.get_mut(..room)?);
        let read = chunk.get(..count).filter(|read| !read.is_empty())?;
        if let Some(end) = read.iter().position(|byte| *byte == 0) {
            text.extend_from_slice(read.get(..end)?);
            return Some(text);
        }
        text.extend_from_slice(read);
    }
    None
}

/// A socket address: the path of a Unix socket, `@name` for an abstract one, or
/// `address:port`.
fn address(stopped: &Stopped, address: u64, length: u64) -> Option<String> {
    let mut bytes = [0u8; 128];
    let length = usize::try_from(length).ok()?.min(bytes.len());
    let count = stopped.read_memory(address, bytes.get_mut(..length)?);
    let bytes = bytes.get(..count)?;
    let family = i32::from(u16::from_ne_bytes([*bytes.first()?, *bytes.get(1)?]));
    let port = || Some(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]));
    match family {
        libc::AF_UNIX => match bytes.get(2..)? {
            [] => None,
            [0, name @ ..] => Some(format!("@{}", path_text(name))),
            path => {
                let path = path.split(|byte| *byte == 0).next()?;
                let base = std::fs::read_link(format!("/proc/{}/cwd", stopped.tid())).ok()?;
                Some(path_text(plain(&base.join(Path::new(std::ffi::OsStr::from_bytes(path)))).as_os_str().as_bytes()))
            }
        },
        libc::AF_INET => {
            let address: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
            Some(format!("{}:{}", Ipv4Addr::from(address), port()?))
        }
        libc::AF_INET6 => {
            let address: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
            Some(format!("[{}]:{}", Ipv6Addr::from(address), port()?))
        }
        _ => None,
    }
}
