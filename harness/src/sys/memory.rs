//! The memory of our own process.

/// Gives memory that is free back to the system. Whatever a cell is started from is
/// copied by fork(2), page table by page table: memory that is kept makes every trial
/// after it slower.
pub fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes a number; looks for free pages under the allocator's own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}
