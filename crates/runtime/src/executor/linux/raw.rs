//! The two calls that no safe interface offers.
#![allow(unsafe_code, reason = "signal masks and descriptors named by number have no safe interface")]

use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, RawFd};

use rustix::io::FdFlags;

/// Blocks every signal that can be blocked, for this thread and those it starts.
///
/// A guard must not end at the `SIGTERM` a service manager sends to everything in a unit: it ends when its
/// work is done. `std::process::Command` gives what it starts an empty mask again.
pub(super) fn block_signals() {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigfillset` initialises the set it is given, and `pthread_sigmask` only reads it; a null third
    // argument asks for nothing back. Neither can fail with these arguments.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut());
    }
}

/// Marks every descriptor but the three standard ones to be closed at the next `exec`.
///
/// Everything this program opens is marked already; this covers what it inherited itself. Only for a
/// process about to become another program: it changes descriptors it does not own.
pub(super) fn close_descriptors_at_exec() {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    let names = entries.flatten().map(|entry| entry.file_name());
    for descriptor in names.filter_map(|name| name.to_str()?.parse::<RawFd>().ok()) {
        if descriptor > 2 {
            // SAFETY: borrowed for one `fcntl`; a number that is no longer open (the listing's own) only makes
            // that call fail.
            let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
            let _ = rustix::io::fcntl_setfd(descriptor, FdFlags::CLOEXEC);
        }
    }
}
