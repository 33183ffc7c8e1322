//! The transcript and its export over HTTP.

use serde_json::{Value, json};
use tidegate_core::chain::{Entry, Link};
use tidegate_core::digest::Digest;
use tidegate_core::export::ExportHead;
use tidegate_core::wire::TranscriptHead;

use crate::machine::{ENDPOINT, Machine};
use crate::world::World;

#[tokio::test(start_paused = true)]
async fn an_export_is_its_head_and_every_entry_up_to_it_unaltered() {
    let world = World::new();
    Machine::enrolled(&world).await;
    let sequence = json!({ "draft": true, "steps": [{ "probe": "shell", "with": { "command": "x" } }] });
    for _ in 0..20 {
        world.post(&format!("/api/v1/endpoints/{ENDPOINT}/sequences"), &sequence).await;
    }
    let export = world.get(&format!("/api/v1/endpoints/{ENDPOINT}/export")).await;
    assert_eq!(export.headers["content-type"], "application/x-ndjson");
    let text = String::from_utf8(export.bytes).unwrap();
    let mut lines = text.strip_suffix('\n').unwrap().split('\n');
    let head: ExportHead = serde_json::from_str(lines.next().unwrap()).unwrap();
    let statement_key = head.authority.open().unwrap().statement_key;
    let head: TranscriptHead = head.head.open(&statement_key).unwrap();
    let file = export.headers["content-disposition"].to_str().unwrap();
    assert_eq!(file, format!("attachment; filename=\"tidegate-{ENDPOINT}-{}.ndjson\"", head.number));
    let (mut number, mut hash) = (0, Digest::ZERO);
    while let Some(header) = lines.next() {
        let entry = Entry { header: header.to_owned(), body: lines.next().map(str::to_owned) };
        let fields: Value = serde_json::from_str(header).unwrap();
        let link: Link = serde_json::from_value(fields["link"].clone()).unwrap();
        assert_eq!((link.number, link.previous), (number + 1, hash));
        assert!(link.holds(entry.body.as_deref().unwrap()));
        (number, hash) = (link.number, entry.hash());
    }
    assert_eq!((number, hash), (head.number, head.hash));
}

#[tokio::test(start_paused = true)]
async fn a_transcript_reads_in_pages_from_its_beginning() {
    let world = World::new();
    Machine::enrolled(&world).await;
    let path = format!("/api/v1/endpoints/{ENDPOINT}/transcript");
    let whole = world.get(&path).await.json();
    let first = world.get(&format!("{path}?limit=1")).await.json();
    assert_eq!(first["items"][0]["number"], 1);
    assert_eq!(first["items"][0], whole["items"][0]);
    let second =
        world.get(&format!("{path}?limit=1&cursor={}", first["next"].as_str().unwrap())).await.json();
    assert_eq!(second["items"][0], whole["items"][1]);
    let elsewhere = format!("{path}?sequence=0000000000000000-0000000000000000");
    assert_eq!(world.get(&elsewhere).await.problem().0, "invalid_request");
}

#[tokio::test(start_paused = true)]
async fn one_entry_is_read_by_its_number_as_the_listing_has_it() {
    let world = World::new();
    Machine::enrolled(&world).await;
    let path = format!("/api/v1/endpoints/{ENDPOINT}/transcript");
    let listed = world.get(&path).await.json();
    assert_eq!(world.get(&format!("{path}/1")).await.json(), listed["items"][0]);
    for absent in ["0", "4000", "18446744073709551615", "x", "-1", "1.5"] {
        assert_eq!(world.get(&format!("{path}/{absent}")).await.problem().0, "not_found", "{absent}");
    }
}
