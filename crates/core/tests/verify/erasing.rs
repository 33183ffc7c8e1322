//! Erases bodies in the control plane's database, as a command that erases has to.

use tidegate_core::chain::Link;
use tidegate_core::digest::Digest;
use tidegate_core::entropy::Entropy;
use tidegate_core::transcript::{TranscriptBody, TranscriptHeader};

use crate::world::{ENDPOINT, World};

impl World {
    /// Erases the body of entry `number` and records that, in one transaction.
    pub(crate) fn erase(&mut self, number: usize) {
        let header: TranscriptHeader = serde_json::from_str(&self.export()[2 * number - 1]).unwrap();
        let named = number as u64;
        let body = TranscriptBody::Erased { number: named, body: header.link.body, reason: None };
        let body = serde_json::to_string(&body).unwrap();
        self.control
            .transaction(|db| {
                let rows = db.query("SELECT transcript_number, transcript_hash FROM endpoint", &[])?;
                let (last, hash): (u64, Digest) = (rows[0].unsigned(0)?, rows[0].parsed(1)?);
                let erased = TranscriptHeader {
                    kind: "erased".into(),
                    actor: "ada@example.com".into(),
                    sequence: None,
                    journal: None,
                    link: Link::new(last + 1, hash, &body, &mut Entropy::new([78; 32])),
                    ..header
                };
                let text = serde_json::to_string(&erased).unwrap();
                let hash = Digest::of(&text);
                db.execute(
                    "INSERT INTO transcript (endpoint_id, number, header, body) VALUES (?1, ?2, ?3, ?4)",
                    &[ENDPOINT.into(), (last + 1).into(), text.into(), body.into()],
                )?;
                db.execute(
                    "UPDATE transcript SET body = NULL, packed = NULL WHERE number = ?1",
                    &[named.into()],
                )?;
                db.execute(
                    "UPDATE endpoint SET transcript_number = ?1, told_number = ?1, transcript_hash = ?2",
                    &[(last + 1).into(), hash.into()],
                )
            })
            .unwrap();
    }
}
