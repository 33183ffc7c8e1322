//! What a forger with the database, and perhaps with the order key, can do to an export.

use serde_json::{Value, json};
use tidegate_core::chain::Link;
use tidegate_core::digest::Digest;
use tidegate_core::entropy::Entropy;
use tidegate_core::export::ExportHead;
use tidegate_core::keys::KeyPair;
use tidegate_core::transcript::TranscriptHeader;

/// Makes every header from entry `from` on fit its body and the one before.
pub(crate) fn rechain(lines: &mut [String], from: usize) {
    let mut entropy = Entropy::new([77; 32]);
    let mut previous = if from == 1 { Digest::ZERO } else { Digest::of(&lines[2 * from - 3]) };
    for index in from..=(lines.len() - 1) / 2 {
        let mut header: TranscriptHeader = serde_json::from_str(&lines[2 * index - 1]).unwrap();
        header.link = Link::new(index as u64, previous, &lines[2 * index], &mut entropy);
        lines[2 * index - 1] = serde_json::to_string(&header).unwrap();
        previous = Digest::of(&lines[2 * index - 1]);
    }
}

/// Adds an entry of the control plane at the end.
pub(crate) fn append(lines: &mut Vec<String>, kind: &str, body: &str) {
    let before: TranscriptHeader = serde_json::from_str(&lines[lines.len() - 2]).unwrap();
    let actor = "control plane".to_owned();
    let header = TranscriptHeader { kind: kind.into(), actor, sequence: None, journal: None, ..before };
    lines.extend([serde_json::to_string(&header).unwrap(), body.to_owned()]);
    let last = (lines.len() - 1) / 2;
    rechain(lines, last);
}

/// Signs the last entry as the control plane does.
pub(crate) fn sign_last(lines: &mut [String], keys: &KeyPair) {
    let head: ExportHead = serde_json::from_str(&lines[0]).unwrap();
    let number = ((lines.len() - 1) / 2) as u64;
    let hash = if number == 0 { Digest::ZERO } else { Digest::of(&lines[lines.len() - 2]) };
    lines[0] = serde_json::to_string(&head.sealed(1, number, hash, keys)).unwrap();
}

/// Changes the first line.
pub(crate) fn edit_head(lines: &mut [String], edit: impl FnOnce(&mut ExportHead)) {
    let mut head: ExportHead = serde_json::from_str(&lines[0]).unwrap();
    edit(&mut head);
    lines[0] = serde_json::to_string(&head).unwrap();
}

/// The number of the first entry of `kind`.
pub(crate) fn entry_of(lines: &[String], kind: &str) -> usize {
    let is_kind = |line: &&String| {
        let header: Value = serde_json::from_str(line).unwrap_or_default();
        header["kind"] == json!(kind) && header["link"].is_object()
    };
    let index = lines.iter().position(|line| is_kind(&line)).unwrap_or_else(|| panic!("no {kind}"));
    index.div_ceil(2)
}
