use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;

use super::content::SAMPLE_BYTES;
use super::*;

const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----\n";

/// A state directory, a control plane's data directory and a folder of logs.
struct Place {
    folder: tempfile::TempDir,
    files: Files,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        for name in ["state/below", "data", "logs"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        for name in [
            "state/state.db",
            "state/state.db-wal",
            "state/lock",
            "state/below/note",
            "data/tidegate.db",
            "data/cert.pem",
        ] {
            std::fs::write(folder.path().join(name), "plain text\n").unwrap();
        }
        std::fs::write(folder.path().join("logs/app.log"), "a line\n").unwrap();
        Self { files: Files::new(&Policy::default(), Some(&state)), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn opening(&self, opened: &str) -> Files {
        let allow_denied = Some(vec![self.path(opened).to_string_lossy().into_owned()]);
        Files::new(&Policy { allow_denied, ..Policy::default() }, Some(&self.path("state")))
    }
}

/// The same for every purpose that looks at content; by its path or identity a file is denied for all.
fn refusal_of_content(files: &Files, path: &Path) -> String {
    for purpose in [Purpose::Facts, Purpose::Content, Purpose::Gunzipped] {
        match files.open(path, purpose) {
            Err(NotOpened::Denied(denied)) if purpose == Purpose::Gunzipped => return denied.to_string(),
            Err(NotOpened::Denied(_)) => {}
            other => panic!("`{}` for {purpose:?}: {other:?}", path.display()),
        }
    }
    unreachable!()
}

fn refusal(files: &Files, path: &Path) -> String {
    let place = files.open(path, Purpose::Place);
    assert!(matches!(place, Err(NotOpened::Denied(_))), "`{}`: {place:?}", path.display());
    refusal_of_content(files, path)
}

fn is_read(files: &Files, path: &Path) -> bool {
    files.open(path, Purpose::Content).is_ok_and(|file| !file.read_range(0, 100).unwrap().is_empty())
}

#[test]
fn nothing_reads_the_state_directory_by_any_name() {
    let place = Place::new();
    std::fs::hard_link(place.path("state/state.db"), place.path("logs/linked")).unwrap();
    std::fs::hard_link(place.path("state/below/note"), place.path("logs/deep")).unwrap();
    symlink(place.path("state/state.db-wal"), place.path("logs/symbolic")).unwrap();
    symlink(place.path("state"), place.path("logs/folder")).unwrap();
    let held = File::open(place.path("state/lock")).unwrap();
    let mut paths: Vec<PathBuf> = [
        "state",
        "state/state.db",
        "state/below",
        "state/below/note",
        "logs/linked",
        "logs/deep",
        "logs/symbolic",
        "logs/folder/state.db",
        "logs/../state/lock",
        "data",
        "data/tidegate.db",
        "data/cert.pem",
    ]
    .map(|name| place.path(name))
    .into();
    paths.push(format!("/proc/self/fd/{}", held.as_raw_fd()).into());
    paths.push(format!("/dev/fd/{}", held.as_raw_fd()).into());
    paths.push(Path::new("/proc/self/root").join(place.path("state/state.db").strip_prefix("/").unwrap()));
    for path in &paths {
        assert!(refusal(&place.files, path).ends_with("no policy can allow it"), "{}", path.display());
    }
    let opening = place.opening("");
    assert!(refusal(&opening, &paths[1]).ends_with("no policy can allow it"));
    assert!(is_read(&place.files, &place.path("logs/app.log")));
}

#[test]
fn a_denied_file_is_denied_by_its_other_names_and_opened_by_enrolment() {
    let place = Place::new();
    for path in ["/etc/shadow", "/etc/gshadow"].map(Path::new).into_iter().filter(|path| path.exists()) {
        let words = refusal(&place.files, path);
        assert!(words.contains(&format!("--allow-denied {}", path.display())), "{words}");
        let link = place.path("logs").join(path.file_name().unwrap());
        // Another device has no hard links to it.
        if std::fs::hard_link(path, &link).is_ok() {
            assert!(refusal(&place.files, &link).contains("hard link"));
        }
    }
    std::fs::create_dir_all(place.path("root/etc/ssl/private")).unwrap();
    std::fs::write(place.path("root/etc/ssl/private/server.pem"), "not a key\n").unwrap();
    let path = place.path("root/etc/ssl/private/server.pem");
    assert!(refusal(&place.files, &path).contains("private keys"));
    assert!(is_read(&place.opening("root/etc/ssl/private"), &path));
    assert!(!is_read(&place.opening("root/etc/shadow"), &path));
}

#[test]
fn a_hard_link_does_not_lead_out_of_the_allowed_folders() {
    let place = Place::new();
    std::fs::write(place.path("outside"), "secret\n").unwrap();
    std::fs::hard_link(place.path("outside"), place.path("logs/linked")).unwrap();
    let folder = place.path("logs").to_string_lossy().into_owned();
    let paths = Some(vec![folder.clone()]);
    let narrow = Files::new(&Policy { paths: paths.clone(), ..Policy::default() }, None);
    assert!(refusal(&narrow, &place.path("logs/linked")).contains("2 names"));
    assert!(
        is_read(&narrow, &place.path("logs/app.log")) && is_read(&place.files, &place.path("logs/linked"))
    );
    let allow_denied = Some(vec![format!("{folder}/linked")]);
    let opened = Files::new(&Policy { paths, allow_denied, ..Policy::default() }, None);
    assert!(is_read(&opened, &place.path("logs/linked")));
}

#[test]
fn keys_and_databases_are_denied_wherever_they_were_copied_to() {
    let place = Place::new();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(KEY.as_bytes()).unwrap();
    for (name, content) in [
        ("key.pem", KEY.as_bytes()),
        ("key.pem.gz", &gzip.finish().unwrap()),
        ("copy", b"SQLite format 3\0\x10\x00"),
        ("copy-wal", b"\x37\x7f\x06\x83\x00\x2d\xe2\x18"),
        ("copy-journal", b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"),
        ("backup.txt", b"root:$6$abcdefgh$xyz:19000:0:99999:7:::\n"),
    ] {
        let path = place.path("logs").join(name);
        std::fs::write(&path, content).unwrap();
        assert!(refusal_of_content(&place.files, &path).contains("--allow-denied"), "{name}");
        assert!(place.opening("logs").open(&path, Purpose::Facts).is_ok(), "{name}");
    }
    std::fs::write(place.path("logs/identity.json"), r#"{"signing_seed":[1,2,3]}"#).unwrap();
    assert!(
        refusal_of_content(&place.opening("logs"), &place.path("logs/identity.json"))
            .ends_with("no policy can allow it")
    );
}

#[test]
fn a_key_deep_in_a_log_is_denied_when_it_is_read_and_not_before() {
    let place = Place::new();
    let path = place.path("logs/long.log");
    let filler = "a line of a log\n".repeat(SAMPLE_BYTES / 8);
    std::fs::write(&path, format!("{filler}{KEY}{filler}")).unwrap();
    let file = place.files.open(&path, Purpose::Content).unwrap();
    assert_eq!(file.read_range(0, 16).unwrap(), b"a line of a log\n");
    let at = filler.len() as u64;
    // Wherever the read begins or ends within the marker.
    for offset in [at - 20, at, at + 5, at + 20] {
        for length in [1, 12, 64] {
            let error = file.read_range(offset, length).unwrap_err();
            assert!(denied_in(&error).is_some(), "{offset} {length}: {error}");
        }
    }
    // Its last line is as near as its first.
    let end = at + KEY.len() as u64;
    assert!(file.read_range(end + 20_000, 16).is_err());
    assert!(file.read_range(end + 40_000, 16).is_ok());
}

#[test]
fn what_is_compressed_is_read_only_by_the_reader_that_judges_its_content() {
    let place = Place::new();
    let packed = |name: &str, content: &str| {
        let path = place.path("logs").join(name);
        let mut gzip =
            flate2::write::GzEncoder::new(File::create(&path).unwrap(), flate2::Compression::default());
        gzip.write_all(content.as_bytes()).unwrap();
        gzip.finish().unwrap();
        path
    };
    let lines = "a line of a log\n".repeat(SAMPLE_BYTES / 8);
    let plain = packed("plain.gz", &lines);
    assert!(matches!(place.files.open(&plain, Purpose::Content), Err(NotOpened::Denied(_))));
    let file = place.files.open(&plain, Purpose::Gunzipped).unwrap();
    let mut read = String::new();
    file.gunzip(1 << 20).read_to_string(&mut read).unwrap();
    assert_eq!(read, lines);
    let mut read = Vec::new();
    file.gunzip(100).read_to_end(&mut read).unwrap();
    assert_eq!(read.len(), 100, "it is bounded");
    let deep = packed("deep.gz", &format!("{lines}{KEY}"));
    let file = place.files.open(&deep, Purpose::Gunzipped).unwrap();
    let error = file.gunzip(1 << 20).read_to_end(&mut Vec::new()).unwrap_err();
    assert!(denied_in(&error).is_some(), "{error}");
    std::fs::write(place.path("logs/x.xz"), b"\xfd7zXZ\0...").unwrap();
    for purpose in [Purpose::Content, Purpose::Gunzipped] {
        assert!(matches!(place.files.open(&place.path("logs/x.xz"), purpose), Err(NotOpened::Denied(_))));
    }
    assert!(place.files.open(&place.path("logs/x.xz"), Purpose::Facts).is_ok());
}

#[test]
fn of_processes_and_the_kernel_nothing_secret_is_read() {
    let place = Place::new();
    for path in [
        "/proc/self/environ",
        "/proc/self/mem",
        "/proc/1/cmdline",
        "/proc/thread-self/environ",
        "/proc/self/maps",
    ] {
        assert!(refusal(&place.files, Path::new(path)).contains("a process"), "{path}");
    }
    for path in ["/proc/meminfo", "/proc/net/dev", "/proc/mounts"] {
        assert!(is_read(&place.files, Path::new(path)), "{path}");
    }
}
