//! How the allocator of the C library is used by a process that holds large messages for a while, and then does not.

/// How glibc is told to keep memory, if it is glibc.
///
/// Left to itself, it raises the size from which blocks are taken from the system, and given back to it at once, to the
/// largest that was ever given back, up to 32 MiB, and keeps what lies below: after 500 clients that did not read 4 MB
/// each, 690 MiB of 1.2 GiB stayed with the process. With that size fixed, it gives back the end of its heaps whenever
/// 128 KiB of it are free: with answers of 256 KiB at each of them, for two to four times the processor time.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn give_back_large_blocks() {
    /// Blocks from this size on are the system's.
    const LARGE: i32 = 2 << 20;
    /// So much may be free at the end of a heap, of which there is about one for each thread.
    const SPARE: i32 = 4 << 20;
    for (what, bytes) in [(libc::M_MMAP_THRESHOLD, LARGE), (libc::M_TRIM_THRESHOLD, SPARE)] {
        #[expect(unsafe_code, reason = "the C library has no other way; any value is sound, at any time")]
        let set = unsafe { libc::mallopt(what, bytes) };
        if set == 0 {
            tracing::debug!(what, "the allocator keeps a bound of its own");
        }
    }
}

/// Other allocators have no such bounds.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back_large_blocks() {}
