//! What is known of system calls by their names.

use crate::model::WAITS;
use crate::sys::Marked;

/// Where the path or address of a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A path in this argument.
    Path(u8),
    /// A directory's descriptor in this argument, and a path in the next.
    At(u8),
    /// A descriptor in this argument.
    Descriptor(u8),
    /// An address in this argument, and its length in the next.
    Address(u8),
    /// A name in this argument that is no path.
    Name(u8),
}

/// What is recorded of an undisturbed agent: all that makes, changes or gives up
/// what can outlive it; and besides these all in which it can wait.
const RECORDED: &[&str] = &[
    // Files.
    "open",
    "openat",
    "openat2",
    "creat",
    "close",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "truncate",
    "ftruncate",
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "sendfile",
    "copy_file_range",
    "fallocate",
    "flock",
    "fcntl",
    // Processes.
    "fork",
    "vfork",
    "clone",
    "clone3",
    "execve",
    "execveat",
    "wait4",
    "waitid",
    "setsid",
    "setpgid",
    // Terminals.
    "ioctl",
    // Sockets.
    "bind",
    "listen",
    "connect",
    // System V and POSIX objects.
    "shmget",
    "shmctl",
    "semget",
    "semctl",
    "msgget",
    "msgctl",
    "mq_open",
    "mq_unlink",
    // Signals.
    "rt_sigaction",
    "rt_sigprocmask",
    "kill",
    "pidfd_send_signal",
    // What a traced agent is refused.
    "ptrace",
];

/// The system calls that a recording needs, besides those of points.
pub(super) fn recorded() -> impl Iterator<Item = &'static str> {
    let waits = WAITS.iter().filter(|name| !RECORDED.contains(name));
    RECORDED.iter().chain(waits).copied().filter(|name| number(name).is_some())
}

/// The name of a system call of this architecture.
pub(super) fn name_of(number: u64) -> Option<&'static str> {
    Some(syscalls::Sysno::new(usize::try_from(number).ok()?)?.name())
}

/// Its name, if it is recorded.
pub(super) fn name(number: u64) -> Option<&'static str> {
    let name = name_of(number)?;
    (RECORDED.contains(&name) || WAITS.contains(&name)).then_some(name)
}

/// The number of a system call of this architecture.
pub(super) fn number(name: &str) -> Option<u32> {
    name.parse::<syscalls::Sysno>().ok().map(|sysno| sysno.id().cast_unsigned())
}

/// Marks for these system calls: each its place in the list.
pub(super) fn marked(names: &[String]) -> Vec<Marked> {
    names
        .iter()
        .enumerate()
        .filter_map(|(index, name)| Some(Marked { number: number(name)?, mark: u16::try_from(index).ok()? }))
        .collect()
}

/// What a call is about, as the manual page of each says.
pub(super) fn places(name: &str) -> &'static [Place] {
    use Place::{Address, At, Descriptor, Name, Path};
    match name {
        "open" | "creat" | "mkdir" | "rmdir" | "unlink" | "truncate" | "mknod" | "chmod" | "chown" | "lchown"
        | "readlink" | "stat" | "lstat" | "access" | "chdir" | "execve" | "utime" | "utimes" | "statfs" => &[Path(0)],
        "openat" | "openat2" | "mkdirat" | "unlinkat" | "mknodat" | "fchmodat" | "fchownat" | "newfstatat"
        | "faccessat" | "faccessat2" | "readlinkat" | "execveat" | "utimensat" | "futimesat" | "statx" => &[At(0)],
        "rename" | "link" => &[Path(0), Path(1)],
        "symlink" => &[Path(1)],
        "renameat" | "renameat2" | "linkat" => &[At(0), At(2)],
        "symlinkat" => &[At(1)],
        "read" | "write" | "readv" | "writev" | "pread64" | "pwrite64" | "preadv" | "pwritev" | "preadv2"
        | "pwritev2" | "fsync" | "fdatasync" | "ftruncate" | "fallocate" | "flock" | "fcntl" | "close" | "lseek"
        | "getdents64" | "ioctl" | "sendfile" | "fchmod" | "fchown" | "fchdir" | "dup" | "dup2" | "dup3" | "listen"
        | "accept" | "accept4" | "sendto" | "recvfrom" | "sendmsg" | "recvmsg" | "shutdown" | "splice" | "fstat" => {
            &[Descriptor(0)]
        }
        "copy_file_range" => &[Descriptor(0), Descriptor(2)],
        "mmap" => &[Descriptor(4)],
        "bind" | "connect" => &[Address(1)],
        "mq_open" | "mq_unlink" => &[Name(0)],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_marks_in_their_order() {
        let marks = marked(&["unlinkat", "no_such_call", "close"].map(str::to_owned));
        let shown: Vec<(u32, u16)> = marks.iter().map(|one| (one.number, one.mark)).collect();
        assert_eq!(shown, [(number("unlinkat").expect("known"), 0), (number("close").expect("known"), 2)]);
    }
}
