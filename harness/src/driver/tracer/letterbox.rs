//! Messages from one thread to another that waits with poll(2).

use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::sync::{Mutex, PoisonError};

/// Messages in the order they were put in, and an event that is readable while
/// there are any.
#[derive(Debug)]
pub(super) struct Letterbox<T> {
    letters: Mutex<Vec<T>>,
    told: OwnedFd,
}

impl<T> Letterbox<T> {
    pub(super) fn new() -> Result<Self, Errno> {
        let told = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { letters: Mutex::default(), told })
    }

    pub(super) fn put(&self, letter: T) {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
        let _ = rustix::io::write(&self.told, &1u64.to_ne_bytes());
    }

    /// All there are. The event goes first: a letter that comes while this looks is
    /// taken now or told anew. The other way round its event would be lost.
    pub(super) fn take(&self) -> Vec<T> {
        let _ = rustix::io::read(&self.told, &mut [0u8; 8]);
        std::mem::take(&mut *self.letters.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Readable while there are letters.
    pub(super) fn events(&self) -> BorrowedFd<'_> {
        self.told.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    /// Looking at the box at every moment of a letter's arrival loses none.
    #[test]
    fn no_letter_comes_unheard() {
        const LETTERS: u32 = 50_000;
        let post: Letterbox<u32> = Letterbox::new().expect("an event");
        let answers: Letterbox<()> = Letterbox::new().expect("an event");
        let heard = |of: BorrowedFd<'_>| {
            let mut watched = [PollFd::from_borrowed_fd(of, PollFlags::IN)];
            poll(&mut watched, Some(&Timespec { tv_sec: 60, tv_nsec: 0 })) == Ok(1)
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..LETTERS {
                    post.put(number);
                    // Each is answered before the next comes: one that is not heard is missed.
                    while answers.take().is_empty() {
                        if !heard(answers.events()) {
                            return;
                        }
                    }
                }
            });
            let (mut got, mut looks) = (Vec::new(), 0);
            while got.len() < LETTERS as usize {
                let letters = post.take();
                if letters.is_empty() {
                    looks += 1;
                    // A few looks first, so that looks and arrivals meet.
                    assert!(looks % 8 != 0 || heard(post.events()), "letter {} was not heard", got.len());
                } else {
                    got.extend(letters);
                    answers.put(());
                }
            }
            assert_eq!(got, (0..LETTERS).collect::<Vec<u32>>());
        });
    }
}
