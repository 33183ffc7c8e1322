//! One open file: SQLite's calls, answered from the image or handed to the real file.

use std::ffi::{c_int, c_void};
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::ffi;

use super::image::{Image, Real};
use super::vfs::lossy;

/// Our handle; the original file system's stands directly behind it.
/// Two pointers long, which keeps the eight-byte alignment that SQLite gives handles.
#[repr(C)]
pub(super) struct LossyFile {
    /// What SQLite sees; it comes first.
    pub(super) base: ffi::sqlite3_file,
    image: Arc<Mutex<Image>>,
}

impl LossyFile {
    pub(super) fn new(methods: &'static ffi::sqlite3_io_methods, image: Arc<Mutex<Image>>) -> Self {
        Self { base: ffi::sqlite3_file { pMethods: methods }, image }
    }

    fn image(&self) -> MutexGuard<'_, Image> {
        self.image.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The original file system's handle.
pub(super) struct RealFile(pub(super) *mut ffi::sqlite3_file);

/// The method `$name` of the real file; its absence is an I/O error.
macro_rules! forward {
    ($file:expr, $name:ident $(, $argument:expr)*) => {
        match (*(*$file).pMethods).$name {
            Some(method) => method($file $(, $argument)*),
            None => ffi::SQLITE_IOERR,
        }
    };
}

impl RealFile {
    /// The handle behind ours.
    ///
    /// # Safety
    ///
    /// `file` has room for both.
    pub(super) unsafe fn behind(file: *mut LossyFile) -> Self {
        // SAFETY: the caller says that the memory goes on.
        Self(unsafe { file.add(1) }.cast())
    }

    pub(super) fn close(&self) -> c_int {
        // SAFETY: the handle was opened by the original file system.
        unsafe { forward!(self.0, xClose) }
    }
}

impl Real for RealFile {
    fn load(&self) -> Result<Vec<u8>, i32> {
        let mut size = 0;
        // SAFETY: the handle is open, and the buffer as large as said.
        unsafe {
            ok(forward!(self.0, xFileSize, &mut size))?;
            let mut content = vec![0_u8; size as usize];
            if !content.is_empty() {
                ok(forward!(self.0, xRead, content.as_mut_ptr().cast(), content.len() as c_int, 0))?;
            }
            Ok(content)
        }
    }

    fn write(&self, offset: usize, bytes: &[u8]) -> Result<(), i32> {
        // SAFETY: the handle is open, and the bytes as many as said.
        ok(unsafe { forward!(self.0, xWrite, bytes.as_ptr().cast(), bytes.len() as c_int, offset as i64) })
    }

    fn truncate(&self, size: usize) -> Result<(), i32> {
        // SAFETY: the handle is open.
        ok(unsafe { forward!(self.0, xTruncate, size as i64) })
    }
}

/// Version 2: shared memory, no memory-mapped reads, which would not see the image.
pub(super) static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Our handle and the real one.
///
/// # Safety
///
/// `file` was opened by us and is not closed.
unsafe fn parts<'a>(file: *mut ffi::sqlite3_file) -> (&'a LossyFile, RealFile) {
    let ours = file.cast::<LossyFile>();
    // SAFETY: the caller says that the handle is ours, so it is followed by the real one.
    unsafe { (&*ours, RealFile::behind(ours)) }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a handle of ours once, and its memory is not used again.
    unsafe {
        let ours = file.cast::<LossyFile>();
        let code = RealFile::behind(ours).close();
        std::ptr::drop_in_place(ours);
        code
    }
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, to: *mut c_void, count: c_int, offset: i64) -> c_int {
    // SAFETY: the handle is ours, and SQLite's buffer holds `count` bytes.
    let (ours, buffer) =
        unsafe { (parts(file).0, slice::from_raw_parts_mut(to.cast::<u8>(), count as usize)) };
    if ours.image().read(offset as usize, buffer) { ffi::SQLITE_OK } else { ffi::SQLITE_IOERR_SHORT_READ }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    count: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: the handle is ours, and SQLite gives `count` bytes.
    let ((ours, real), bytes) =
        unsafe { (parts(file), slice::from_raw_parts(from.cast::<u8>(), count as usize)) };
    code(ours.image().write(&lossy().disk, &real, offset as usize, bytes))
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: the handle is ours.
    let (ours, real) = unsafe { parts(file) };
    code(ours.image().truncate(&lossy().disk, &real, size as usize))
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: the handle is ours.
    let (ours, real) = unsafe { parts(file) };
    code(ours.image().sync(&lossy().disk, &real))
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    // SAFETY: the handle is ours, and SQLite waits for the size.
    unsafe { *size = parts(file).0.image().size() as i64 };
    ffi::SQLITE_OK
}

/// Claims nothing: no atomic writes, no order, and neighbours of a write may be torn with it.
unsafe extern "C" fn device_characteristics(_file: *mut ffi::sqlite3_file) -> c_int {
    0
}

/// A call that concerns locks and shared memory, which a power cut empties by itself.
macro_rules! forwarded {
    ($($function:ident => $method:ident ($($argument:ident: $kind:ty),*);)*) => { $(
        unsafe extern "C" fn $function(file: *mut ffi::sqlite3_file $(, $argument: $kind)*) -> c_int {
            // SAFETY: the handle is ours, and the real one takes the same arguments.
            unsafe { forward!(parts(file).1.0, $method $(, $argument)*) }
        }
    )* };
}

forwarded! {
    lock => xLock(level: c_int);
    unlock => xUnlock(level: c_int);
    check_reserved_lock => xCheckReservedLock(answer: *mut c_int);
    file_control => xFileControl(operation: c_int, argument: *mut c_void);
    sector_size => xSectorSize();
    shm_map => xShmMap(page: c_int, size: c_int, extend: c_int, to: *mut *mut c_void);
    shm_lock => xShmLock(offset: c_int, count: c_int, flags: c_int);
    shm_unmap => xShmUnmap(delete: c_int);
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: the handle is ours.
    unsafe {
        let real = parts(file).1.0;
        if let Some(barrier) = (*(*real).pMethods).xShmBarrier {
            barrier(real);
        }
    }
}

fn ok(code: c_int) -> Result<(), i32> {
    if code == ffi::SQLITE_OK { Ok(()) } else { Err(code) }
}

fn code(answer: Result<(), i32>) -> c_int {
    answer.err().unwrap_or(ffi::SQLITE_OK)
}
