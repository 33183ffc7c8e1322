//! What is asked of the system where no safe interface exists: each call takes and gives plain numbers.

use tokio::net::TcpStream;

/// Longest pause between two tries to send what the peer has not acknowledged, in milliseconds. The kernel's own limit
/// of two minutes means that a path which opens after an outage is noticed up to two minutes late.
#[cfg(target_os = "linux")]
const RETRY_MAX_MS: libc::c_int = 5_000;

/// Bounds the pause between repeated sends of a connection. Kernels before Linux 6.15 do not know the option, and keep
/// theirs.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "no library has this option of Linux 6.15 yet")]
pub(crate) fn bound_retry_pause(stream: &TcpStream) {
    use std::os::fd::AsRawFd as _;
    /// `TCP_RTO_MAX_MS` of linux/tcp.h.
    const TCP_RTO_MAX_MS: libc::c_int = 44;
    let pause_ms = RETRY_MAX_MS;
    // SAFETY: setsockopt(2) reads four bytes from a number that outlives the call; the descriptor is that of a socket
    // that `stream` keeps open.
    let set = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            TCP_RTO_MAX_MS,
            (&raw const pause_ms).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if set != 0 {
        tracing::trace!("the kernel does not know TCP_RTO_MAX_MS");
    }
}

/// Other systems have no such option.
#[cfg(not(target_os = "linux"))]
pub(crate) fn bound_retry_pause(_: &TcpStream) {}

/// Lets every other thread of the system go before this one.
#[cfg(target_os = "linux")]
pub(crate) fn give_way() {
    // Linux has a priority for each thread, and means the calling one by "this process". A lower one is never refused.
    let _ = rustix::process::setpriority_process(None, 15);
}

/// Elsewhere a priority belongs to the whole process.
#[cfg(not(target_os = "linux"))]
pub(crate) fn give_way() {}

/// Gives memory that was freed back to the system.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "the C library's allocator has no safe interface")]
pub(crate) fn give_memory_back() {
    // SAFETY: malloc_trim(3) takes a number, locks the allocator's own structures and touches no memory in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other allocators do so by themselves or not at all.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_memory_back() {}

/// Memory of the process that is in use, in bytes; `None`: the system does not say.
#[cfg(target_os = "linux")]
pub(crate) fn resident_bytes() -> Option<u64> {
    let pages: u64 = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Not asked elsewhere.
#[cfg(not(target_os = "linux"))]
pub(crate) fn resident_bytes() -> Option<u64> {
    None
}
