//! The end of a terminal.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer};
use std::time::{Duration, Instant};

/// Closes the controlling side and returns once the terminal has hung up. A process that is
/// being started elsewhere, and has not closed yet what it inherited, puts that off by as long:
/// an agent would run on meanwhile. After a second somebody keeps it open for good.
pub(super) fn hang_up(control: OwnedFd) {
    hang_up_within(control, Duration::from_secs(1));
}

fn hang_up_within(control: OwnedFd, longest: Duration) {
    let side = ioctl_tiocgptpeer(&control, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
    drop(control);
    let Ok(side) = side else { return };
    let end = Instant::now() + longest;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        let mut polled = [PollFd::new(&side, PollFlags::empty())];
        let left = Timespec { tv_sec: left.as_secs() as _, tv_nsec: left.subsec_nanos().into() };
        // The controlling side is closed a moment before the terminal hangs up: that is an error.
        if poll(&mut polled, Some(&left)).is_ok_and(|found| found > 0 && polled[0].revents().contains(PollFlags::ERR)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn it_has_hung_up_when_this_returns() {
        for _ in 0..20 {
            let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
            let control = rustix::pty::openpt(flags).expect("a terminal");
            rustix::pty::unlockpt(&control).expect("its other side may be opened");
            let inherited = control.try_clone().expect("a copy");
            let closed = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    // Time for the other thread to close its own.
                    std::thread::yield_now();
                    closed.store(true, Ordering::SeqCst);
                    drop(inherited);
                });
                hang_up_within(control, Duration::from_secs(60));
                assert!(closed.load(Ordering::SeqCst));
            });
        }
    }
}
