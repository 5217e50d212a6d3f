//! System calls by name, for a person who reads where a thread hangs.

/// The name of a system call of this architecture, or its number.
pub(crate) fn syscall_name(number: u32) -> String {
    syscalls::Sysno::new(number as usize).map_or_else(|| number.to_string(), |known| known.name().to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn known_calls_have_names() {
        let wait4 = u32::try_from(libc::SYS_wait4).expect("small");
        assert_eq!(super::syscall_name(wait4), "wait4");
        assert_eq!(super::syscall_name(99_999), "99999");
    }
}
