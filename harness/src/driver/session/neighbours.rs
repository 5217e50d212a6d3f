//! Threads that only compute, beside an agent whose timing is to be disturbed.

use crate::model::Noise;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// Neighbours at work. Dropping them ends them.
#[derive(Debug)]
pub(super) struct Neighbours {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// One of the CPUs that this process may use, another each time.
pub(super) fn any_cpu() -> Option<usize> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let mine = sched_getaffinity(None).ok()?;
    let cpus: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| mine.is_set(*cpu)).collect();
    let next = NEXT.fetch_add(1, Ordering::Relaxed).checked_rem(cpus.len())?;
    cpus.get(next).copied()
}

impl Neighbours {
    /// As many as the noise says, on this CPU if one is given. Fewer where threads are
    /// refused: they only take time.
    pub(super) fn of(noise: Noise, cpu: Option<usize>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let spin = |over: Arc<AtomicBool>| {
            move || {
                if let Some(cpu) = cpu {
                    let mut set = CpuSet::new();
                    set.set(cpu);
                    let _ = sched_setaffinity(None, &set);
                }
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            }
        };
        let start = |_| {
            let thread = std::thread::Builder::new().name("quietus-busy".to_owned());
            thread.spawn(spin(Arc::clone(&over))).ok()
        };
        let threads = (0..noise.neighbours).filter_map(start).collect();
        Self { over, threads }
    }
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_run_until_they_are_dropped() {
        let noise = Noise { neighbours: 2, ..Noise::NONE };
        let neighbours = Neighbours::of(noise, any_cpu());
        let over = Arc::clone(&neighbours.over);
        assert!(neighbours.threads.iter().all(|thread| !thread.is_finished()));
        drop(neighbours);
        assert_eq!(Arc::strong_count(&over), 1, "no thread has it any more");
    }
}
