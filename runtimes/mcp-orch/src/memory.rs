//! How the allocator of the C library is used by a process that holds large messages for a while, and then does not.

/// From this size on memory is taken from the system and given back to it at once.
///
/// Left to itself, glibc raises the bound to the largest block that was ever given back, up to 32 MiB, and keeps what lies
/// below: after 500 clients that did not read 4 MB each, 690 MiB of 1.2 GiB stayed with the process.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn give_back_large_blocks() {
    const LARGE: i32 = 512 * 1024;
    #[expect(unsafe_code, reason = "the C library has no other way; any value is sound, at any time")]
    let set = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
    if set == 0 {
        tracing::debug!("the allocator keeps its own bound for large blocks");
    }
}

/// Other allocators have no such bound.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back_large_blocks() {}
