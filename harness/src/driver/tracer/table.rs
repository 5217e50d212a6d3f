//! What is known of system calls by their names.

use crate::model::{MESSAGES, WAITS};
use crate::sys::{Bits, Marked};

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
    /// An address in this argument at which a file is mapped.
    Mapped(u8),
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
    "mmap",
    "munmap",
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
    // What a traced agent is refused, and what hides calls from the tracer.
    "ptrace",
    "seccomp",
    "prctl",
];

/// What is recorded of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Nothing.
    Nothing,
    /// What it makes, changes and gives up, and its waits.
    Calls,
    /// That, and what it sends to others.
    CallsAndMessages,
}

/// The system calls that a recording needs, besides those of points.
pub(super) fn recorded(extent: Extent) -> impl Iterator<Item = &'static str> {
    let waits = WAITS.iter().filter(|name| !RECORDED.contains(name));
    let messages = MESSAGES.iter().filter(move |_| extent == Extent::CallsAndMessages);
    let all = RECORDED.iter().chain(waits).chain(messages).copied();
    all.filter(move |name| extent != Extent::Nothing && number(name).is_some())
}

/// The name of a system call of this architecture.
pub(super) fn name_of(number: u64) -> Option<&'static str> {
    Some(syscalls::Sysno::new(usize::try_from(number).ok()?)?.name())
}

/// Its name, if it is recorded.
pub(super) fn name(number: u64) -> Option<&'static str> {
    let name = name_of(number)?;
    (RECORDED.contains(&name) || WAITS.contains(&name) || MESSAGES.contains(&name)).then_some(name)
}

/// The number of a system call of this architecture.
pub(super) fn number(name: &str) -> Option<u32> {
    name.parse::<syscalls::Sysno>().ok().map(|sysno| sysno.id().cast_unsigned())
}

/// When a call is recorded: a mapping through which a file is written, since all others
/// are only memory; and the prctl(2) that filters system calls, whose number is 22.
fn recorded_only(name: &str) -> &'static [Bits] {
    const FILTERS: &[Bits] = &[
        Bits { argument: 0, bits: 0b10000, set: true },
        Bits { argument: 0, bits: 0b00110, set: true },
        Bits { argument: 0, bits: 0b01001, set: false },
    ];
    const WRITES_A_FILE: &[Bits] = &[
        Bits { argument: 2, bits: libc::PROT_WRITE as u32, set: true },
        Bits { argument: 3, bits: libc::MAP_SHARED as u32, set: true },
        Bits { argument: 3, bits: libc::MAP_ANONYMOUS as u32, set: false },
    ];
    match name {
        "mmap" => WRITES_A_FILE,
        "prctl" => FILTERS,
        _ => &[],
    }
}

/// Marks for system calls: each its place in the list, first those that are wanted
/// whatever their arguments are.
pub(super) fn marked<'a>(
    wanted: impl Iterator<Item = &'a str>,
    recorded: impl Iterator<Item = &'static str>,
) -> Vec<Marked> {
    let wanted = wanted.map(|name| (name, &[][..]));
    let all = wanted.chain(recorded.map(|name| (name, recorded_only(name))));
    let marks = (0..).zip(all).filter_map(|(mark, (name, only))| Some(Marked { number: number(name)?, only, mark }));
    marks.collect()
}

/// What a call is about, as the manual page of each says.
pub(super) fn places(name: &str) -> &'static [Place] {
    use Place::{Address, At, Descriptor, Mapped, Name, Path};
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
        | "accept" | "accept4" | "sendto" | "recvfrom" | "sendmsg" | "sendmmsg" | "recvmsg" | "shutdown" | "splice"
        | "fstat" => &[Descriptor(0)],
        "copy_file_range" => &[Descriptor(0), Descriptor(2)],
        "mmap" => &[Descriptor(4)],
        "munmap" => &[Mapped(0)],
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
        let marks = marked(["unlinkat", "no_such_call"].into_iter(), ["close"].into_iter());
        let shown: Vec<(u32, u16)> = marks.iter().map(|one| (one.number, one.mark)).collect();
        assert_eq!(shown, [(number("unlinkat").expect("known"), 0), (number("close").expect("known"), 2)]);
    }
}
