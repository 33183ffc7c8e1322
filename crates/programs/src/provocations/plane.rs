//! What keeps a control plane from starting, and an operator's commands from being done.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::book::{Book, Contents, program, text};
use super::{front, protected};
use crate::harness::{Certificates, ControlPlane, Validity, World, binary, free_port};

pub(super) const CODES: &[&str] = &[
    "port_in_use",
    "address_unusable",
    "tls_files_unusable",
    "no_owner",
    "owner_exists",
    "root_key_misplaced",
    "root_key_unusable",
    "order_key_unusable",
    "backup_key_outdated",
    "data_directory_in_use",
    "data_directory_not_writable",
    "data_directory_open",
    "data_directory_newer",
    "data_directory_damaged",
    "disk_full",
    "backup_unusable",
    "restore_interrupted",
    "backup_without_keys",
    "backup_encrypted",
    "age_key_unusable",
    "file_not_written",
    "invalid_request",
    "not_found",
];

pub(super) struct Machine {
    world: World,
    tidegate: PathBuf,
    /// A data directory with an owner that nobody serves.
    pub(super) idle: ControlPlane,
}

pub(super) fn provoke(book: &mut Book) -> anyhow::Result<()> {
    let world = World::new()?;
    let tidegate = binary("tidegate")?;
    let folder = world.directory.path().join("idle");
    fs::create_dir(&folder)?;
    let idle = ControlPlane::create(&folder, &tidegate)?;
    let machine = Machine { world, tidegate, idle };
    keys(book, &machine)?;
    let before = Contents::of(&machine.idle.data)?;
    addresses(book, &machine)?;
    tls(book, &machine)?;
    owners(book, &machine)?;
    directories(book, &machine)?;
    backups(book, &machine)?;
    protected::provoke(book, &machine)?;
    before.still_in(&machine.idle.data)?;
    ensure!(machine.world.api.status("/readyz")? == 200, "the control plane that runs is undisturbed");
    Ok(())
}

impl Machine {
    pub(super) fn folder(&self) -> &Path {
        self.world.directory.path()
    }

    pub(super) fn tidegate(&self, words: &[&str]) -> Command {
        let mut command = program(&self.tidegate);
        command.args(words).current_dir(self.folder());
        command
    }

    fn serve(&self, data: &Path, words: &[&str]) -> anyhow::Result<Command> {
        let listen = format!("127.0.0.1:{}", free_port()?);
        let mut command = self.tidegate(&["serve", "--data", &text(data)]);
        // Where a case names its own address, that one counts.
        if !words.contains(&"--listen") {
            command.args(["--listen", &listen]);
        }
        command.args(words);
        Ok(command)
    }

    /// A copy of the idle data directory, to be broken.
    pub(super) fn copy(&self, name: &str) -> anyhow::Result<PathBuf> {
        let copy = self.folder().join(name);
        let copied = Command::new("cp").arg("-a").arg(&self.idle.data).arg(&copy).status()?;
        ensure!(copied.success(), "`{}` cannot be copied", self.idle.data.display());
        Ok(copy)
    }
}

fn addresses(book: &mut Book, machine: &Machine) -> anyhow::Result<()> {
    let taken = format!("127.0.0.1:{}", machine.world.plane.port());
    let data = &machine.idle.data;
    let mut serve = machine.serve(data, &["--listen", &taken])?;
    book.command(
        "port_in_use",
        "a port that another program has",
        &mut serve,
        4,
        &[&taken, "--listen", "ss -ltnp"],
    )?;
    let mut serve = machine.serve(data, &["--runtime-listen", &taken])?;
    let how = "the same for machines alone";
    book.command("port_in_use", how, &mut serve, 4, &[&taken, "--runtime-listen"])?;
    let mut serve = machine.serve(data, &["--listen", "192.0.2.7:8080"])?;
    let how = "an address of another machine";
    book.command("address_unusable", how, &mut serve, 4, &["192.0.2.7:8080", "ip address"])
}

fn tls(book: &mut Book, machine: &Machine) -> anyhow::Result<()> {
    let certificates = Certificates::new(machine.folder(), "plant")?;
    let (one, other) = (
        certificates.issue(&["localhost"], Validity::Now)?,
        certificates.issue(&["localhost"], Validity::Now)?,
    );
    let empty = machine.folder().join("empty.pem");
    fs::write(&empty, "")?;
    for (how, cert, key, says) in [
        (
            "a certificate that is not there",
            Path::new("/no/such/chain.pem"),
            one.key.as_path(),
            "/no/such/chain.pem",
        ),
        ("a file without a certificate", &empty, &one.key, "no certificate"),
        ("a file without a key", &one.cert, &empty, "private key"),
        ("the key of another certificate", &one.cert, &other.key, "key"),
    ] {
        let mut serve =
            machine.serve(&machine.idle.data, &["--tls-cert", &text(cert), "--tls-key", &text(key)])?;
        book.command(
            "tls_files_unusable",
            how,
            &mut serve,
            4,
            &[says, &text(cert), &text(key), "--tls-key"],
        )?;
    }
    Ok(())
}

fn owners(book: &mut Book, machine: &Machine) -> anyhow::Result<()> {
    let nothing = machine.folder().join("nothing");
    let mut serve = machine.serve(&nothing, &[])?;
    let parts = [text(&nothing), "tidegate admin owner --data".to_owned()];
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    book.command("no_owner", "a data directory that is not there", &mut serve, 4, &parts)?;
    let mut token = machine.tidegate(&["admin", "token", "--data", parts[0], "--email", "kim@example.com"]);
    book.command("no_owner", "a token for nobody's directory", &mut token, 4, &parts)?;
    ensure!(!nothing.exists(), "nothing was made");

    let owner = |data: &str, key: &str, email: &str| {
        machine.tidegate(&["admin", "owner", "--data", data, "--root-key", key, "--email", email])
    };
    let (idle, key) = (text(&machine.idle.data), text(&machine.folder().join("second.pem")));
    let how = "a second owner";
    book.command(
        "owner_exists",
        how,
        &mut owner(&idle, &key, "kim@example.com"),
        4,
        &[&idle, "tidegate admin token"],
    )?;
    ensure!(!Path::new(&key).exists(), "no root key was made");
    let fresh = text(&machine.folder().join("fresh"));
    for (how, place) in [
        ("a root key over another file", text(&machine.folder().join("plant-ca.pem"))),
        ("a root key beside the database", format!("{fresh}/root.pem")),
        ("a root key in a folder that is not there", "/no/such/folder/root.pem".to_owned()),
    ] {
        let mut owner = owner(&fresh, &place, "kim@example.com");
        book.command(
            "root_key_misplaced",
            how,
            &mut owner,
            4,
            &["--root-key", place.rsplit_once('/').map_or("", |parts| parts.0)],
        )?;
    }
    let mut nobody = owner(&fresh, &key, "kim");
    let how = "an owner without an address";
    book.command("invalid_request", how, &mut nobody, 4, &["name@example.com"])?;
    ensure!(!Path::new(&key).exists(), "no root key was made for nobody");
    let mut token = machine.tidegate(&["admin", "token", "--data", &idle, "--email", "nobody@example.com"]);
    let how = "a token for somebody who is not there";
    book.command("not_found", how, &mut token, 4, &["nobody@example.com"])
}

fn directories(book: &mut Book, machine: &Machine) -> anyhow::Result<()> {
    let served = &machine.world.plane.data;
    let in_use = [text(served), "another".into()];
    let in_use: Vec<&str> = in_use.iter().map(String::as_str).collect();
    let how = "a second control plane on one data directory";
    book.command("data_directory_in_use", how, &mut machine.serve(served, &[])?, 4, &in_use)?;
    let backup = text(&machine.idle.data.join("tidegate.db"));
    let mut restore = machine.tidegate(&["admin", "restore", "--data", in_use[0], "--from", &backup]);
    book.command(
        "data_directory_in_use",
        "a restore under a control plane that runs",
        &mut restore,
        4,
        &in_use,
    )?;

    let newer = machine.copy("newer")?;
    change(&newer, "UPDATE schema_version SET version = 99 WHERE name = 'directory'")?;
    refused(
        book,
        machine,
        "data_directory_newer",
        "a newer program's data",
        &newer,
        &["version 99", "that version"],
    )?;
    let damaged = machine.copy("damaged")?;
    fs::write(damaged.join("tidegate.db"), vec![0x5a; 64 << 10])?;
    let words = ["not a database", "tidegate admin restore"];
    refused(book, machine, "data_directory_damaged", "a database that is damaged", &damaged, &words)?;

    let file = machine.folder().join("a-file");
    fs::write(&file, "mine")?;
    let key = text(&machine.folder().join("third.pem"));
    let mut owner =
        machine.tidegate(&["admin", "owner", "--email", "kim@example.com", "--root-key", &key, "--data"]);
    let how = "a file in the place of a directory";
    book.command("data_directory_not_writable", how, owner.arg(&file), 4, &[&text(&file), "ls -ld"])?;
    let open = machine.folder().join("open");
    fs::create_dir(&open)?;
    fs::write(open.join("notes"), "")?;
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755))?;
    let mut owner =
        machine.tidegate(&["admin", "owner", "--email", "kim@example.com", "--root-key", &key, "--data"]);
    let how = "a directory that others are at home in";
    book.command("data_directory_open", how, owner.arg(&open), 4, &[&text(&open), "chmod 700"])?;
    ensure!(fs::read_dir(&open)?.count() == 1 && !Path::new(&key).exists(), "nothing was made in either");
    disks(book, machine)
}

/// Disks that are read-only or full, each in a mount namespace of its own that ends with the program.
fn disks(book: &mut Book, machine: &Machine) -> anyhow::Result<()> {
    let (Some(read_only), Some(full)) = (front::on_read_only_disk(), front::on_full_disk()) else {
        return front::not_here(book, &["disk_full"]);
    };
    let place = machine.copy("read-only")?;
    let before = Contents::of(&place)?;
    let how = "a data directory on a disk that is read-only";
    let mut serve = read_only(&place, &machine.serve(&place, &[])?);
    book.command("data_directory_not_writable", how, &mut serve, 4, &[&text(&place), "findmnt"])?;
    before.still_in(&place)?;
    let place = machine.copy("full")?;
    let how = "a data directory on a disk that is full";
    let mut serve = full(&place, &machine.serve(&place, &[])?);
    book.command("disk_full", how, &mut serve, 4, &[&text(&place), "free some room"])
}

fn backups(book: &mut Book, machine: &Machine) -> anyhow::Result<()> {
    let data = machine.copy("restored")?;
    let before = Contents::of(&data)?;
    let other = machine.folder().join("plant-ca.pem");
    let newer = machine.folder().join("newer/tidegate.db");
    for (how, from, says) in [
        ("a backup that is not there", Path::new("/no/such/backup"), "there is no backup"),
        ("a file that is no backup", &other, "damaged, or no backup"),
        ("a backup of a newer program", &newer, "newer tidegate"),
    ] {
        let mut restore =
            machine.tidegate(&["admin", "restore", "--data", &text(&data), "--from", &text(from)]);
        book.command("backup_unusable", how, &mut restore, 4, &[says, &text(from), "--from"])?;
        before.still_in(&data)?;
    }
    let nowhere = "/no/such/folder/backup";
    let mut backup = machine.tidegate(&["admin", "backup", "--data", &text(&data), "--out", nowhere]);
    let how = "a backup into a folder that is not there";
    book.command("file_not_written", how, &mut backup, 4, &[nowhere, "--out"])?;
    let interrupted = machine.copy("interrupted")?;
    let moved = interrupted.join("tidegate.db.replaced-20261123T140300000Z");
    fs::rename(interrupted.join("tidegate.db"), &moved)?;
    let how = "a data directory that a killed restore left without its database";
    let mut serve = machine.serve(&interrupted, &[])?;
    book.command("restore_interrupted", how, &mut serve, 4, &[&text(&moved), "tidegate admin restore"])?;
    let live = text(&machine.world.plane.data.join("tidegate.db"));
    let mut backup =
        machine.tidegate(&["admin", "backup", "--data", &text(&machine.world.plane.data), "--out", &live]);
    let how = "a backup over the database that is served";
    book.command("file_not_written", how, &mut backup, 4, &[&live, "--out", "data directory"])
}

/// A control plane that is refused its directory, which stays as it was.
fn refused(
    book: &mut Book,
    machine: &Machine,
    code: &'static str,
    how: &'static str,
    data: &Path,
    parts: &[&str],
) -> anyhow::Result<()> {
    let before = Contents::of(data)?;
    let place = text(data);
    let parts: Vec<&str> = parts.iter().copied().chain([place.as_str()]).collect();
    book.command(code, how, &mut machine.serve(data, &[])?, 4, &parts)?;
    before.still_in(data)
}

fn change(data: &Path, statement: &str) -> anyhow::Result<()> {
    let database = rusqlite::Connection::open(data.join("tidegate.db"))?;
    ensure!(database.execute(statement, [])? == 1, "the database has that row");
    Ok(())
}

/// Order keys that cannot be replaced with what is named, and a backup of another owner.
fn keys(book: &mut Book, machine: &Machine) -> anyhow::Result<()> {
    let (folder, idle) = (machine.folder(), text(&machine.idle.data));
    let (junk, request, answer) = (folder.join("junk"), folder.join("request"), folder.join("answer"));
    fs::write(&junk, "no key")?;
    let [junk, request, answer] = [&junk, &request, &answer].map(|path| text(path));
    let renewal = |arguments: [&str; 2]| {
        machine.tidegate(&["admin", "order-key", "new", "--data", &idle, arguments[0], arguments[1]])
    };
    // A request is kept in the directory: what is refused after it changes nothing.
    ensure!(renewal(["--request", &request]).status()?.success(), "a request can be made");
    let before = Contents::of(&machine.idle.data)?;
    let how = "a root key that is none";
    book.command("root_key_unusable", how, &mut renewal(["--root-key", &junk]), 4, &["--root-key", &junk])?;
    let how = "an answer that is none";
    book.command("order_key_unusable", how, &mut renewal(["--answer", &junk]), 4, &["--answer", &junk])?;
    let other = text(&folder.join("other-root.pem"));
    let elsewhere = text(&folder.join("elsewhere"));
    ensure!(
        machine
            .tidegate(&[
                "admin",
                "owner",
                "--data",
                &elsewhere,
                "--email",
                "kim@example.com",
                "--root-key",
                &other
            ])
            .status()?
            .success(),
        "a second owner can be made"
    );
    let listed = machine.tidegate(&["admin", "order-key", "list", "--data", &idle, "--json"]).output()?;
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout)?;
    let fingerprint = listed["pending"]["request_fingerprint"].as_str().context("a request is pending")?;
    let swapped = "0".repeat(64);
    let sign = |fingerprint: &str| {
        let files = ["--request", &request, "--root-key", &other, "--answer", &answer];
        let mut command = machine.tidegate(&["admin", "order-key", "sign", "--fingerprint", fingerprint]);
        command.args(files);
        command
    };
    let how = "a request that was swapped on the way";
    book.command("order_key_unusable", how, &mut sign(&swapped), 4, &["swapped", "order-key list"])?;
    let how = "a request signed with another owner's root key";
    book.command("order_key_unusable", how, &mut sign(fingerprint), 4, &["root key"])?;
    let backup = text(&folder.join("of-another-owner.db"));
    let made = machine.tidegate(&["admin", "backup", "--data", &elsewhere, "--out", &backup]).status()?;
    ensure!(made.success(), "a backup can be made");
    let mut restore = machine.tidegate(&["admin", "restore", "--data", &idle, "--from", &backup]);
    book.command("backup_key_outdated", "a backup of another owner", &mut restore, 4, &["root keys"])?;
    before.still_in(&machine.idle.data)
}
