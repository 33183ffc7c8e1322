//! `tidegate admin backup` and `admin restore`.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::host::{self, BackupContents, Keys, Protection, RestoreOptions};
use crate::screen::Screen;

/// Write a consistent copy of everything durable, also while `serve` runs.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A backup holds the order key unless you leave it out: anyone who has the file can then order work
on every machine. It never holds the owner's root key, and passwords and tokens only as hashes.

Encrypt it for storage that others can read. Only the holder of the secret half can then open it,
and the control plane does not need that half:
  age-keygen -o identity.txt          once, on another computer; prints the public half, age1…
  tidegate admin backup --data /var/lib/tidegate --out tidegate.age --encrypt-to age1…

Leave the keys out of copies that many people handle, such as for analysis. What people wrote and
what machines returned is still in it. Keep another backup with the keys, or the root key:
  tidegate admin backup --data /var/lib/tidegate --out tidegate.db --without-keys

With either option a private copy is made in the data directory first and removed at the end. There
must be room for it, and with both options for two. If the command is killed, the next such backup
or the next start of `serve` removes the copy.")]
pub(super) struct BackupArgs {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Leave out the secret halves of all keys
    #[arg(long)]
    without_keys: bool,
    /// Encrypt to this recipient of age, such as age1…; may be repeated
    #[arg(long, value_name = "RECIPIENT")]
    encrypt_to: Vec<String>,
    /// Encrypt to every recipient in this file, one a line, # for comments
    #[arg(long, value_name = "FILE")]
    encrypt_to_file: Vec<PathBuf>,
}

/// Put a backup in place; `serve` must not run.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every order log is closed in the same transaction: work that machines had not told of in the backup
`may have run since`, and shows so until the machine itself tells what it knows. What lived only in
the lost part is gone.

A machine that has seen a newer order key obeys no older one. The newest one that is found stays in
use: that of the backup, of the database that is replaced, or of the later backup that --keys-from
names. If neither is left, make a new one with `tidegate admin order-key new --serial N`, N above
every serial that a machine knows: their pages say which.

A backup without keys takes them from the same places. If there are none, the owner's root key makes
a new one:
  tidegate admin restore --data /var/lib/tidegate --from tidegate.db --root-key /media/usb/root.pem

An encrypted backup needs the secret half of one of its recipients, as `age-keygen` wrote it:
  tidegate admin restore --data /var/lib/tidegate --from tidegate.age --identity identity.txt")]
pub(super) struct RestoreArgs {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The backup
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// A later backup, for its order key
    #[arg(long, value_name = "FILE")]
    keys_from: Option<PathBuf>,
    /// The secret key of age that opens an encrypted backup; may be repeated
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
    /// The owner's root key, to make a new order key if none is found
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
}

/// Makes a backup and says what the file holds.
pub(super) fn backup(args: BackupArgs, screen: &Screen) -> Result<(), Failure> {
    let BackupArgs { data, out, without_keys, encrypt_to, encrypt_to_file } = args;
    let protection = Protection { without_keys, recipients: encrypt_to, recipient_files: encrypt_to_file };
    let contents = host::backup(&data, &out, &protection)?;
    screen.line(format!("The backup is in {}.", out.display()))?;
    screen.line(contents_line(contents))?;
    if !contents.is_recorded {
        screen.note("The audit log does not say so: the database could not be written, or holds no keys.");
    }
    Ok(())
}

/// Puts a backup in place and says which keys it uses.
pub(super) fn restore(args: RestoreArgs, screen: &Screen) -> Result<(), Failure> {
    let RestoreArgs { data, from, keys_from, identity, root_key } = args;
    let options = RestoreOptions { from, replace: true, keys_from, identities: identity, root_key };
    let restored = host::restore(&data, &options)?;
    screen.line(format!("{} is as it was in the backup.", data.display()))?;
    if let Some(replaced) = restored.replaced {
        screen.line(format!("What it held before is kept in {}.", replaced.display()))?;
    }
    screen.line(keys_line(restored.keys))?;
    if let Some(database) = restored.keys_found_in {
        screen
            .line(format!("That key was found in {}, which an earlier restore left.", database.display()))?;
    }
    screen.line("Work that was under way `may have run since`: each machine tells when it is next heard.")?;
    Ok(())
}

fn contents_line(contents: BackupContents) -> String {
    let BackupContents { has_keys, recipients, .. } = contents;
    let keys = match (has_keys, recipients) {
        (true, 0) => {
            return "It holds the order key and is not encrypted: anyone who has this file can order work on every \
                    machine. Keep it as safe as a key, or make it with --encrypt-to or --without-keys."
                .to_owned();
        }
        (true, _) => "It holds the order key.",
        (false, _) => {
            "It holds no keys. A restore takes them from the data directory that it replaces, from --keys-from, or makes \
             a new one with --root-key."
        }
    };
    match recipients {
        0 => format!("{keys} It is not encrypted: everything else can be read."),
        1 => format!("{keys} It is encrypted to 1 recipient, whose --identity opens it."),
        count => {
            format!("{keys} It is encrypted to {count} recipients; the --identity of any of them opens it.")
        }
    }
}

fn keys_line(keys: Keys) -> String {
    match keys {
        Keys::Same { serial } => format!("Its order key {serial} stays in use."),
        Keys::Carried { serial } => {
            format!("The current order key {serial} stays in use; the backup has an older one.")
        }
        Keys::OfBackup { serial } => format!(
            "It uses order key {serial}, as the backup does. If that key was replaced since, machines obey nothing that \
             it signs: their pages say which one they know, and `tidegate admin order-key new --serial N` makes a later one."
        ),
        Keys::Made { serial } => format!(
            "No order key was found, and the root key made order key {serial}. If machines know a later one, they obey \
             nothing that it signs: their pages say which one they know, and `tidegate admin order-key new --serial N` \
             makes a later one."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_says_what_a_thief_could_do_with_it() {
        let told =
            |has_keys, recipients| contents_line(BackupContents { has_keys, recipients, is_recorded: true });
        assert!(told(true, 0).contains("anyone who has this file can order work on every machine"));
        assert!(told(false, 0).starts_with("It holds no keys."));
        assert!(told(false, 0).ends_with("everything else can be read."));
        assert!(told(true, 1).contains("holds the order key. It is encrypted to 1 recipient,"));
        assert!(told(false, 3).contains("holds no keys.") && told(false, 3).contains("to 3 recipients;"));
    }
}
