//! Listings of large documents are bounded by bytes.

use crate::api::{
    Attention, EndpointView, JournalState, JournalView, NoteView, Paging, SequenceState, SiteView,
};
use crate::call::{Answer, DirectoryQuestion, Projection};
use crate::id::JournalId;
use crate::page_bytes::PAGE_BYTES_MAX;

use super::support::{World, endpoint_id, endpoint_view, facts, projection, summary};

/// Room for what a page has around its items.
const AROUND: usize = 256 * 1024;

/// An endpoint whose facts have this many bytes.
fn large(site: &SiteView, number: u32, bytes: usize) -> EndpointView {
    let mut view = endpoint_view(number, &format!("machine {number:04}"), site);
    view.facts = facts(&serde_json::json!({ "model": "x".repeat(bytes) }));
    view
}

fn endpoints(world: &World, cursor: Option<String>) -> (Vec<EndpointView>, Option<String>) {
    let paging = Paging { cursor, limit: Paging::LIMIT_MAX };
    match world.try_ask(DirectoryQuestion::Endpoints { text: None, client: None, site: None, paging }) {
        Ok(Answer::Endpoints(page)) => (page.items, page.next),
        other => panic!("{other:?}"),
    }
}

#[test]
fn endpoints_with_many_facts_come_in_pages_of_bounded_size() {
    let mut world = World::new();
    let site = world.some_site();
    for number in 1..=150 {
        world.project(projection(1, large(&site, number, 60_000)));
    }
    let (mut names, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let (items, next) = endpoints(&world, cursor);
        let bytes = serde_json::to_string(&items).unwrap().len();
        assert!(bytes < PAGE_BYTES_MAX as usize + AROUND, "a page of {bytes} bytes");
        names.extend(items.into_iter().map(|item| item.name));
        (pages, cursor) = (pages + 1, next);
        if cursor.is_none() {
            break;
        }
    }
    let expected: Vec<_> = (1..=150).map(|number| format!("machine {number:04}")).collect();
    assert_eq!(names, expected);
    assert!(pages >= 3, "9 MB in {pages} pages");
}

/// An endpoint with as many journals and notes as one can have, each as large as it can be.
fn largest(world: &mut World) -> EndpointView {
    let mut view = large(&world.some_site(), 1, 60_000);
    let facts = view.facts.clone();
    view.journals = (0..100)
        .map(|number| JournalView {
            id: JournalId::from_bytes([number; 10]),
            current: number == 0,
            state: JournalState::Candidate,
            first_seen_at: world.now,
            address: None,
            number: 1,
            facts: facts.clone(),
        })
        .collect();
    let note = NoteView { by: "ada@example.com".into(), at: world.now, text: "x".repeat(10_000) };
    view.notes = vec![note; 50];
    let (code, reason) = ("identity_conflict".to_owned(), "copied".to_owned());
    view.attention = vec![Attention { code, reason, clears: "adopt".into() }];
    view
}

#[test]
fn an_endpoint_with_a_hundred_journals_is_listed_without_their_facts() {
    let mut world = World::new();
    let view = largest(&mut world);
    world.project(projection(1, view.clone()));
    let (items, _) = endpoints(&world, None);
    assert!(serde_json::to_string(&items).unwrap().len() < AROUND);
    assert_eq!((items[0].journals.len(), items[0].notes.len()), (100, 0));
    assert_eq!(items[0].facts, view.facts);
}

#[test]
fn a_night_is_read_without_the_facts_of_its_machines() {
    let mut world = World::new();
    let view = largest(&mut world);
    let at = world.now;
    // Five of each machine are listed.
    for machine in 1..=60 {
        let id = endpoint_id(machine);
        let sequences = (0..5).map(|number| summary(id, number, SequenceState::Queued, at)).collect();
        let view = EndpointView { id, ..view.clone() };
        world.project(Projection { sequences, ..projection(u64::from(machine), view) });
    }
    let question = DirectoryQuestion::Overnight { since: at, limit: Paging::LIMIT_MAX };
    let Ok(Answer::Overnight(night)) = world.try_ask(question) else { panic!("a night") };
    assert_eq!(night.machines.items[0].attention[0].code, "identity_conflict");
    assert_eq!(night.waiting.items.len() + night.held_or_missed.items.len(), 300);
    let bytes = serde_json::to_string(&night).unwrap().len();
    assert!(bytes < 1024 * 1024, "{bytes} bytes");
}
