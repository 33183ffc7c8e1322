//! File systems: which are mounted (proc(5), mountinfo), and how full they are (statvfs(3)).

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::fs::{StatVfs, StatVfsMountFlags};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::files::{Files, NotOpened, Purpose};
use crate::probes::disk_usage::{FileSystem, Usage};
use crate::probes::masked::masked_url;

/// Most file systems told.
const MOUNTS_MAX: usize = 128;
/// How long a file system may take to answer. One behind a network that is gone never does.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most questions at a time, those of earlier steps that hang included: each keeps a thread until it is answered. Beyond
/// it nothing is asked, which is told.
const QUESTIONS_MAX: usize = MOUNTS_MAX + 32;
/// Of such a thread.
const STACK_BYTES: usize = 256 * 1024;
/// What the kernel and programs show as files without storing anything.
const PSEUDO: [&str; 26] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fuse.gvfsd-fuse",
    "fuse.lxcfs",
    "fuse.portal",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nsfs",
    "proc",
    "pstore",
    "ramfs",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "sysfs",
    "tracefs",
    "none",
];

/// One line of mountinfo.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    device: String,
    point: PathBuf,
    kind: String,
    source: String,
}

/// The file systems that store something, each once, at its shortest mount point.
pub(in crate::probes) async fn file_systems() -> io::Result<Vec<FileSystem>> {
    let text = fs::read_to_string("/proc/self/mountinfo")?;
    let ask = |mount: Mount| {
        let point = mount.point.clone();
        (aside(move || rustix::fs::statvfs(&point).map(|stat| usage(&stat)).map_err(io::Error::from)), mount)
    };
    let asked: Vec<_> = mounts(&text).into_iter().map(ask).collect();
    let mut found = Vec::new();
    for (answer, mount) in asked {
        let usage = match timeout(PATIENCE, answer).await {
            Ok(Ok(Ok(usage))) => Ok(usage),
            Ok(Ok(Err(error))) => Err(error.to_string()),
            Ok(Err(_)) => Err("not asked: too many file systems have not answered yet".to_owned()),
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        };
        if !usage.as_ref().is_ok_and(|usage| usage.total_bytes == 0) {
            found.push(file_system(mount, usage));
        }
    }
    Ok(found)
}

/// The file system that holds `path`, links resolved, if a check may look there.
pub(in crate::probes) async fn file_system_of(
    path: PathBuf,
    files: Arc<Files>,
) -> Result<FileSystem, NotOpened> {
    let looked = aside(move || {
        let checked = files.open(&path, Purpose::Place)?;
        let file = checked.untouched();
        let usage = usage(&rustix::fs::fstatvfs(file).map_err(io::Error::from)?);
        Ok((mount_of(file, checked.real_path())?, usage))
    });
    // One that hangs is given up by the step's own limit.
    let found: Result<(Mount, Usage), NotOpened> = looked
        .await
        .unwrap_or_else(|_| Err(io::Error::other("too many file systems have not answered yet").into()));
    found.map(|(mount, usage)| file_system(mount, Ok(usage)))
}

fn mount_of(file: &File, real: &Path) -> io::Result<Mount> {
    use std::os::unix::fs::MetadataExt;
    let device = file.metadata()?.dev();
    let device = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    let text = fs::read_to_string("/proc/self/mountinfo")?;
    let all = text.lines().filter_map(mount);
    // btrfs has numbers of its own for its parts, which mountinfo does not list: then the place alone decides.
    let holding = all.filter(|mount| real.starts_with(&mount.point));
    let best = holding.max_by_key(|mount| (mount.device == device, mount.point.as_os_str().len()));
    best.ok_or_else(|| io::Error::other("the kernel does not say what it is mounted from"))
}

/// Works on a thread of its own: one of tokio's that hangs would be waited for when the program ends. The sender is gone
/// where there is no thread to be had.
fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
    static QUESTIONS: AtomicUsize = AtomicUsize::new(0);
    let (answer, answered) = oneshot::channel();
    let before = QUESTIONS.fetch_add(1, Ordering::Relaxed);
    let running = Running(&QUESTIONS);
    if before < QUESTIONS_MAX {
        let _ = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
            let _running = running;
            // Nobody waits any more where it took too long.
            let _ = answer.send(work());
        });
    }
    answered
}

struct Running(&'static AtomicUsize);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn usage(stat: &StatVfs) -> Usage {
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Usage {
        total_bytes: bytes(stat.f_blocks),
        used_bytes: bytes(stat.f_blocks.saturating_sub(stat.f_bfree)),
        available_bytes: bytes(stat.f_bavail),
        inodes_total: stat.f_files,
        inodes_used: stat.f_files.saturating_sub(stat.f_ffree),
        is_read_only: stat.f_flag.contains(StatVfsMountFlags::RDONLY),
    }
}

fn file_system(mount: Mount, usage: Result<Usage, String>) -> FileSystem {
    // The source of a share or of a FUSE file system can hold a password.
    let source = masked_url(&mount.source);
    FileSystem::new(mount.point.to_string_lossy().into_owned(), mount.kind, source, usage)
}

fn mounts(text: &str) -> Vec<Mount> {
    // A later mount on the same place hides the earlier one.
    let mut by_point: HashMap<PathBuf, Mount> = HashMap::new();
    for mount in text.lines().filter_map(mount) {
        by_point.insert(mount.point.clone(), mount);
    }
    let mut mounts: Vec<Mount> =
        by_point.into_values().filter(|mount| !PSEUDO.contains(&mount.kind.as_str())).collect();
    mounts.sort_by(|a, b| (a.point.as_os_str().len(), &a.point).cmp(&(b.point.as_os_str().len(), &b.point)));
    let mut devices = Vec::new();
    mounts.retain(|mount| {
        let is_first = !devices.contains(&mount.device);
        devices.push(mount.device.clone());
        is_first
    });
    mounts.truncate(MOUNTS_MAX);
    mounts
}

/// Fields: id, parent, device, root, mount point, options, any number of others, `-`, type, source, options.
fn mount(line: &str) -> Option<Mount> {
    let (place, rest) = line.split_once(" - ")?;
    let (mut place, mut rest) = (place.split(' '), rest.split(' '));
    let (device, point) = (place.nth(2)?.to_owned(), PathBuf::from(unescaped(place.nth(1)?)));
    Some(Mount { device, point, kind: rest.next()?.to_owned(), source: unescaped(rest.next()?) })
}

/// Spaces, tabs, line feeds and backslashes are written as octal numbers.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let octal =
            behind.get(..3).filter(|_| *first == b'\\').and_then(|digits| str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[3..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_stores_something_is_told_once() {
        let text = "22 27 0:21 / /proc rw - proc proc rw\n\
                    27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
                    30 27 254:0 /srv /var/lib/app rw - ext4 /dev/vda rw\n\
                    31 27 8:1 / /mnt/a\\040b rw - vfat /dev/sda1 rw\n\
                    32 27 8:2 / /mnt/a\\040b rw - xfs /dev/sdb1 rw\n\
                    broken line\n";
        let told: Vec<_> = mounts(text).into_iter().map(|mount| (mount.point, mount.kind)).collect();
        let wanted = [("/", "ext4"), ("/mnt/a b", "xfs")];
        assert_eq!(told, wanted.map(|(point, kind)| (PathBuf::from(point), kind.to_owned())));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn this_machine_has_a_file_system_that_the_test_is_on() {
        let here = std::env::current_dir().unwrap();
        let files = Arc::new(Files::default());
        let found = file_system_of(here.clone(), files.clone()).await.unwrap();
        assert!(here.starts_with(&found.mount_point), "{found:?}");
        let usage = found.usage.unwrap();
        assert!(usage.total_bytes >= usage.used_bytes && usage.used_bytes > 0, "{usage:?}");
        let elsewhere =
            tidegate_core::wire::Policy { paths: Some(vec!["/usr".into()]), ..Default::default() };
        let elsewhere = Arc::new(Files::new(&elsewhere, None));
        assert!(matches!(file_system_of(here, elsewhere).await, Err(NotOpened::Denied(_))));
        assert!(file_system_of("/no/such/place".into(), files).await.is_err());
        assert!(!file_systems().await.unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_skipped(line in any::<String>(), fields in "([0-9a-z:/\\\\]{0,9} ){0,9}- ([a-z\\\\0-9]{0,5} ?){0,4}") {
            let _ = (mounts(&line), mounts(&fields), unescaped(&line));
        }
    }
}
