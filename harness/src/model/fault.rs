//! A system call that fails although it would not have: `fault:unlink=EIO`.

use std::fmt;
use std::str::FromStr;

/// Calls that can be made to fail, by the word for them, and the system calls that
/// libraries make for that.
const CALLS: &[(&str, &[&str])] = &[
    ("open", &["open", "openat", "openat2", "creat"]),
    ("close", &["close"]),
    ("read", &["read", "readv", "pread64", "recvfrom", "recvmsg"]),
    ("write", &["write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg", "sendfile"]),
    ("fsync", &["fsync", "fdatasync"]),
    ("truncate", &["truncate", "ftruncate"]),
    ("mkdir", &["mkdir", "mkdirat"]),
    ("rmdir", &["rmdir"]),
    ("unlink", &["unlink", "unlinkat"]),
    ("rename", &["rename", "renameat", "renameat2"]),
    ("link", &["link", "linkat", "symlink", "symlinkat"]),
    ("lock", &["flock", "fcntl"]),
    ("connect", &["connect"]),
    ("accept", &["accept", "accept4"]),
    ("poll", &["poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2"]),
    ("wait", &["wait4", "waitid"]),
    ("sleep", &["nanosleep", "clock_nanosleep"]),
    ("kill", &["kill", "tkill", "tgkill"]),
];

/// Errors that they can fail with, and their numbers.
const ERRORS: &[(&str, i32)] = &[
    ("EACCES", libc::EACCES),
    ("EAGAIN", libc::EAGAIN),
    ("EBADF", libc::EBADF),
    ("EBUSY", libc::EBUSY),
    ("ECONNREFUSED", libc::ECONNREFUSED),
    ("ECONNRESET", libc::ECONNRESET),
    ("EDQUOT", libc::EDQUOT),
    ("EINTR", libc::EINTR),
    ("EINVAL", libc::EINVAL),
    ("EIO", libc::EIO),
    ("EMFILE", libc::EMFILE),
    ("ENFILE", libc::ENFILE),
    ("ENOENT", libc::ENOENT),
    ("ENOMEM", libc::ENOMEM),
    ("ENOSPC", libc::ENOSPC),
    ("ENOTEMPTY", libc::ENOTEMPTY),
    ("EPERM", libc::EPERM),
    ("EPIPE", libc::EPIPE),
    ("EROFS", libc::EROFS),
    ("ESRCH", libc::ESRCH),
    ("ETIMEDOUT", libc::ETIMEDOUT),
];

/// The next call of a kind fails with an error, whoever of the agent makes it.
///
/// ```
/// let fault: quietus::model::Fault = "unlink=EIO".parse()?;
/// assert_eq!(fault.system_calls(), ["unlink", "unlinkat"]);
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fault {
    /// The place in [`CALLS`].
    call: u8,
    /// The place in [`ERRORS`].
    error: u8,
}

impl Fault {
    /// The fault that makes this system call fail with this error, if both are known.
    pub fn of(system_call: &str, error: &str) -> Option<Self> {
        let call = CALLS.iter().position(|(_, calls)| calls.contains(&system_call))?;
        let error = ERRORS.iter().position(|(name, _)| *name == error)?;
        Some(Self { call: u8::try_from(call).ok()?, error: u8::try_from(error).ok()? })
    }

    /// The word for the call, and the system calls.
    fn call(self) -> (&'static str, &'static [&'static str]) {
        CALLS.get(usize::from(self.call)).copied().unwrap_or_default()
    }

    /// The system calls of which the next one fails.
    pub fn system_calls(self) -> &'static [&'static str] {
        self.call().1
    }

    /// The number of the error.
    pub fn errno(self) -> i32 {
        ERRORS.get(usize::from(self.error)).map_or(libc::EIO, |(_, number)| *number)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = ERRORS.get(usize::from(self.error)).map_or("", |(name, _)| name);
        write!(f, "{}={error}", self.call().0)
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (word, error) =
            text.split_once('=').ok_or_else(|| format!("`{text}` is not CALL=ERROR, as `unlink=EIO`"))?;
        let names = |names: &mut dyn Iterator<Item = &'static str>| names.collect::<Vec<_>>().join(", ");
        let call = CALLS.iter().position(|(known, _)| *known == word).ok_or_else(|| {
            format!("`{word}` is no call that can be made to fail: {}", names(&mut CALLS.iter().map(|(word, _)| *word)))
        })?;
        let number = ERRORS.iter().position(|(known, _)| *known == error).ok_or_else(|| {
            format!(
                "`{error}` is no error that a call can fail with: {}",
                names(&mut ERRORS.iter().map(|(name, _)| *name))
            )
        })?;
        let place = |place: usize| u8::try_from(place).map_err(|_| "too many".to_owned());
        Ok(Self { call: place(call)?, error: place(number)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_with_every_error_prints_as_it_reads() {
        for (word, calls) in CALLS {
            for (error, number) in ERRORS {
                let fault: Fault = format!("{word}={error}").parse().expect("a fault");
                assert_eq!(fault.to_string(), format!("{word}={error}"));
                assert_eq!((fault.system_calls(), fault.errno()), (*calls, *number));
                assert_eq!(Fault::of(calls[0], error), Some(fault));
            }
        }
    }

    #[test]
    fn what_is_not_known_is_named() {
        for (text, says) in [("unlink", "CALL=ERROR"), ("unlnk=EIO", "`unlnk`"), ("unlink=EOI", "`EOI`")] {
            let error = text.parse::<Fault>().expect_err(text);
            assert!(error.contains(says), "{error}");
        }
    }
}
