//! How the allocator of the C library is used by a process that holds large messages and many connections for a while, and
//! then does not.
//!
//! Other allocators than glibc's have neither its bounds nor its ways: there, nothing of this does anything.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) use glibc::{give_back_large_blocks, give_back_what_is_spare};

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back_large_blocks() {}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back_what_is_spare() {}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    use std::time::Duration;
    use std::{fs, thread};

    /// How often is looked whether there is much to give back.
    const EVERY: Duration = Duration::from_secs(5);
    /// From how many bytes on that is worth its while.
    const WORTH: u64 = 8 << 20;

    /// How glibc is told to keep memory.
    ///
    /// Left to itself, it raises the size from which blocks are taken from the system, and given back to it at once, to the
    /// largest that was ever given back, up to 32 MiB, and keeps what lies below: after 500 clients that did not read 4 MB
    /// each, 690 MiB of 1.2 GiB stayed with the process. With that size fixed, it gives back the end of its heaps whenever
    /// 128 KiB of it are free: with answers of 256 KiB at each of them, for two to four times the processor time.
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

    /// Gives back, as long as the process lives, what is free between blocks in use: of itself glibc gives back the ends of its
    /// heaps alone. What 10,000 connections had for buffers stayed with the process after they had gone, 18 KiB for each,
    /// for the little that their sessions keep lies in between.
    pub(crate) fn give_back_what_is_spare() {
        let watch = move || {
            // What cannot be given back, for it lies in pages in use.
            let mut kept = 0_u64;
            loop {
                thread::sleep(EVERY);
                let Some(found) = spare() else { return };
                if found > kept.saturating_add(WORTH) {
                    trim();
                    kept = spare().unwrap_or(found);
                    tracing::debug!(bytes = found.saturating_sub(kept), "memory was given back");
                } else {
                    kept = kept.min(found);
                }
            }
        };
        if let Err(error) = thread::Builder::new().name("memory".into()).stack_size(64 << 10).spawn(watch) {
            tracing::warn!(%error, "memory that was used once stays with the process");
        }
    }

    /// The bytes that the process has of the system, and nobody of the allocator. `None` where the system does not say.
    fn spare() -> Option<u64> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let resident = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
        let kib: u64 = resident.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
        #[expect(unsafe_code, reason = "the C library has no other way; it only reads")]
        let info = unsafe { libc::mallinfo2() };
        let used = info.uordblks.saturating_add(info.hblkhd);
        Some(kib.saturating_mul(1024).saturating_sub(used as u64))
    }

    fn trim() {
        #[expect(unsafe_code, reason = "the C library has no other way; blocks in use stay where they are")]
        let _given_back = unsafe { libc::malloc_trim(0) };
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn what_lies_free_between_blocks_in_use_is_given_back() {
            const BLOCKS: usize = 4_000;
            let pairs: Vec<_> = (0..BLOCKS).map(|_| (vec![1_u8; 16 << 10], Box::new([1_u8; 64]))).collect();
            let before = spare().unwrap();
            let kept: Vec<_> = pairs.into_iter().map(|(_buffer, kept)| kept).collect();
            let freed = spare().unwrap();
            assert!(freed > before + (32 << 20), "the allocator has kept it: {before}, {freed}");
            trim();
            let after = spare().unwrap();
            assert!(after < freed - (32 << 20), "{freed}, {after}");
            assert_eq!(kept.len(), BLOCKS);
        }
    }
}
