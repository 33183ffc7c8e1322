//! A file encrypted and decrypted piece by piece: memory does not grow with the file.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};

use age::{Decryptor, Encryptor};

use super::{Identities, Recipients};
use crate::data::{remove_if_there, sync_directory};

/// How much is read at once. The format encrypts pieces of the same size.
const PIECE_BYTES: usize = 64 * 1024;

/// The largest header that is read. One of ours has at most [`super::keys::RECIPIENTS_MAX`] recipients of some 100 bytes
/// each; the library would read one without an end into memory.
const HEADER_BYTES_MAX: u64 = 64 * 1024;

/// How a file of the format begins, and how its form in ASCII does.
const MAGIC: [&[u8]; 2] = [b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----"];

/// Why a file was not decrypted. Nothing of it may be used then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecryptError {
    /// No identity was named.
    #[error("no identity was named")]
    NoIdentity,
    /// It is encrypted to others, or what names its recipients was altered.
    #[error("none of the identities opens it")]
    WrongIdentity,
    /// It is in a form that only the tool `age` reads: a passphrase, or ASCII.
    #[error("it is encrypted with a passphrase or written as ASCII, which only `age` itself reads")]
    OtherForm,
    /// It was cut short or altered, or is no file of the format.
    #[error("it was cut short or altered")]
    Altered(#[source] io::Error),
    /// It cannot be read.
    #[error("failed to read it")]
    Read(#[source] io::Error),
    /// The plaintext cannot be written.
    #[error("failed to write what was decrypted")]
    Write(#[source] io::Error),
}

/// Whether the file `file` is encrypted.
///
/// # Errors
///
/// When it cannot be read.
pub(crate) fn is_encrypted(file: &Path) -> io::Result<bool> {
    let mut beginning = Vec::new();
    let longest = MAGIC.iter().map(|magic| magic.len()).max().unwrap_or_default();
    File::open(file)?.take(longest as u64).read_to_end(&mut beginning)?;
    Ok(MAGIC.iter().any(|magic| beginning.starts_with(magic)))
}

/// Encrypts the file `plain` into the file `to`, which only its owner may read.
///
/// `to` appears under its name only when it is complete and on the disk, replacing a former one. Until then it is `to`
/// with `.partial`, which is removed on an error.
///
/// # Errors
///
/// When either cannot be read or written, or there is no recipient.
pub(crate) fn encrypt(plain: &Path, to: &Path, recipients: &Recipients) -> io::Result<()> {
    let partial = with_suffix(to, ".partial");
    let answer = encrypt_into(plain, &partial, recipients).and_then(|()| {
        fs::rename(&partial, to)?;
        sync_directory(directory_of(to))
    });
    if answer.is_err() {
        // Nothing to add to the error when the partial file cannot be removed either.
        let _ = fs::remove_file(&partial);
    }
    answer
}

fn encrypt_into(plain: &Path, partial: &Path, recipients: &Recipients) -> io::Result<()> {
    let mut source = File::open(plain)?;
    // Never build on what a killed backup left behind.
    remove_if_there(partial)?;
    let encryptor = Encryptor::with_recipients(recipients.iter()).map_err(io::Error::other)?;
    let mut target = encryptor.wrap_output(create_private(partial)?)?;
    io::copy(&mut source, &mut target)?;
    target.finish()?.sync_all()
}

/// Decrypts the file `from` into the file `to`, which does not exist and only its owner may read. The plaintext is at
/// most as long as `from`.
///
/// # Errors
///
/// [`DecryptError`]; then the caller removes `to`.
pub(crate) fn decrypt(from: &Path, to: &Path, identities: &Identities) -> Result<(), DecryptError> {
    if identities.is_empty() {
        return Err(DecryptError::NoIdentity);
    }
    let source = BufReader::new(File::open(from).map_err(DecryptError::Read)?);
    let decryptor = Decryptor::new_buffered(bounded(source)?).map_err(refused)?;
    if decryptor.is_scrypt() {
        return Err(DecryptError::OtherForm);
    }
    let mut plain = decryptor.decrypt(identities.iter()).map_err(refused)?;
    let mut target = create_private(to).map_err(DecryptError::Write)?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = match plain.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unread(error)),
        };
        target.write_all(&piece[..count]).map_err(DecryptError::Write)?;
    }
    target.sync_all().map_err(DecryptError::Write)
}

/// The same source, once its header is known to have an end within the bound.
fn bounded(mut source: impl BufRead) -> Result<impl BufRead, DecryptError> {
    let mut beginning = Vec::new();
    source.by_ref().take(HEADER_BYTES_MAX).read_to_end(&mut beginning).map_err(DecryptError::Read)?;
    if beginning.starts_with(MAGIC[1]) {
        return Err(DecryptError::OtherForm);
    }
    // The last line of a header begins so (age-encryption.org/v1, "Header MAC").
    const LAST_LINE: &[u8] = b"\n--- ";
    let last = beginning.windows(LAST_LINE.len()).position(|window| window == LAST_LINE);
    let has_end = last.is_some_and(|at| beginning[at + 1..].contains(&b'\n'));
    if !has_end {
        return Err(DecryptError::Altered(io::Error::other("its header has no end")));
    }
    Ok(io::Cursor::new(beginning).chain(source))
}

fn refused(error: age::DecryptError) -> DecryptError {
    match error {
        age::DecryptError::NoMatchingKeys => DecryptError::WrongIdentity,
        age::DecryptError::Io(error) => unread(error),
        other => DecryptError::Altered(io::Error::other(other.to_string())),
    }
}

/// The library answers what fails to prove itself with these two kinds.
fn unread(error: io::Error) -> DecryptError {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => DecryptError::Altered(error),
        _ => DecryptError::Read(error),
    }
}

fn create_private(file: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::encryption::keys::RECIPIENTS_MAX;

    /// Of no other use than in these tests.
    const SECRET: &str = "AGE-SECRET-KEY-1AXUX7X46XAZ0H56KEWNHHTMJGUZNRU0888SEPQQFN58NS4WRFK8QMD3490";

    /// What `age` 1.1.1 made of "written by age 1.1.1" for that key.
    const WRITTEN_BY_AGE: &[u8] = include_bytes!("written-by-age-1.1.1.age");

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn file(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn identities(&self, secrets: &str) -> Identities {
            let file = self.file("identity.txt");
            fs::write(&file, secrets).unwrap();
            Identities::read(&[file]).unwrap()
        }

        /// Decrypts `bytes` and answers the plaintext.
        fn opened(&self, bytes: &[u8], identities: &Identities) -> Result<Vec<u8>, DecryptError> {
            let (from, to) = (self.file("from"), self.file("to"));
            fs::write(&from, bytes).unwrap();
            let answer = decrypt(&from, &to, identities);
            let plain = fs::read(&to).unwrap_or_default();
            let _ = fs::remove_file(&to);
            answer.map(|()| plain)
        }

        fn encrypted(&self, plain: &[u8], recipients: usize) -> (Vec<u8>, Vec<String>) {
            let secrets: Vec<_> = (0..recipients).map(|_| age::x25519::Identity::generate()).collect();
            let words: Vec<_> = secrets.iter().map(|secret| secret.to_public().to_string()).collect();
            let recipients = Recipients::read(&words, &[]).unwrap();
            fs::write(self.file("plain"), plain).unwrap();
            encrypt(&self.file("plain"), &self.file("encrypted"), &recipients).unwrap();
            let text = |secret: &age::x25519::Identity| {
                age::secrecy::ExposeSecret::expose_secret(&secret.to_string()).to_owned()
            };
            (fs::read(self.file("encrypted")).unwrap(), secrets.iter().map(text).collect())
        }
    }

    #[test]
    fn what_age_itself_wrote_is_decrypted() {
        let place = Place::new();
        let plain = place.opened(WRITTEN_BY_AGE, &place.identities(SECRET)).unwrap();
        assert_eq!(plain, b"written by age 1.1.1");
    }

    #[test]
    fn every_recipient_opens_a_file_and_nobody_else_does() {
        let place = Place::new();
        let plain: Vec<u8> = (0..300_000_u32).map(|number| number as u8).collect();
        let (bytes, secrets) = place.encrypted(&plain, RECIPIENTS_MAX);
        for secret in [&secrets[0], &secrets[RECIPIENTS_MAX - 1]] {
            assert_eq!(place.opened(&bytes, &place.identities(secret)).unwrap(), plain);
        }
        let refused = place.opened(&bytes, &place.identities(SECRET)).unwrap_err();
        assert!(matches!(refused, DecryptError::WrongIdentity), "{refused:?}");
        let refused = place.opened(&bytes, &Identities::default()).unwrap_err();
        assert!(matches!(refused, DecryptError::NoIdentity), "{refused:?}");
    }

    #[test]
    fn a_file_that_was_cut_short_lengthened_or_altered_is_not_decrypted() {
        let place = Place::new();
        // Two pieces and a little: a cut between two pieces leaves each of them whole.
        let (bytes, secrets) = place.encrypted(&vec![7; 2 * PIECE_BYTES + 5], 1);
        let identities = place.identities(&secrets[0]);
        let body = bytes.len() - (2 * PIECE_BYTES + 5 + 3 * 16);
        for kept in [
            30,
            body - 1,
            body,
            body + 1,
            body + PIECE_BYTES + 16,
            body + 2 * (PIECE_BYTES + 16),
            bytes.len() - 1,
        ] {
            let refused = place.opened(&bytes[..kept], &identities).unwrap_err();
            assert!(matches!(refused, DecryptError::Altered(_)), "cut to {kept}: {refused:?}");
        }
        let longer = [&bytes[..], b"x"].concat();
        assert!(matches!(place.opened(&longer, &identities).unwrap_err(), DecryptError::Altered(_)));
        for at in (0..bytes.len()).step_by(997).chain(22..bytes.len().min(400)) {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            place.opened(&altered, &identities).expect_err("one bit is wrong");
        }
    }

    #[test]
    fn a_header_without_an_end_is_not_read_into_memory() {
        let place = Place::new();
        let mut bytes = b"age-encryption.org/v1\n".to_vec();
        bytes.resize(4 << 20, b'-');
        let refused = place.opened(&bytes, &place.identities(SECRET)).unwrap_err();
        assert!(refused.to_string().contains("altered"), "{refused:?}");
        let mut source = BufReader::new(&bytes[..]);
        assert!(bounded(&mut source).is_err());
        let left = source.buffer().len() + source.get_ref().len();
        assert!(left > (4 << 20) - 2 * HEADER_BYTES_MAX as usize, "{left} bytes were not read");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_either_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let place = Place::new();
        let (bytes, secrets) = place.encrypted(b"plain", 1);
        fs::write(place.file("from"), &bytes).unwrap();
        decrypt(&place.file("from"), &place.file("to"), &place.identities(&secrets[0])).unwrap();
        for name in ["encrypted", "to"] {
            let mode = fs::metadata(place.file(name)).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{name}");
        }
    }
}
