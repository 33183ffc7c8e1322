//! Secrets that are known by bytes which stand in nothing else, wherever they stand.

use memchr::memmem;

use super::Secret;

/// Longest text that a secret is known by, from its first line to its last: an armored key of 16,384 bits with what
/// stands around it. Reads overlap by that much, so that no part of it is read without its mark.
pub(super) const SECRET_BYTES_MAX: usize = 32 * 1024;
/// How far before `PRIVATE KEY` its `BEGIN` or `END` stands at the most.
const LABEL_BYTES_MAX: usize = 40;
/// Length of what follows the prefix of a password hash, salt and hash, at the least.
const HASH_BYTES_MIN: usize = 24;

pub(super) const DATABASE: Secret = Secret::new("an SQLite database, or its log");
pub(super) const PRIVATE_KEY: Secret = Secret::new("a private key");
pub(super) const PASSWORD_HASHES: Secret = Secret::new("password hashes");
pub(super) const TOKEN: Secret = Secret::new("a token of Tidegate");

/// Bytes that stand in nothing else, wherever they stand.
const MARKERS: [(&[u8], Secret); 13] = [
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
    // BIND's keys of a zone.
    (b"Private-key-format: v", PRIVATE_KEY),
    (b"BEGIN OpenVPN Static key", PRIVATE_KEY),
    (b"END OpenVPN Static key", PRIVATE_KEY),
    (b"BEGIN OpenVPN tls-crypt-v2", PRIVATE_KEY),
    (b"END OpenVPN tls-crypt-v2", PRIVATE_KEY),
];
/// The two magics of a write-ahead log differ in their last bit; the version follows.
pub(super) const LOG_MAGICS: [&[u8]; 2] =
    [b"\x37\x7f\x06\x82\x00\x2d\xe2\x18", b"\x37\x7f\x06\x83\x00\x2d\xe2\x18"];
/// Schemes of password hashes (crypt(5), Apache, the PHC string format), each between two `$`.
const SCHEMES: [&[u8]; 17] = [
    b"1",
    b"2a",
    b"2b",
    b"2x",
    b"2y",
    b"5",
    b"6",
    b"7",
    b"y",
    b"gy",
    b"md5",
    b"sha1",
    b"apr1",
    b"argon2i",
    b"argon2d",
    b"argon2id",
    b"scrypt",
];
/// Hashes of directories (RFC 2307) have theirs in braces.
const LDAP_SCHEMES: [&[u8]; 4] = [b"{SSHA", b"{SMD5}", b"{PBKDF2", b"{CRYPT}"];
/// Names before a WireGuard key, which is 32 bytes in base64.
const WIREGUARD_NAMES: [&[u8]; 2] = [b"PrivateKey", b"PresharedKey"];
/// Prefixes of Tidegate's own tokens, of sessions and of programs.
const TOKEN_PREFIXES: [&[u8]; 2] = [b"tgp_", b"tgs_"];
/// Length of a token behind its prefix, at the least.
const TOKEN_BYTES_MIN: usize = 32;

/// What of `bytes` no check reads, wherever it stands in them.
pub(crate) fn secret_in(bytes: &[u8]) -> Option<Secret> {
    secret_in_text(bytes).or_else(|| {
        // In UTF-16 and UTF-32 every byte of a mark is followed or preceded by zeros. The rest of the file may be ASCII.
        let is_wide = memchr::memchr(0, bytes).is_some();
        let text = || bytes.iter().copied().filter(|byte| *byte != 0).collect::<Vec<u8>>();
        is_wide.then(text).and_then(|text| secret_in_text(&text))
    })
}

fn secret_in_text(bytes: &[u8]) -> Option<Secret> {
    let has = |marker: &&[u8]| memmem::find(bytes, marker).is_some();
    let marked = MARKERS.iter().find(|(marker, _)| has(marker)).map(|(_, secret)| *secret);
    marked
        .or_else(|| {
            (has_pem_key(bytes) || has_wireguard_key(bytes) || has_json_key(bytes)).then_some(PRIVATE_KEY)
        })
        .or_else(|| LOG_MAGICS.iter().any(has).then_some(DATABASE))
        .or_else(|| has_password_hash(bytes).then_some(PASSWORD_HASHES))
        .or_else(|| has_token(bytes).then_some(TOKEN))
}

/// `-----BEGIN … PRIVATE KEY-----`, `---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----`, `-----BEGIN PGP PRIVATE KEY BLOCK-----`,
/// and the same with `END`, which is all that shows the rest of a key.
fn has_pem_key(bytes: &[u8]) -> bool {
    memmem::find_iter(bytes, b"PRIVATE KEY").any(|at| {
        let label = &bytes[at.saturating_sub(LABEL_BYTES_MAX)..at];
        let is_behind = |word: &[u8]| {
            memmem::rfind(label, word).is_some_and(|begin| {
                let (dashes, words) = (&label[..begin], &label[begin..]);
                dashes.trim_ascii_end().ends_with(b"--") && !words.contains(&b'\n')
            })
        };
        is_behind(b"BEGIN ") || is_behind(b"END ")
    })
}

/// `PrivateKey=` or `PrivateKey = ` and a key, as in `wg(8)` and systemd.netdev(5).
fn has_wireguard_key(bytes: &[u8]) -> bool {
    let follows = |at: usize| {
        let value = bytes[at..].trim_ascii_start().strip_prefix(b"=").unwrap_or_default().trim_ascii_start();
        length_of(value, |byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte)) >= 42
    };
    WIREGUARD_NAMES.iter().any(|name| memmem::find_iter(bytes, name).any(|at| follows(at + name.len())))
}

/// A private or symmetric key as JSON (RFC 7517): a `kty`, and a `d` or a `k` that is a text.
fn has_json_key(bytes: &[u8]) -> bool {
    let has_text = |name: &[u8]| {
        memmem::find_iter(bytes, name).any(|at| {
            let value = bytes[at + name.len()..].trim_ascii_start().strip_prefix(b":").unwrap_or_default();
            value.trim_ascii_start().starts_with(b"\"")
        })
    };
    has_text(b"\"kty\"") && (has_text(b"\"d\"") || has_text(b"\"k\""))
}

/// `$6$salt$hash`, as in shadow(5), htpasswd, kickstart and cloud-init, or `{SSHA}hash`. Behind a colon it may be cut.
fn has_password_hash(bytes: &[u8]) -> bool {
    let is_salted = |hash: &[u8], bytes_min: usize| {
        length_of(hash, |byte| byte.is_ascii_alphanumeric() || b"./$=,+-".contains(&byte)) >= bytes_min
    };
    let is_hash = |at: usize| {
        let schemed = |scheme: &&[u8]| {
            let rest = bytes[at + 1..].strip_prefix(*scheme)?;
            rest.strip_prefix(b"$")
        };
        let bytes_min = if at > 0 && bytes[at - 1] == b':' { 8 } else { HASH_BYTES_MIN };
        SCHEMES.iter().filter_map(schemed).any(|hash| is_salted(hash, bytes_min))
    };
    memchr::memchr_iter(b'$', bytes).any(is_hash)
        || LDAP_SCHEMES.iter().any(|scheme| {
            memmem::find_iter(bytes, scheme).any(|at| {
                let rest = &bytes[at + scheme.len()..];
                let hash =
                    memchr::memchr(b'}', rest).filter(|end| *end < 16).map_or(rest, |end| &rest[end + 1..]);
                is_salted(hash, HASH_BYTES_MIN)
            })
        })
}

fn has_token(bytes: &[u8]) -> bool {
    let is_long = |at: usize| length_of(&bytes[at..], |byte| byte.is_ascii_alphanumeric()) >= TOKEN_BYTES_MIN;
    TOKEN_PREFIXES.iter().any(|prefix| memmem::find_iter(bytes, prefix).any(|at| is_long(at + prefix.len())))
}

/// How many bytes from the first on are of a kind.
fn length_of(bytes: &[u8], is_of_it: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| is_of_it(**byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_key_that_has_a_mark_is_known() {
        for text in [
            &b"MIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----\n"[..],
            b"---- END SSH2 ENCRYPTED PRIVATE KEY ----",
            b"[WireGuard]\nPrivateKey=yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n",
            b"[Interface]\nPrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n",
            b"Private-key-format: v1.3\nAlgorithm: 13 (ECDSAP256SHA256)\n",
            b"{ \"kty\": \"EC\", \"crv\": \"P-256\", \"d\" : \"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE\" }",
            b"{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ\"}",
            b"-----BEGIN OpenVPN Static key V1-----\n6acef03f62675b4b1bbd03e53b187727\n",
        ] {
            assert_eq!(secret_in(text), Some(PRIVATE_KEY), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_key_in_wide_characters_is_known_in_a_file_of_narrow_ones() {
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let mut mixed = vec![b'x'; 100_000];
        mixed.extend(wide("-----BEGIN PRIVATE KEY-----"));
        assert_eq!(secret_in(&mixed), Some(PRIVATE_KEY));
    }

    #[test]
    fn a_password_hash_is_known_wherever_it_stands() {
        let salted = "saltsalt$G0vB9m8vVtQ3WbQ7aQy2eH1zX4cR5dT6fU7gV8hW9iX0jY1kZ2lA3mB4nC5oD6";
        for text in [
            format!("password: \"$6${salted}\""),
            format!("rootpw --iscrypted $5${salted}"),
            "web:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/".to_owned(),
            "hash=$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy".to_owned(),
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG".to_owned(),
            "userPassword: {SSHA}DkMTwBl+a/3DQTxCYEApdUtNXGgdUac3".to_owned(),
            "root:$y$j9T$abcdefgh$ijk:19000:0:99999:7:::".to_owned(),
        ] {
            assert_eq!(secret_in(text.as_bytes()), Some(PASSWORD_HASHES), "{text}");
        }
        for text in
            ["for i in $1 $2; do echo $6$i; done", "total: $5$ and more", "{SSHA} is a scheme", "a$1$b$2$c"]
        {
            assert_eq!(secret_in(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_token_of_ours_is_known_and_its_prefix_alone_is_not() {
        let token = format!("TIDEGATE_TOKEN=tgp_{}", "a1b2c3d4".repeat(6));
        assert_eq!(secret_in(token.as_bytes()), Some(TOKEN));
        assert_eq!(secret_in(b"tokens begin with tgp_ and sessions with tgs_"), None);
    }
}
