//! Recipients and identities, as `age-keygen` writes them: one a line, with `#` comments.

use std::path::{Path, PathBuf};

use age::x25519::{Identity, Recipient};
use anyhow::{Context as _, bail};
use tidegate_core::obstacle::{Obstacle, Obstructed};

use super::super::reading::read_text;

/// The largest file of recipients or identities that is read.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The most recipients of one backup. Each adds some 100 bytes to its header, which is read whole.
pub(super) const RECIPIENTS_MAX: usize = 100;

/// How a secret key begins. No message repeats what begins so.
const SECRET_PREFIX: &str = "AGE-SECRET-KEY-";

/// Whom a backup is encrypted to, each once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recipients(Vec<Recipient>);

impl Recipients {
    /// Reads the recipients in `words` and in `files`. Without either there are none, and a backup is not encrypted.
    ///
    /// # Errors
    ///
    /// When one is no `age1…` recipient, a file cannot be read or names none, or there are more than
    /// [`RECIPIENTS_MAX`].
    pub(crate) fn read(words: &[String], files: &[PathBuf]) -> anyhow::Result<Self> {
        let mut recipients = Vec::new();
        for word in words {
            recipients.push(recipient(word.trim())?);
        }
        for file in files {
            let text = read(file, no_recipient)?;
            // A file that names none must not leave the backup unencrypted.
            if lines(&text).next().is_none() {
                bail!(no_recipient(format!("`{}` names no recipient", file.display())));
            }
            for line in lines(&text) {
                recipients.push(recipient(line)?);
            }
        }
        let mut each_once: Vec<Recipient> = Vec::new();
        for recipient in recipients {
            if !each_once.contains(&recipient) {
                each_once.push(recipient);
            }
        }
        if each_once.len() > RECIPIENTS_MAX {
            bail!(no_recipient(format!("more than {RECIPIENTS_MAX} recipients are named")));
        }
        Ok(Self(each_once))
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &dyn age::Recipient> {
        self.0.iter().map(|recipient| recipient as _)
    }
}

/// The secret keys that open encrypted backups.
#[derive(Clone, Default)]
pub(crate) struct Identities(Vec<Identity>);

impl Identities {
    /// Reads every secret key in `files`.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, holds no key, or holds something else.
    pub(crate) fn read(files: &[PathBuf]) -> anyhow::Result<Self> {
        let mut identities = Vec::new();
        for file in files {
            let text = read(file, no_identity)?;
            if lines(&text).next().is_none() {
                bail!(no_identity(format!("`{}` holds no secret key", file.display())));
            }
            for line in lines(&text) {
                let identity = line.parse().map_err(anyhow::Error::msg).with_context(|| {
                    no_identity(format!("`{}` holds something other than secret keys of age", file.display()))
                });
                identities.push(identity?);
            }
        }
        Ok(Self(identities))
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.0.iter().map(|identity| identity as _)
    }
}

fn recipient(word: &str) -> anyhow::Result<Recipient> {
    if word.to_ascii_uppercase().starts_with(SECRET_PREFIX) {
        bail!(no_recipient("the secret half of a key is named as a recipient".to_owned()));
    }
    word.parse()
        .map_err(anyhow::Error::msg)
        .with_context(|| no_recipient(format!("`{word}` is no age recipient of the kind `age1…`")))
}

fn no_recipient(what: String) -> Obstructed {
    let next = "name with --encrypt-to or in --encrypt-to-file the public half of a key, which begins with age1; no backup \
                was made. The computer that keeps the secret half prints it:\nage-keygen -y IDENTITY";
    Obstructed::new(Obstacle::AgeKeyUnusable, what, next)
}

fn no_identity(what: String) -> Obstructed {
    let next = "name with --identity a file that `age-keygen -o FILE` wrote, with lines that begin with AGE-SECRET-KEY-1; \
                nothing was changed. One that has a passphrase is decrypted first:\nage --decrypt -o IDENTITY FILE";
    Obstructed::new(Obstacle::AgeKeyUnusable, what, next)
}

fn read(file: &Path, unusable: fn(String) -> Obstructed) -> anyhow::Result<String> {
    read_text(file, FILE_BYTES_MAX).with_context(|| unusable(format!("`{}` cannot be read", file.display())))
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

    #[test]
    fn recipients_are_read_as_people_keep_them_and_each_counts_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("recipients.txt");
        fs::write(&file, format!("# the safe\n\n  {RECIPIENT}  \n{RECIPIENT}\n")).unwrap();
        let recipients = Recipients::read(&[RECIPIENT.to_owned()], &[file]).unwrap();
        assert_eq!(recipients.count(), 1);
    }

    #[test]
    fn a_file_without_a_recipient_is_refused_so_that_no_backup_stays_unencrypted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("recipients.txt");
        fs::write(&file, "# none yet\n").unwrap();
        let refused = Recipients::read(&[], &[file]).unwrap_err();
        assert!(refused.to_string().contains("names no recipient"), "{refused:#}");
    }

    #[test]
    fn a_secret_key_in_the_place_of_a_recipient_is_not_repeated() {
        let secret = Identity::generate().to_string();
        let secret = age::secrecy::ExposeSecret::expose_secret(&secret).to_owned();
        for word in [secret.clone(), secret.to_lowercase()] {
            let refused = format!("{:#}", Recipients::read(std::slice::from_ref(&word), &[]).unwrap_err());
            assert!(refused.contains("secret half") && !refused.contains(&word[20..]), "{refused}");
        }
    }

    #[test]
    fn a_broken_identity_is_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("identity.txt");
        fs::write(&file, "AGE-SECRET-KEY-1MISTYPED\n").unwrap();
        let refused = format!("{:#}", Identities::read(&[file]).err().unwrap());
        assert!(!refused.contains("MISTYPED"), "{refused}");
    }
}
