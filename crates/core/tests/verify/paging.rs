//! Records of any size are read in pages that are bounded by bytes.

use serde_json::{Value, json};
use tidegate_core::api::{Page, Paging, ResultView, TranscriptEntryView};
use tidegate_core::call::{Answer, EndpointQuestion};
use tidegate_core::chain::Link;
use tidegate_core::digest::Digest;
use tidegate_core::entropy::Entropy;
use tidegate_core::page_bytes::{BODY_LISTED_BYTES_MAX, PAGE_BYTES_MAX};
use tidegate_core::transcript::TranscriptHeader;

use crate::verify;
use crate::world::{ENDPOINT, World};

/// Room for headers and for what a page has around its items.
const AROUND: usize = 512 * 1024;

/// Adds notes of these lengths to the record, as its database has them.
fn fill(world: &mut World, lengths: &[usize]) {
    let last = world.export().len();
    let before: TranscriptHeader = serde_json::from_str(&world.export()[last - 2]).unwrap();
    let (mut number, mut hash) = (before.link.number, Digest::of(&world.export()[last - 2]));
    let mut entropy = Entropy::new([80; 32]);
    world
        .control
        .transaction(|db| {
            for length in lengths {
                let body = format!("{{\"kind\":\"noted\",\"text\":\"{}\"}}", "x".repeat(*length));
                let link = Link::new(number + 1, hash, &body, &mut entropy);
                let (kind, actor) = ("noted".to_owned(), "ada@example.com".to_owned());
                let header =
                    TranscriptHeader { kind, actor, sequence: None, journal: None, link, ..before.clone() };
                let header = serde_json::to_string(&header).unwrap();
                (number, hash) = (number + 1, Digest::of(&header));
                db.execute(
                    "INSERT INTO transcript (endpoint_id, number, header, body) VALUES (?1, ?2, ?3, ?4)",
                    &[ENDPOINT.into(), number.into(), header.into(), body.into()],
                )?;
            }
            db.execute(
                "UPDATE endpoint SET transcript_number = ?1, told_number = ?1, transcript_hash = ?2",
                &[number.into(), hash.into()],
            )
        })
        .unwrap();
}

fn page(world: &mut World, is_newest_first: bool, cursor: Option<String>) -> Page<TranscriptEntryView> {
    let paging = Paging { cursor, limit: 500 };
    let question = EndpointQuestion::Transcript { is_newest_first, sequence: None, paging };
    match world.ask(question) {
        Answer::Transcript(page) => page,
        other => panic!("{other:?}"),
    }
}

/// The numbers of all entries in the order of the listing, and how many pages there were.
fn walk(world: &mut World, is_newest_first: bool) -> (Vec<u64>, usize) {
    let (mut numbers, mut pages, mut cursor) = (Vec::new(), 0, None);
    loop {
        let page = page(world, is_newest_first, cursor);
        let bytes = serde_json::to_string(&page).unwrap().len();
        assert!(bytes < PAGE_BYTES_MAX as usize + AROUND, "a page of {bytes} bytes");
        numbers.extend(page.items.iter().map(|entry| entry.number));
        pages += 1;
        cursor = page.next;
        if cursor.is_none() {
            return (numbers, pages);
        }
    }
}

#[test]
fn a_page_is_bounded_by_bytes_and_cursors_reach_every_entry_once() {
    let mut world = World::new();
    world.settle();
    fill(&mut world, &[100_000; 200]);
    let all = (world.export().len() - 1) / 2;
    let (numbers, pages) = walk(&mut world, false);
    assert_eq!(numbers, (1..=all as u64).collect::<Vec<_>>());
    assert!(pages >= 5, "20 MB in {pages} pages");
    let (mut backwards, _) = walk(&mut world, true);
    backwards.reverse();
    assert_eq!(backwards, numbers);
}

#[test]
fn a_large_body_is_left_out_of_a_listing_and_read_by_its_number() {
    let mut world = World::new();
    world.settle();
    fill(&mut world, &[10, BODY_LISTED_BYTES_MAX as usize, 500_000, 20]);
    let entries = page(&mut world, false, None).items;
    let [small, over, large, last] = entries.last_chunk::<4>().unwrap();
    assert!(small.body.is_some() && small.left_out.is_none() && last.body.is_some());
    for left_out in [over, large] {
        assert!(left_out.body.is_none());
        let found = left_out.left_out.as_ref().unwrap();
        let href = format!("/api/v1/endpoints/{ENDPOINT}/transcript/{}", left_out.number);
        assert_eq!((found.number, &found.href), (left_out.number, &href));
        let whole = match world.ask(EndpointQuestion::TranscriptEntry { number: left_out.number }) {
            Answer::TranscriptEntry(entry) => entry,
            other => panic!("{other:?}"),
        };
        let text = whole.body.as_ref().unwrap()["text"].as_str().unwrap();
        assert_eq!(found.bytes as usize, text.len() + "{\"kind\":\"noted\",\"text\":\"\"}".len());
        assert!(whole.left_out.is_none() && whole.hash == left_out.hash);
    }
}

#[test]
fn an_export_is_read_in_pages_of_bounded_size_and_holds() {
    let mut world = World::new();
    world.settle();
    fill(&mut world, &[500_000; 12]);
    let (mut after, mut pages) = (0, 0);
    loop {
        let question = EndpointQuestion::ExportEntries { after, through: u64::MAX >> 12 };
        let Answer::ExportEntries(entries) = world.ask(question) else { panic!("entries") };
        let Some((last, _)) = entries.last() else { break };
        let bytes: usize = entries.iter().map(|(_, entry)| entry.body.as_ref().unwrap().len()).sum();
        assert!(bytes <= 1024 * 1024 + AROUND, "a page of {bytes} bytes");
        (after, pages) = (*last, pages + 1);
    }
    assert!(pages >= 6);
    let report = verify(&world.export());
    assert!(report.is_sound(), "{report:?}");
}

#[test]
fn results_too_large_for_one_answer_keep_their_summaries_and_say_where_the_rest_is() {
    let mut world = World::new();
    world.settle();
    world.queue_steps(30);
    world.settle();
    let sequence = world.first_sequence();
    enlarge_results(&mut world, 400_000);
    let Answer::Sequence(view) = world.ask(EndpointQuestion::Sequence(sequence)) else {
        panic!("a sequence")
    };
    let results: Vec<_> = view.steps.iter().map(|step| step.attempts[0].result.as_ref().unwrap()).collect();
    assert!(results.iter().all(|result| result.summary == "4 of 4 replies, 0.8 ms"));
    let (whole, left_out): (Vec<&ResultView>, Vec<&ResultView>) =
        results.into_iter().partition(|result| result.left_out.is_none());
    assert!(whole.len() >= 5 && left_out.len() >= 15, "{} whole", whole.len());
    assert!(
        whole.iter().all(|result| !result.data.is_empty()) && left_out.iter().all(|it| it.data.is_empty())
    );
    assert!(serde_json::to_string(&view).unwrap().len() < PAGE_BYTES_MAX as usize + AROUND);
    let number = left_out[0].left_out.as_ref().unwrap().number;
    let Answer::TranscriptEntry(entry) = world.ask(EndpointQuestion::TranscriptEntry { number }) else {
        panic!("an entry")
    };
    assert_eq!(entry.body.unwrap()["result"]["data"]["log"].as_str().unwrap().len(), 400_000);
}

/// Puts a text of so many bytes into every result of the record, as a machine could have sent it.
fn enlarge_results(world: &mut World, bytes: usize) {
    let lines = world.export();
    let finished = (1..lines.len()).step_by(2).filter(|line| lines[*line].contains("journal.step_finished"));
    let bodies: Vec<(u64, String)> = finished
        .map(|line| {
            let mut outer: Value = serde_json::from_str(&lines[line + 1]).unwrap();
            let mut body: Value = serde_json::from_str(outer["body"].as_str().unwrap()).unwrap();
            body["result"]["data"] = json!({ "log": "x".repeat(bytes) });
            outer["body"] = body.to_string().into();
            (line as u64 / 2 + 1, outer.to_string())
        })
        .collect();
    let update = |db: &dyn tidegate_core::sql::Sql| {
        for (number, body) in &bodies {
            let parameters = [(*number).into(), body.as_str().into()];
            db.execute("UPDATE transcript SET body = ?2 WHERE number = ?1", &parameters)?;
        }
        Ok::<_, tidegate_core::sql::SqlError>(())
    };
    world.control.transaction(update).unwrap();
}
