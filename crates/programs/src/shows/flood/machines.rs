//! Enrolled machines that send the largest syncs there are, one after the other: valid, signed, and of no use.

use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use tidegate_core::chain::{Entry, Link};
use tidegate_core::digest::Digest;
use tidegate_core::entropy::Entropy;
use tidegate_core::id::{BootId, EndpointId, JournalId, RequestId};
use tidegate_core::journal::JournalHeader;
use tidegate_core::keys::KeyPair;
use tidegate_core::time::Timestamp;
use tidegate_core::wire::{EnrolAnswer, Head, PROTOCOL_VERSION, SyncAnswer, SyncLine, SyncRequest};
use tokio::task::JoinSet;

use super::Orders;
use crate::harness::{Connection, Newcomer, SYNC_PATH, World, enrol_many, loopback, random, request_bytes};

const MACHINES: usize = 20;
/// Entries of a sync, and bytes of each: just below the bounds of both.
const ENTRIES: usize = 15;
const ENTRY_BYTES: usize = 520_000;

/// A machine that keeps to the protocol and fills the disk.
pub(super) struct Hostile {
    keys: KeyPair,
    endpoint: EndpointId,
    boot: BootId,
    journal: Head<JournalId>,
    at: Timestamp,
    entropy: Entropy,
}

/// Enrols them.
pub(super) fn enrol(world: &World) -> anyhow::Result<Vec<Hostile>> {
    let code = world.code_for(MACHINES)?;
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let to = ([127, 0, 0, 1], world.plane.runtime_port()).into();
    let kept = code.clone();
    let keep = move |newcomer: Newcomer, answer: &[u8]| {
        let answer: EnrolAnswer = serde_json::from_slice(answer)?;
        let mut entropy = Entropy::new(random()?);
        let journal = newcomer.payload(&kept)?.journal;
        Ok(Hostile {
            endpoint: answer.endpoint,
            boot: BootId::fresh(&mut entropy),
            journal: Head { id: journal, number: 0, hash: Digest::ZERO },
            at: answer.at,
            keys: newcomer.keys,
            entropy,
        })
    };
    tokio.block_on(enrol_many(to, code, MACHINES, keep))
}

pub(super) async fn attack(orders: Orders, machines: Vec<Hostile>) -> anyhow::Result<()> {
    let mut attacking = JoinSet::new();
    for (number, mut machine) in machines.into_iter().enumerate() {
        let orders = orders.clone();
        attacking.spawn(async move {
            let mut connection = None;
            while !orders.is_over() {
                let sent = machine.sync(&orders, loopback(10 + number), &mut connection).await;
                orders.answered(matches!(sent, Ok(true)));
                if !matches!(sent, Ok(true)) {
                    connection = None;
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        });
    }
    while let Some(attacked) = attacking.join_next().await {
        attacked?;
    }
    Ok(())
}

impl Hostile {
    /// Sends one sync; whether it was taken.
    async fn sync(
        &mut self,
        orders: &Orders,
        from: std::net::IpAddr,
        connection: &mut Option<Connection>,
    ) -> anyhow::Result<bool> {
        let before = self.journal;
        let entries: Vec<Entry> = (0..ENTRIES).map(|_| self.entry()).collect::<Result<_, _>>()?;
        let line = SyncLine {
            v: PROTOCOL_VERSION,
            endpoint: self.endpoint,
            request: RequestId::fresh(&mut self.entropy),
            boot: self.boot,
            serial: 1,
            proofs: 0,
            wall: self.at,
            clock: None,
            journal: self.journal,
            orders: None,
            after: Some(before.number),
            content: None,
            gap: false,
            failures: None,
        };
        let plain = SyncRequest::seal(line, None, &entries, &self.keys);
        drop(entries);
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&plain)?;
        let body = encoder.finish()?;
        drop(plain);
        let bytes = request_bytes("POST", SYNC_PATH, &[("content-encoding", "deflate")], &body);
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(Connection::open(orders.to, from).await?),
        };
        orders.sent(bytes.len());
        match connection.exchange(&bytes).await {
            Ok(answer) if answer.status == 200 => {
                let answer: SyncAnswer =
                    serde_json::from_slice(answer.body).context("the answer to a sync")?;
                self.journal = answer.journal.head;
                Ok(true)
            }
            Ok(_) | Err(_) => {
                self.journal = before;
                Ok(false)
            }
        }
    }

    fn entry(&mut self) -> anyhow::Result<Entry> {
        let body = format!(r#"{{"kind":"junk","text":"{}"}}"#, "a".repeat(ENTRY_BYTES));
        let number = self.journal.number + 1;
        let header = JournalHeader {
            journal: self.journal.id,
            kind: "junk".to_owned(),
            at: self.at,
            is_unsure: false,
            wall: self.at,
            monotonic_ms: number,
            boot: self.boot,
            link: Link::new(number, self.journal.hash, &body, &mut self.entropy),
        };
        let entry = Entry { header: serde_json::to_string(&header)?, body: Some(body) };
        self.journal = Head { id: self.journal.id, number, hash: entry.hash() };
        Ok(entry)
    }
}
