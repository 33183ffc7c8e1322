//! Backups without keys, and encrypted ones, that cannot be made or put in place.

use std::fs;

use anyhow::ensure;

use super::book::{Book, Contents, text};
use super::plane::Machine;

/// Keys of no other use than here, as `age-keygen` writes them.
const RECIPIENT: &str = "age1zvnjn3x9jx8h2atln69ny0drth5v3qs8xc57kjuejhqqfnpa7saswknr6z";
const OTHER_IDENTITY: &str = "AGE-SECRET-KEY-1U9RT0SGTR53JH9WFPRZ2EWULULVAZHLWXUUGZH8K8ARYTMW2ERLQ99NFRZ\n";

pub(super) fn provoke(book: &mut Book, machine: &Machine) -> anyhow::Result<()> {
    let data = text(&machine.copy("protected")?);
    let [keyless, encrypted, cut] =
        ["keyless.db", "backup.age", "cut.age"].map(|name| text(&machine.folder().join(name)));
    let backup = |out: &str, options: &[&str]| {
        let mut command = machine.tidegate(&["admin", "backup", "--data", &data, "--out", out]);
        command.args(options);
        command
    };
    ensure!(backup(&keyless, &["--without-keys"]).status()?.success(), "a backup without keys can be made");
    ensure!(backup(&encrypted, &["--encrypt-to", RECIPIENT]).status()?.success(), "one can be encrypted");
    let before = Contents::of(data.as_ref())?;
    let restore = |data: &str, options: &[&str]| {
        let mut command = machine.tidegate(&["admin", "restore", "--data", data]);
        command.args(options);
        command
    };

    let fresh = text(&machine.folder().join("fresh-for-keyless"));
    let how = "a backup without keys where there are none";
    let mut command = restore(&fresh, &["--from", &keyless]);
    let parts = ["made without keys", "the data directory has none either", "--keys-from", "--root-key"];
    book.command("backup_without_keys", how, &mut command, 4, &parts)?;

    let how = "an encrypted backup without an identity";
    let mut command = restore(&data, &["--from", &encrypted]);
    book.command("backup_encrypted", how, &mut command, 4, &[&encrypted, "--identity"])?;
    let identity = text(&machine.folder().join("other-identity.txt"));
    fs::write(&identity, OTHER_IDENTITY)?;
    let how = "an encrypted backup with the identity of another";
    let mut command = restore(&data, &["--from", &encrypted, "--identity", &identity]);
    book.command("backup_encrypted", how, &mut command, 4, &["other recipients", "age-keygen -y"])?;
    let bytes = fs::read(&encrypted)?;
    fs::write(&cut, &bytes[..100])?;
    let how = "an encrypted backup that was cut short";
    let mut command = restore(&data, &["--from", &cut, "--identity", &identity]);
    book.command("backup_unusable", how, &mut command, 4, &["cut short or altered", &cut])?;
    before.still_in(data.as_ref())?;

    let how = "a recipient that is none";
    let mut command = backup(&cut, &["--encrypt-to", "age1mistyped"]);
    book.command(
        "age_key_unusable",
        how,
        &mut command,
        4,
        &["`age1mistyped`", "--encrypt-to", "age-keygen -y"],
    )?;
    let how = "an identity that is none";
    let mut command = restore(&data, &["--from", &encrypted, "--identity", &keyless]);
    book.command("age_key_unusable", how, &mut command, 4, &[&keyless, "--identity", "age-keygen -o"])?;
    before.still_in(data.as_ref())
}
