//! Registering the disk with SQLite: which files it holds, opening and deleting them.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int};
use std::ptr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rusqlite::ffi;

use super::file::{LossyFile, METHODS, RealFile};
use super::image::{Disk, Image};
use super::options::Options;

/// The process's disk.
pub(super) struct Lossy {
    pub(super) disk: Disk,
    /// SQLite's own file system.
    original: *mut ffi::sqlite3_vfs,
    /// By full path. An image outlives its last handle, like pages that were not written back.
    images: Mutex<BTreeMap<Vec<u8>, Arc<Mutex<Image>>>>,
}

// SAFETY: `original` points to SQLite's default file system, which is static and used from any thread.
unsafe impl Send for Lossy {}
// SAFETY: as above; it is only read.
unsafe impl Sync for Lossy {}

static LOSSY: OnceLock<Lossy> = OnceLock::new();

/// Makes the lossy disk SQLite's default file system for the rest of the process.
///
/// # Panics
///
/// When it is registered already, or SQLite refuses: a test that believes in power cuts must not run
/// without them.
pub fn register(options: Options) {
    // SAFETY: initialising twice is harmless; the default file system is static once it is.
    let original = unsafe {
        ffi::sqlite3_initialize();
        ffi::sqlite3_vfs_find(ptr::null())
    };
    assert!(!original.is_null(), "SQLite has a default file system");
    let lossy = Lossy { disk: Disk::new(options), original, images: Mutex::default() };
    assert!(LOSSY.set(lossy).is_ok(), "the lossy disk is registered once");
    // SAFETY: `original` is not null and static; the copy lives as long as the process, and its handles
    // are larger by what stands before the original's own.
    let code = unsafe {
        let mut vfs = *original;
        vfs.szOsFile += size_of::<LossyFile>() as c_int;
        vfs.pNext = ptr::null_mut();
        vfs.zName = c"tidegate-power-cut".as_ptr();
        vfs.xOpen = Some(open);
        vfs.xDelete = Some(delete);
        ffi::sqlite3_vfs_register(Box::leak(Box::new(vfs)), 1)
    };
    assert_eq!(code, ffi::SQLITE_OK, "SQLite accepts the lossy disk");
}

/// The disk, which exists once SQLite can call into it.
pub(super) fn lossy() -> &'static Lossy {
    LOSSY.get().expect("the disk is set before it is registered")
}

unsafe extern "C" fn open(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    const HELD: c_int = ffi::SQLITE_OPEN_MAIN_DB | ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL;
    let original = lossy().original;
    // SAFETY: SQLite gives `szOsFile` bytes for the handle, which is room for ours and, behind it, the
    // original's; files that are not held are opened as the original's from the first byte.
    unsafe {
        let Some(original_open) = (*original).xOpen else { return ffi::SQLITE_CANTOPEN };
        if name.is_null() || flags & HELD == 0 {
            return original_open(original, name, file, flags, out_flags);
        }
        let ours = file.cast::<LossyFile>();
        (*ours).base.pMethods = ptr::null();
        let real = RealFile::behind(ours);
        let code = original_open(original, name, real.0, flags, out_flags);
        if code != ffi::SQLITE_OK {
            return code;
        }
        match lossy().image(CStr::from_ptr(name).to_bytes(), &real) {
            Ok(image) => {
                ptr::write(ours, LossyFile::new(&METHODS, image));
                ffi::SQLITE_OK
            }
            Err(code) => {
                real.close();
                code
            }
        }
    }
}

unsafe extern "C" fn delete(_vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    // SAFETY: SQLite gives the full path that it gave to `open`.
    unsafe {
        let path = CStr::from_ptr(name).to_bytes();
        lossy().images.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
        let original = lossy().original;
        (*original).xDelete.map_or(ffi::SQLITE_IOERR_DELETE, |delete| delete(original, name, sync))
    }
}

impl Lossy {
    fn image(&self, path: &[u8], real: &RealFile) -> Result<Arc<Mutex<Image>>, i32> {
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(image) = images.get(path) {
            // Nobody has it open and the disk knows it all: the file may have been replaced meanwhile.
            let is_stale = Arc::strong_count(image) == 1
                && image.lock().unwrap_or_else(PoisonError::into_inner).is_synced();
            if !is_stale {
                return Ok(Arc::clone(image));
            }
        }
        let image = Arc::new(Mutex::new(Image::load(real)?));
        images.insert(path.to_owned(), Arc::clone(&image));
        Ok(image)
    }
}
