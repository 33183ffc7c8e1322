//! From a valid request to garbage.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::Value;

use super::chance::Chance;
use super::seeds::{Body, Seed};
use super::signed::{Hostile, envelope};
use super::text::{mutate_bytes, mutate_json, strange_text};

const METHODS: &[&str] =
    &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "PROPFIND", "X"];

/// Bytes to send, and how to leave.
pub(super) struct Shot {
    pub(super) bytes: Vec<u8>,
    pub(super) ending: Ending,
    /// The answer has no body although it announces one.
    pub(super) is_head: bool,
}

/// What the client does once it has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Waits for the answer and keeps the connection.
    Stay,
    /// Closes its half and reads what comes.
    HalfClose,
    /// Leaves at once.
    Leave,
}

/// Bodies that grow when they are decompressed, made once.
pub(super) struct Bombs {
    gzip: Vec<u8>,
    zlib: Vec<u8>,
}

impl Bombs {
    /// 32 MiB of zeros, four times what any route reads.
    pub(super) fn new() -> anyhow::Result<Self> {
        let zeros = vec![0; 32 << 20];
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&zeros)?;
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        zlib.write_all(&zeros)?;
        Ok(Self { gzip: gzip.finish()?, zlib: zlib.finish()? })
    }
}

/// A request in parts, while it is being altered.
struct Draft {
    method: String,
    path: Vec<u8>,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    /// What `Content-Length` says; `None`: nothing does.
    announced: Option<String>,
}

/// One case: the seed's request, altered in one to three ways; `hostile` is who syncs.
pub(super) fn shot(
    seed: &Seed,
    token: &str,
    hostile: &mut Hostile,
    bombs: &Bombs,
    chance: &mut Chance,
) -> Shot {
    let body = body(&seed.body, hostile, chance);
    let mut draft = Draft {
        method: seed.method.clone(),
        path: seed.path(chance).into_bytes(),
        headers: vec![("authorization".into(), format!("Bearer {token}").into_bytes())],
        announced: Some(body.len().to_string()),
        body,
    };
    if !draft.body.is_empty() {
        draft.headers.push(("content-type".into(), b"application/json".to_vec()));
    }
    if seed.method == "PATCH" {
        draft.headers.push(("if-match".into(), format!("\"{}\"", chance.below(4)).into_bytes()));
    }
    // A body that was altered before it was signed is enough most of the time.
    let alterations =
        if matches!(seed.body, Body::Sync) && !chance.once_in(4) { 0 } else { 1 + chance.below(3) };
    for _ in 0..alterations {
        draft.alter(bombs, chance);
    }
    let ending = match chance.below(30) {
        0 => Ending::HalfClose,
        1 => Ending::Leave,
        _ => Ending::Stay,
    };
    Shot { is_head: draft.method == "HEAD", bytes: draft.bytes(), ending }
}

/// Bytes that are not HTTP.
pub(super) fn noise(chance: &mut Chance) -> Vec<u8> {
    let starts: [&[u8]; 7] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\n",
        b"POST /runtime/v1/sync HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        b"GET /healthz HTTP/9.9\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"",
    ];
    let mut bytes = chance.one_of(&starts).to_vec();
    let length = chance.below(3_000);
    bytes.extend(chance.bytes(length));
    bytes
}

fn body(body: &Body, hostile: &mut Hostile, chance: &mut Chance) -> Vec<u8> {
    match body {
        Body::Nothing => Vec::new(),
        Body::Json(values) if values.is_empty() => b"{}".to_vec(),
        Body::Json(values) => {
            let value = chance.one_of(values);
            if chance.once_in(3) { value.to_string().into_bytes() } else { mutate_json(value, chance) }
        }
        Body::Enrol(requests) => {
            let (keys, payload) = chance.one_of(requests);
            let kind = if chance.once_in(6) { "recover" } else { "enrol" };
            let payload = match chance.below(4) {
                0 => payload.to_string().into_bytes(),
                _ => mutate_json(payload, chance),
            };
            let sealed = envelope(keys, &format!("application/vnd.tidegate.{kind}.v2+json"), &payload);
            if chance.once_in(4) { mutate_json(&sealed, chance) } else { sealed.to_string().into_bytes() }
        }
        Body::Sync => hostile.sync(chance),
    }
}

impl Draft {
    fn alter(&mut self, bombs: &Bombs, chance: &mut Chance) {
        match chance.below(16) {
            0 => self.method = (*chance.one_of(METHODS)).to_owned(),
            1 | 2 => self.alter_path(chance),
            3 | 4 => self.alter_query(chance),
            5..=8 => self.alter_header(chance),
            9 => self.alter_length(chance),
            10 => self.encode(bombs, chance),
            11 => {
                let length = 1 << (10 + chance.below(11));
                self.set_body(vec![b' '; length]);
            }
            _ => {
                let mut body = std::mem::take(&mut self.body);
                match serde_json::from_slice::<Value>(&body) {
                    Ok(value) if chance.once_in(2) => body = mutate_json(&value, chance),
                    Ok(_) | Err(_) => mutate_bytes(&mut body, chance),
                }
                self.set_body(body);
            }
        }
    }

    fn set_body(&mut self, body: Vec<u8>) {
        self.announced = Some(body.len().to_string());
        self.body = body;
    }

    fn alter_path(&mut self, chance: &mut Chance) {
        let ends: [&[u8]; 10] = [
            b"/",
            b"//",
            b"/..",
            b"/%2e%2e/%2e%2e",
            b"%00",
            b"%",
            b"%zz",
            b"%ff%fe",
            b"/%f0%9f%92%a9",
            b";a=b",
        ];
        match chance.below(3) {
            0 => self.path.extend_from_slice(chance.one_of::<&[u8]>(&ends)),
            1 => {
                let length = 1 + chance.below(9_000);
                self.path.extend(std::iter::repeat_n(b'a', length));
            }
            _ => mutate_bytes(&mut self.path, chance),
        }
    }

    fn alter_query(&mut self, chance: &mut Chance) {
        const NAMES: &[&str] =
            &["cursor", "limit", "q", "client", "site", "endpoint", "state", "since", "sequence", "x"];
        self.path.push(if self.path.contains(&b'?') { b'&' } else { b'?' });
        self.path.extend_from_slice(chance.one_of(NAMES).as_bytes());
        self.path.push(b'=');
        match chance.below(4) {
            0 => {
                let length = chance.below(60);
                let noise = chance.bytes(length);
                self.path.extend(noise.iter().flat_map(|byte| format!("%{byte:02x}").into_bytes()));
            }
            1 => self.path.extend_from_slice(b"18446744073709551616"),
            2 => {
                let text = strange_text(chance);
                self.path
                    .extend(text.bytes().take(6_000).flat_map(|byte| format!("%{byte:02X}").into_bytes()));
            }
            _ => {
                let length = chance.below(80);
                let noise = chance.bytes(length);
                self.path.extend(noise.iter().map(|byte| b'!' + byte % 90));
            }
        }
    }

    fn alter_header(&mut self, chance: &mut Chance) {
        const NAMES: &[&str] = &[
            "authorization",
            "content-type",
            "content-encoding",
            "accept-encoding",
            "if-match",
            "idempotency-key",
            "host",
            "expect",
            "transfer-encoding",
            "range",
            "upgrade",
            "cookie",
            "x-forwarded-for",
            "accept",
        ];
        const VALUES: &[&str] = &[
            "",
            "text/plain",
            "application/json; charset=utf-16",
            "application/xml",
            "deflate, gzip",
            "br",
            "gzip;q=nan",
            "\"7\"",
            "W/\"1\"",
            "*",
            "\"18446744073709551616\"",
            "chunked",
            "100-continue",
            "bytes=0-18446744073709551615",
            "h2c",
            "Basic YTpi",
            "Bearer tgp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "same-key",
            "identity",
            "close",
        ];
        let name = (*chance.one_of(NAMES)).to_owned();
        let value = match chance.below(5) {
            0 => {
                let length = chance.below(64);
                chance.bytes(length).iter().map(|byte| byte | 0x80).collect()
            }
            1 => vec![b'a'; 1 << chance.below(16)],
            _ => chance.one_of(VALUES).as_bytes().to_vec(),
        };
        match chance.below(4) {
            0 => drop(self.headers.pop()),
            1 => {
                for number in 0..chance.below(150) {
                    self.headers.push((format!("x-{number}"), b"1".to_vec()));
                }
            }
            2 => self.headers.push((name, value)),
            _ => {
                self.headers.retain(|(known, _)| *known != name);
                self.headers.push((name, value));
            }
        }
    }

    fn alter_length(&mut self, chance: &mut Chance) {
        self.announced = match chance.below(6) {
            0 => None,
            1 => Some("-1".into()),
            2 => Some("18446744073709551616".into()),
            3 => Some(self.body.len().saturating_sub(1).to_string()),
            4 => Some("99999999999".into()),
            _ => Some((self.body.len() + 10).to_string()),
        };
    }

    fn encode(&mut self, bombs: &Bombs, chance: &mut Chance) {
        let (name, body) = match chance.below(12) {
            0 => ("gzip", bombs.gzip.clone()),
            1 => ("deflate", bombs.zlib.clone()),
            number => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
                let written = encoder.write_all(&self.body).and_then(|()| encoder.finish());
                let mut body = written.unwrap_or_default();
                if number % 2 == 0 {
                    mutate_bytes(&mut body, chance);
                }
                (*chance.one_of(&["deflate", "gzip", "br"]), body)
            }
        };
        self.headers.push(("content-encoding".into(), name.as_bytes().to_vec()));
        self.set_body(body);
    }

    fn bytes(self) -> Vec<u8> {
        let mut bytes = format!("{} ", self.method).into_bytes();
        // A space or line end would end the line; that kind of garbage is `noise`.
        bytes.extend(self.path.iter().copied().filter(|byte| *byte > b' '));
        bytes.extend_from_slice(b" HTTP/1.1\r\nhost: localhost\r\n");
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        if let Some(announced) = self.announced {
            bytes.extend_from_slice(format!("content-length: {announced}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}
