//! How the program's allocator is set, where that is the GNU C library's.

/// Sizes from which memory is mapped apart and given back to the system when freed, in bytes. Left alone, the library
/// raises it to the largest it saw freed, up to 32 MiB: after one large request, others leave holes that nothing fits.
/// 300,000 hostile requests grew a control plane from 40 to 74 MiB, and so set from 34 to 47.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_FROM_BYTES: libc::c_int = 256 * 1024;

/// Bounds what one large request does to memory for the rest of a long life. Call before any thread is started.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "the C library's allocator has no safe interface")]
pub fn settle() {
    // SAFETY: mallopt(3) takes two integers and only sets the allocator's own parameter; no other thread runs yet. A
    // library that does not know the parameter ignores it, which leaves things as they were.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_FROM_BYTES);
    }
}

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn settle() {}
