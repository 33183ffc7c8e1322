//! What a file is by its bytes: databases, private keys, password hashes, compressed files.

use std::fs::File;
use std::io::{self, Read as _};

use flate2::read::MultiGzDecoder;

use super::marks::{PRIVATE_KEY, secret_in};
use super::{Secret, fill};

/// How much of the beginning of a file is judged, and of what it decompresses to.
pub(super) const SAMPLE_BYTES: usize = 64 * 1024;
/// How many gzip files in one another are looked into; deeper ones count as opaque.
const NESTING_MAX: usize = 3;
/// A form whose content does not show in its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) name: &'static str,
    pub(super) is_gzip: bool,
}

/// What a disk lends to memory is memory: parts of any process's.
const MEMORY: Secret = Secret::new("memory that was written to a disk");
/// Where a swap file says what it is, by the size of a page (mkswap(8)), and what it says.
const SWAP_PLACES: [usize; 5] = [4_086, 8_182, 16_374, 32_758, 65_526];
const SWAP_MAGICS: [&[u8]; 4] = [b"SWAPSPACE2", b"SWAP-SPACE", b"S1SUSPEND\0", b"S2SUSPEND\0"];
/// Dumps: of a kernel by kdump and by LiME, of a Windows kernel.
const DUMP_MAGICS: [&[u8]; 5] = [b"KDUMP   ", b"DISKDUMP", b"EMiL", b"PAGEDUMP", b"PAGEDU64"];

const FORMS: [(&[u8], &str); 15] = [
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"PK\x03\x04", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\x5d\x00\x00", "lzma"),
    (b"LZIP", "lzip"),
    (b"\x89LZO\0", "lzo"),
    (b"\x1f\x9d", "compress"),
    (b"\x78\x01", "zlib"),
    (b"\x78\x9c", "zlib"),
    (b"\x78\xda", "zlib"),
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
            if is_memory(&bytes) {
                return Some(MEMORY);
            }
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

/// Keys in DER (PKCS #1, #8, #12, SEC 1) and of Java, which only their first bytes show.
fn secret_at_start(bytes: &[u8]) -> Option<Secret> {
    if bytes.starts_with(b"\xfe\xed\xfe\xed") || bytes.starts_with(b"\xce\xce\xce\xce") {
        return Some(PRIVATE_KEY);
    }
    // A host key of Dropbear: the length and the name of its kind, as they are in no text.
    if bytes.starts_with(b"\0\0\0")
        && [&b"ssh-"[..], b"ecdsa-"]
            .iter()
            .any(|kind| bytes.get(4..).is_some_and(|rest| rest.starts_with(kind)))
    {
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

/// A swap file, a hibernated system, or a dump of a program or a kernel.
fn is_memory(bytes: &[u8]) -> bool {
    let is_swap = SWAP_PLACES.iter().any(|place| {
        bytes.get(*place..).is_some_and(|rest| SWAP_MAGICS.iter().any(|magic| rest.starts_with(magic)))
    });
    // elf(5): a core file has type 4, in the byte order that the sixth byte names.
    let is_core = bytes.starts_with(b"\x7fELF")
        && (bytes.get(16..18) == Some(b"\x04\0") || bytes.get(16..18) == Some(b"\0\x04"));
    is_swap || is_core || DUMP_MAGICS.iter().any(|magic| bytes.starts_with(magic))
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
    use super::super::marks::{DATABASE, LOG_MAGICS, PASSWORD_HASHES};
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
        for database in [
            &b"SQLite format 3\0\x10\0"[..],
            LOG_MAGICS[0],
            LOG_MAGICS[1],
            b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7",
            &tar,
        ] {
            assert_eq!(holds(database), Some(DATABASE.holds));
            assert_eq!(holds(&gzipped(database)), Some(DATABASE.holds));
        }
        assert_eq!(holds(b"root:$y$j9T$abcdefgh$ijk:19000:0:99999:7:::\n"), Some(PASSWORD_HASHES.holds));
        assert_eq!(holds(b"a:$6$rounds=5000$salt$hash:1\n"), Some(PASSWORD_HASHES.holds));
    }

    #[test]
    fn memory_on_a_disk_is_known_by_its_bytes() {
        let mut swap = vec![0; 5_000];
        swap[4_086..4_096].copy_from_slice(b"SWAPSPACE2");
        let mut core = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x04\0".to_vec();
        core.extend([0; 100]);
        for memory in [swap, core, b"KDUMP   \x06\0\0\0".to_vec()] {
            assert_eq!(holds(&memory), Some(MEMORY.holds));
        }
        assert_eq!(holds(b"a swap file says SWAPSPACE2 at the end of its first page\n"), None);
        assert_eq!(holds(b"\0\0\0\x0bssh-ed25519\0\0\0@"), Some(PRIVATE_KEY.holds));
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
