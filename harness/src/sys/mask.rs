//! The signals that Quietus itself hears.

use rustix::io::Errno;

/// Unblocks signals for the calling thread and those it starts: a parent may
/// have left them blocked, and then nobody could stop Quietus but with KILL.
///
/// # Errors
/// EINVAL for a number that is no signal.
pub fn unblock(signals: &[i32]) -> Result<(), Errno> {
    // SAFETY: sigset_t is plain data, initialised by sigemptyset below.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is ours.
    unsafe { libc::sigemptyset(&raw mut set) };
    for signal in signals {
        // SAFETY: the set is initialised; a wrong number is refused.
        if unsafe { libc::sigaddset(&raw mut set, *signal) } < 0 {
            return Err(Errno::INVAL);
        }
    }
    // SAFETY: the set is initialised; the old one is not asked for.
    let errno = unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut()) };
    if errno == 0 { Ok(()) } else { Err(Errno::from_raw_os_error(errno)) }
}
