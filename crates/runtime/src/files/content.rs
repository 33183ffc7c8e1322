//! What a file is by its bytes: databases, private keys, password hashes, compressed files.

use std::fs::File;
use std::io::{self, Read as _};

use flate2::read::MultiGzDecoder;
use memchr::memmem;

use super::{Secret, fill};

/// How much of the beginning of a file is judged, and of what it decompresses to.
pub(super) const SAMPLE_BYTES: usize = 64 * 1024;
/// Longest text that a secret is known by, with what stands around it; reads overlap by that much.
pub(super) const MARKER_BYTES_MAX: usize = 128;
/// How many gzip files in one another are looked into; deeper ones count as opaque.
const NESTING_MAX: usize = 3;
/// How far before `PRIVATE KEY` its `BEGIN` stands at the most.
const LABEL_BYTES_MAX: usize = 40;
/// From this share of zero bytes on (one in four) a text may be UTF-16, and is judged without them too.
const ZEROS_SHARE: usize = 4;

const DATABASE: Secret = Secret::new("an SQLite database, or its log");
const PRIVATE_KEY: Secret = Secret::new("a private key");
const PASSWORD_HASHES: Secret = Secret::new("password hashes");

/// Bytes that stand in nothing else, wherever they stand.
const MARKERS: [(&[u8], Secret); 8] = [
    // The identity document of a runtime: its keys are in it.
    (b"\"signing_seed\"", Secret::OWN),
    (b"\"sealing_seed\"", Secret::OWN),
    // SQLite, "Database File Format": the database, its rollback journal.
    (b"SQLite format 3\0", DATABASE),
    (b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", DATABASE),
    (b"PuTTY-User-Key-File-", PRIVATE_KEY),
    (b"AGE-SECRET-KEY-1", PRIVATE_KEY),
    // `openssh-key-v1` as it is, and in base64.
    (b"openssh-key-v1\0", PRIVATE_KEY),
    (b"b3BlbnNzaC1rZXktdjE", PRIVATE_KEY),
];
/// The two magics of a write-ahead log differ in their last bit; the version follows.
const LOG_MAGICS: [&[u8]; 2] = [b"\x37\x7f\x06\x82\x00\x2d\xe2\x18", b"\x37\x7f\x06\x83\x00\x2d\xe2\x18"];
/// Prefixes of password hashes (crypt(5)).
const HASHES: [&[u8]; 9] = [b"1$", b"2a$", b"2b$", b"2y$", b"5$", b"6$", b"7$", b"y$", b"gy$"];

/// A form whose content does not show in its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) name: &'static str,
    pub(super) is_gzip: bool,
}

const FORMS: [(&[u8], &str); 8] = [
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"PK\x03\x04", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"Rar!\x1a\x07", "rar"),
];

/// The beginning of a file.
#[derive(Debug)]
pub(super) struct Sample(Vec<u8>);

impl Sample {
    /// Reads it.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let mut bytes = vec![0; SAMPLE_BYTES];
        let filled = fill(file, &mut bytes, 0)?;
        bytes.truncate(filled);
        Ok(Self(bytes))
    }

    /// What of it no check reads, gzip files decompressed; `None`: nothing.
    pub(super) fn secret(&self) -> Option<Secret> {
        let mut bytes = self.0.clone();
        for _ in 0..=NESTING_MAX {
            // A program holds the words that it looks for.
            if !is_program(&bytes)
                && let Some(secret) = secret_in(&bytes).or_else(|| secret_at_start(&bytes))
            {
                return Some(secret);
            }
            if !bytes.starts_with(FORMS[0].0) {
                return None;
            }
            bytes = gunzipped(&bytes);
        }
        None
    }

    /// The form of a compressed file.
    pub(super) fn opaque(&self) -> Option<Form> {
        let form = FORMS.iter().find(|(magic, _)| self.0.starts_with(magic));
        form.map(|(_, name)| Form { name, is_gzip: *name == "gzip" })
    }
}

/// What of `bytes` no check reads, wherever it stands in them.
pub(crate) fn secret_in(bytes: &[u8]) -> Option<Secret> {
    let found = |bytes: &[u8]| {
        let marked = MARKERS.iter().find(|(marker, _)| memmem::find(bytes, marker).is_some());
        let marked = marked.map(|(_, secret)| *secret);
        marked
            .or_else(|| has_pem_key(bytes).then_some(PRIVATE_KEY))
            .or_else(|| {
                LOG_MAGICS.iter().any(|magic| memmem::find(bytes, magic).is_some()).then_some(DATABASE)
            })
            .or_else(|| has_password_hash(bytes).then_some(PASSWORD_HASHES))
    };
    found(bytes).or_else(|| {
        let zeros = memchr::memchr_iter(0, bytes).count();
        (zeros > 0 && zeros >= bytes.len() / ZEROS_SHARE)
            .then(|| bytes.iter().copied().filter(|byte| *byte != 0).collect::<Vec<u8>>())
            .and_then(|text| found(&text))
    })
}

/// Keys in DER (PKCS #1, #8, #12, SEC 1) and of Java, which only their first bytes show.
fn secret_at_start(bytes: &[u8]) -> Option<Secret> {
    if bytes.starts_with(b"\xfe\xed\xfe\xed") || bytes.starts_with(b"\xce\xce\xce\xce") {
        return Some(PRIVATE_KEY);
    }
    // A sequence whose first element is a version. Certificates and requests begin with a sequence in a sequence.
    let [0x30, length, rest @ ..] = bytes else { return None };
    let content = if *length < 0x80 { rest } else { rest.get(usize::from(*length & 0x7F)..)? };
    let versions: [&[u8]; 4] =
        [b"\x02\x01\x00\x02\x82", b"\x02\x01\x00\x30", b"\x02\x01\x01\x04", b"\x02\x01\x03\x30"];
    let is_version_one = content.starts_with(b"\x02\x01\x01\x30");
    (is_version_one || versions.iter().any(|version| content.starts_with(version))).then_some(PRIVATE_KEY)
}

/// `-----BEGIN … PRIVATE KEY-----`, `---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----`, `-----BEGIN PGP PRIVATE KEY BLOCK-----`.
fn has_pem_key(bytes: &[u8]) -> bool {
    memmem::find_iter(bytes, b"PRIVATE KEY").any(|at| {
        let label = &bytes[at.saturating_sub(LABEL_BYTES_MAX)..at];
        memmem::rfind(label, b"BEGIN ").is_some_and(|begin| {
            let (dashes, words) = (&label[..begin], &label[begin..]);
            dashes.trim_ascii_end().ends_with(b"--") && !words.contains(&b'\n')
        })
    })
}

/// A line of shadow(5), or of any file of its form: `name:$6$salt$…`.
fn has_password_hash(bytes: &[u8]) -> bool {
    memmem::find_iter(bytes, b":$").any(|at| {
        let hash = &bytes[at + 2..];
        at > 0
            && !bytes[at - 1].is_ascii_whitespace()
            && HASHES.iter().any(|prefix| {
                hash.strip_prefix(*prefix).is_some_and(|salt| {
                    salt.len() >= 8
                        && salt[..8]
                            .iter()
                            .all(|byte| byte.is_ascii_alphanumeric() || b"./$=,".contains(byte))
                })
            })
    })
}

fn is_program(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF") || bytes.starts_with(b"MZ")
}

/// What the beginning of a gzip file decompresses to, as far as it goes.
fn gunzipped(bytes: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    // The sample ends in the middle of the file, which is an error at its end: what came before is judged.
    let _ = MultiGzDecoder::new(bytes).take(SAMPLE_BYTES as u64).read_to_end(&mut content);
    content
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn gzipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn holds(bytes: &[u8]) -> Option<&'static str> {
        Sample(bytes.to_vec()).secret().map(|secret| secret.holds)
    }

    #[test]
    fn keys_and_databases_are_known_by_their_bytes_also_through_gzip() {
        let keys: [&[u8]; 10] = [
            b"-----BEGIN PRIVATE KEY-----\nMC4CAQ",
            b"# note\n-----BEGIN RSA PRIVATE KEY-----\r\n",
            b"-----BEGIN OPENSSH PRIVATE KEY-----\n",
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
            b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n",
            b"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n",
            b"PuTTY-User-Key-File-3: ssh-ed25519\n",
            b"b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n",
            b"\x30\x82\x04\xbd\x02\x01\x00\x30\x0d\x06",
            b"\x30\x77\x02\x01\x01\x04\x20\x01",
        ];
        for key in keys {
            let nested = gzipped(&gzipped(key));
            for form in [key.to_vec(), gzipped(key), nested] {
                assert_eq!(holds(&form), Some(PRIVATE_KEY.holds), "{}", String::from_utf8_lossy(key));
            }
        }
        let wide: Vec<u8> = "-----BEGIN PRIVATE KEY-----".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(holds(&wide), Some(PRIVATE_KEY.holds));
        let mut tar = vec![b'x'; 512];
        tar.extend(b"SQLite format 3\0");
        for database in [&b"SQLite format 3\0\x10\0"[..], LOG_MAGICS[0], LOG_MAGICS[1], MARKERS[3].0, &tar] {
            assert_eq!(holds(database), Some(DATABASE.holds));
            assert_eq!(holds(&gzipped(database)), Some(DATABASE.holds));
        }
        assert_eq!(holds(b"root:$y$j9T$abcdefgh$ijk:19000:0:99999:7:::\n"), Some(PASSWORD_HASHES.holds));
        assert_eq!(holds(b"a:$6$rounds=5000$salt$hash:1\n"), Some(PASSWORD_HASHES.holds));
    }

    #[test]
    fn what_only_looks_like_a_secret_is_none() {
        for text in [
            &b"the PRIVATE KEY was not found\n"[..],
            b"BEGIN transaction; see PRIVATE KEY\n",
            b"-----BEGIN CERTIFICATE-----\nMII\n-----BEGIN PUBLIC KEY-----\n",
            b"cost:$5 and $6\n",
            b"\x30\x82\x04\xbd\x30\x82\x03\xa5\xa0\x03\x02\x01\x02",
            b"\x7fELF-----BEGIN OPENSSH PRIVATE KEY-----\n",
            b"",
        ] {
            assert_eq!(holds(text), None, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_bomb_is_decompressed_to_a_sample_and_no_further() {
        let bomb = gzipped(&vec![0; 64 << 20]);
        assert_eq!(gunzipped(&bomb).len(), SAMPLE_BYTES);
        assert_eq!(holds(&bomb), None);
    }
}
