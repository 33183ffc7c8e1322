//! Garbage with a good signature: what a machine that was taken over could send.
//!
//! A mutation of signed bytes is refused at the door. These are made first and signed after, with the right keys,
//! digests and chain, so that they reach the rules behind it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tidegate_core::chain::Link;
use tidegate_core::digest::Digest;
use tidegate_core::entropy::Entropy;
use tidegate_core::id::{JournalId, RequestId};
use tidegate_core::journal::JournalHeader;
use tidegate_core::keys::{KeyPair, Role, Sign as _};
use tidegate_core::time::Timestamp;
use tidegate_core::wire::SyncRequest;

use super::chance::Chance;
use super::text::{mutate_bytes, mutate_json};

const SYNC: &str = "application/vnd.tidegate.sync.v2+json";

/// A machine that has gone wrong.
pub(super) struct Hostile {
    keys: KeyPair,
    /// A first line it once sent, as JSON.
    line: Value,
    header: JournalHeader,
    /// An idle sync that is admitted while nothing moves.
    idle: Value,
    /// Where its journal stands at the control plane.
    number: u64,
    hash: Digest,
    /// Sequences that were queued for it.
    pub(super) sequences: Vec<String>,
}

impl Hostile {
    /// Goes wrong after `honest`, a signed request with entries that was answered.
    pub(super) fn after(
        keys: KeyPair,
        honest: &[u8],
        idle: &[u8],
        sequences: Vec<String>,
    ) -> anyhow::Result<Self> {
        let request = SyncRequest::parse(honest)?;
        let last = request.entries.last().ok_or_else(|| anyhow::anyhow!("the request carries entries"))?;
        Ok(Self {
            keys,
            line: serde_json::to_value(&request.line)?,
            header: serde_json::from_str(&last.header)?,
            idle: serde_json::from_slice(idle)?,
            number: request.line.journal.number,
            hash: last.hash(),
            sequences,
        })
    }

    /// Takes the control plane's word for where the journal stands; answers whether it still listens.
    pub(super) fn heard(&mut self, status: u16, answer: &[u8]) -> bool {
        if status == 403 {
            return false;
        }
        let Ok(answer) = serde_json::from_slice::<Value>(answer) else { return true };
        let journal = &answer["journal"];
        if journal["id"] == self.line["journal"]["id"]
            && let (Some(number), Some(hash)) = (journal["number"].as_u64(), journal["hash"].as_str())
        {
            self.number = number;
            self.hash = hash.parse().unwrap_or(self.hash);
        }
        !matches!(journal["state"].as_str(), Some("forked" | "replaced"))
    }

    /// The next body to send.
    pub(super) fn sync(&mut self, chance: &mut Chance) -> Vec<u8> {
        let mut line = self.line.clone();
        line["request"] = json!(RequestId::fresh(&mut entropy(chance)).to_string());
        match chance.below(8) {
            0 => self.idle(chance),
            1 => self.altered_line(&mut line, chance),
            2 => self.gap(line, chance),
            _ => self.entries(line, chance),
        }
    }

    fn idle(&self, chance: &mut Chance) -> Vec<u8> {
        if chance.once_in(4) { self.idle.to_string().into_bytes() } else { mutate_json(&self.idle, chance) }
    }

    fn altered_line(&self, line: &mut Value, chance: &mut Chance) -> Vec<u8> {
        if let Some(fields) = line.as_object_mut() {
            fields.retain(|name, _| !["after", "content"].contains(&name.as_str()));
        }
        if chance.once_in(3) {
            line["journal"]["id"] = json!(JournalId::fresh(&mut entropy(chance)).to_string());
        }
        self.sealed(&mutate_json(line, chance), &[])
    }

    fn gap(&self, mut line: Value, chance: &mut Chance) -> Vec<u8> {
        let through = self.number + 1 + chance.below(1_000) as u64;
        let gap = json!({ "number": through, "hash": Digest::of("gone"), "known": self.known(chance) });
        let content =
            if chance.once_in(2) { gap.to_string().into_bytes() } else { mutate_json(&gap, chance) };
        line["gap"] = json!(true);
        line["after"] = json!(through);
        line["journal"]["number"] = json!(through);
        line["journal"]["hash"] = json!(Digest::of("gone"));
        line["content"] = json!(Digest::of(&content));
        self.sealed(line.to_string().as_bytes(), &content)
    }

    fn entries(&self, mut line: Value, chance: &mut Chance) -> Vec<u8> {
        let (mut number, mut hash, mut content) = (self.number, self.hash, Vec::new());
        for _ in 0..=chance.below(4) {
            let body = self.body(chance);
            let mut header = self.header.clone();
            let kind = body["kind"].as_str().unwrap_or("odd").to_owned();
            let body = if chance.once_in(3) {
                body.to_string()
            } else {
                String::from_utf8_lossy(&mutate_json(&body, chance)).into_owned()
            };
            let body = body.replace('\n', " ");
            number = number.wrapping_add(1);
            header.link = Link::new(number, hash, &body, &mut entropy(chance));
            header.kind = kind;
            header.at = Timestamp::from_milliseconds(header.at.milliseconds() + chance.below(1_000) as i64);
            let mut header = serde_json::to_string(&header).unwrap_or_default();
            if chance.once_in(12) {
                let value = serde_json::from_str(&header).unwrap_or_default();
                header = String::from_utf8_lossy(&mutate_json(&value, chance)).replace('\n', " ");
            }
            hash = Digest::of(&header);
            if !content.is_empty() {
                content.push(b'\n');
            }
            content.extend_from_slice(format!("{header}\n{body}").as_bytes());
        }
        if chance.once_in(15) {
            mutate_bytes(&mut content, chance);
        }
        line["after"] = json!(self.number);
        line["journal"]["number"] = json!(number);
        line["journal"]["hash"] = json!(hash);
        line["content"] = json!(Digest::of(&content));
        if let Some(fields) = line.as_object_mut() {
            fields.remove("gap");
        }
        let line =
            if chance.once_in(10) { mutate_json(&line, chance) } else { line.to_string().into_bytes() };
        self.sealed(&line, &content)
    }

    fn sealed(&self, line: &[u8], content: &[u8]) -> Vec<u8> {
        let mut bytes = json!({ "signed": envelope(&self.keys, SYNC, line) }).to_string().into_bytes();
        if !content.is_empty() {
            bytes.push(b'\n');
            bytes.extend_from_slice(content);
        }
        bytes
    }

    fn known(&self, chance: &mut Chance) -> Value {
        json!({ "complete_since": "2026-01-01T00:00:00.000Z", "outcomes": [self.outcome(chance)] })
    }

    fn outcome(&self, chance: &mut Chance) -> Value {
        let ended = ["completed", "stopped", "cancelled", "expired"];
        json!({
            "sequence": self.sequence(chance),
            "ended": chance.one_of(&ended),
            "steps": [{ "state": "succeeded", "attempts": 1 }, { "state": "failed", "attempts": 1 }],
        })
    }

    fn sequence(&self, chance: &mut Chance) -> String {
        if self.sequences.is_empty() { String::new() } else { chance.one_of(&self.sequences).clone() }
    }

    /// Something a journal can say, before it is altered.
    fn body(&self, chance: &mut Chance) -> Value {
        let (sequence, log) = (self.sequence(chance), self.line["orders"]["id"].clone());
        let (step, attempt) = (chance.below(4), chance.below(3));
        let result = json!({ "summary": "done", "finding": "ok", "data": { "a": 1 },
            "output": { "head": "text", "bytes": 4, "dropped_bytes": 0 } });
        match chance.below(15) {
            0 => json!({ "kind": "booted", "version": "1", "machine_boot": "x", "leftovers": 0 }),
            1 => json!({ "kind": "opened", "log": log, "known": self.known(chance) }),
            2 => json!({ "kind": "continued", "journal": self.line["journal"]["id"], "number": 3,
                "hash": Digest::of("before"), "known": self.known(chance) }),
            3 => json!({ "kind": "accepted", "log": log, "number": step, "order": { "kind": "run",
                "sequence": sequence, "work": Digest::of("work"), "title": "t", "steps": ["shell", "ping"] } }),
            4 => json!({ "kind": "accepted", "log": log, "number": step,
                "order": { "kind": "known", "outcome": self.outcome(chance) } }),
            5 => {
                json!({ "kind": "refused", "log": log, "number": step, "sequence": sequence, "reason": "no" })
            }
            6 => json!({ "kind": "waiting", "sequence": sequence, "reason": { "kind": "clock_unknown" } }),
            7 => json!({ "kind": "step_started", "sequence": sequence, "step": step, "attempt": attempt }),
            8 => json!({ "kind": "step_finished", "sequence": sequence, "step": step, "attempt": attempt,
                "state": "succeeded", "result": result }),
            9 => json!({ "kind": "sequence_finished", "outcome": self.outcome(chance), "reason": null }),
            10 => json!({ "kind": "tampered", "log": log, "number": 2, "digest": Digest::of("x"),
                "problem": "signature" }),
            11 => json!({ "kind": "voided", "log": log, "number": step }),
            12 => json!({ "kind": "facts", "facts": { "os": "x" }, "probes": [] }),
            13 => json!({ "kind": "link", "closed_at": "2026-01-01T00:00:00.000Z",
                "opened_at": "2026-01-01T00:00:00.000Z", "attempts": 3, "problem": "p" }),
            _ => json!({ "kind": "accepted", "log": log, "number": step,
                "order": { "kind": "cancel", "sequence": sequence, "met": "running" } }),
        }
    }
}

/// An envelope around bytes that need not be what their type says.
pub(super) fn envelope(keys: &KeyPair, payload_type: &str, payload: &[u8]) -> Value {
    let mut signed = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    signed.extend_from_slice(payload);
    let signature = keys.sign(Role::Endpoint, &signed);
    json!({
        "payloadType": payload_type,
        "payload": BASE64.encode(payload),
        "signatures": [{ "keyid": keys.public_key(Role::Endpoint).key_id(), "sig": BASE64.encode(signature) }],
    })
}

fn entropy(chance: &mut Chance) -> Entropy {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&chance.next().to_be_bytes());
    Entropy::new(seed)
}
