use serde_json::json;

use crate::api::{EndpointView, Reachability, SequenceState, SequenceSummary};
use crate::call::{Answer, Counts, DirectoryQuestion, Seen};
use crate::error::Code;
use crate::id::{ClientId, SiteId};

use super::support::{World, all, code_of, endpoint_id, endpoint_view, facts, projection, summary};

fn search(
    world: &World,
    text: Option<&str>,
    client: Option<ClientId>,
    site: Option<SiteId>,
) -> Vec<EndpointView> {
    let question = DirectoryQuestion::Endpoints { text: text.map(Into::into), client, site, paging: all() };
    match world.try_ask(question) {
        Ok(Answer::Endpoints(page)) => page.items,
        other => panic!("{other:?}"),
    }
}

fn found(world: &World, text: &str) -> Vec<String> {
    search(world, Some(text), None, None).into_iter().map(|view| view.name).collect()
}

fn sequences(world: &World, state: Option<SequenceState>) -> Vec<SequenceSummary> {
    match world.try_ask(DirectoryQuestion::Sequences { state, since: None, paging: all() }) {
        Ok(Answer::Sequences(page)) => page.items,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_newer_projection_wins_and_an_older_one_changes_nothing_of_it() {
    let mut world = World::new();
    let site = world.some_site();
    let at = world.now;
    let with = |version, name: &str, state| {
        let mut told = projection(version, endpoint_view(1, name, &site));
        told.sequences = vec![summary(endpoint_id(1), 1, state, at)];
        told
    };
    world.project(with(5, "new", SequenceState::Running));
    world.project(with(4, "old", SequenceState::Queued));
    assert_eq!(search(&world, None, None, None)[0].name, "new");
    assert_eq!(sequences(&world, None)[0].state, SequenceState::Running);
    world.project(with(5, "same", SequenceState::Succeeded));
    assert_eq!(search(&world, None, None, None)[0].name, "same");
    assert_eq!(sequences(&world, None)[0].state, SequenceState::Succeeded);
}

#[test]
fn what_only_an_older_projection_tells_of_is_taken_in() {
    let mut world = World::new();
    let site = world.some_site();
    world.project(projection(6, endpoint_view(1, "new", &site)));
    let mut late = projection(5, endpoint_view(1, "old", &site));
    late.sequences = vec![summary(endpoint_id(1), 1, SequenceState::Queued, world.now)];
    world.project(late);
    assert_eq!(search(&world, None, None, None)[0].name, "new");
    assert_eq!(sequences(&world, None).len(), 1);
}

#[test]
fn drafts_that_were_given_up_leave_the_listing() {
    let mut world = World::new();
    let site = world.some_site();
    let draft = summary(endpoint_id(1), 1, SequenceState::Draft, world.now);
    let mut told = projection(1, endpoint_view(1, "hmi", &site));
    told.sequences = vec![draft.clone()];
    world.project(told);
    let mut gone = projection(1, endpoint_view(1, "hmi", &site));
    gone.removed = vec![draft.id];
    world.project(gone);
    assert_eq!(sequences(&world, None), []);
}

#[test]
fn counts_tell_endpoints_and_sequences_by_whether_they_ended() {
    let mut world = World::new();
    assert_eq!(world.try_ask(DirectoryQuestion::Counts), Ok(Answer::Counts(Counts::default())));
    let site = world.some_site();
    let mut told = projection(1, endpoint_view(1, "hmi", &site));
    let states = [SequenceState::Queued, SequenceState::Running, SequenceState::Lost];
    told.sequences =
        (0..).zip(states).map(|(n, state)| summary(endpoint_id(1), n, state, world.now)).collect();
    world.project(told);
    let counts = Counts { endpoints: 1, sequences_live: 2, sequences: 3 };
    assert_eq!(world.try_ask(DirectoryQuestion::Counts), Ok(Answer::Counts(counts)));
    assert_eq!(sequences(&world, Some(SequenceState::Lost)).len(), 1);
    let since = |since| DirectoryQuestion::Sequences { state: None, since: Some(since), paging: all() };
    let Ok(Answer::Sequences(page)) = world.try_ask(since(world.now)) else { panic!("no page") };
    assert_eq!(page.items.len(), 3);
    world.pass("1s");
    let Ok(Answer::Sequences(page)) = world.try_ask(since(world.now)) else { panic!("no page") };
    assert_eq!(page.items, []);
}

#[test]
fn search_finds_names_ids_and_facts_in_whichever_case() {
    let mut world = World::new();
    let site = world.some_site();
    let mut hmi = endpoint_view(1, "HMI Straße", &site);
    hmi.facts = facts(&json!({ "os": "Windows 7", "cpus": 4, "net": { "addresses": ["10.20.0.5"] } }));
    world.project(projection(1, hmi));
    world.project(projection(1, endpoint_view(2, "plc", &site)));
    for text in ["hmi", "STRA", "straße", "windows", "10.20.0", "  HMI  "] {
        assert_eq!(found(&world, text), ["HMI Straße"], "{text}");
    }
    assert_eq!(found(&world, &endpoint_id(2).to_string()), ["plc"]);
    assert_eq!(found(&world, " ").len(), 2, "nothing to search for finds all");
    assert_eq!(found(&world, "nowhere").len(), 0);
}

#[test]
fn wildcards_in_a_search_are_letters() {
    let mut world = World::new();
    let site = world.some_site();
    for (number, name) in (0..).zip(["100% load", "a_b", "axb", r"c\d", "e*f"]) {
        world.project(projection(1, endpoint_view(number, name, &site)));
    }
    assert_eq!(found(&world, "%"), ["100% load"]);
    assert_eq!(found(&world, "_"), ["a_b"]);
    assert_eq!(found(&world, "\\"), [r"c\d"]);
    assert_eq!(found(&world, "*"), ["e*f"]);
    assert_eq!(found(&world, "' OR 1=1 --").len(), 0);
}

#[test]
fn search_is_bounded_on_both_sides() {
    let mut world = World::new();
    let site = world.some_site();
    let mut large = endpoint_view(1, "hmi", &site);
    large.facts = facts(&json!({ "a": "ü".repeat(30_000), "b": "beyond" }));
    world.project(projection(1, large));
    assert_eq!(found(&world, "üüü"), ["hmi"]);
    assert_eq!(found(&world, "beyond").len(), 0);
    let question = |text: String| DirectoryQuestion::Endpoints {
        text: Some(text),
        client: None,
        site: None,
        paging: all(),
    };
    assert_eq!(code_of(world.try_ask(question("a".repeat(201)))), Code::InvalidRequest);
    world.try_ask(question("a".repeat(200))).unwrap();
}

#[test]
fn endpoints_are_listed_by_client_and_by_site() {
    let mut world = World::new();
    let north = world.some_site();
    let south = world.site(north.client_id, "South");
    let other = world.client("Other").id;
    world.project(projection(1, endpoint_view(1, "one", &north)));
    world.project(projection(1, endpoint_view(2, "two", &south)));
    let listed = |client, site| search(&world, None, client, site).len();
    assert_eq!(listed(Some(north.client_id), None), 2);
    assert_eq!(listed(None, Some(south.id)), 1);
    assert_eq!(listed(Some(north.client_id), Some(south.id)), 1);
    assert_eq!(listed(Some(other), Some(south.id)), 0);
    assert_eq!(listed(Some(other), None), 0);
}

#[test]
fn what_the_host_heard_since_is_shown_and_what_it_heard_before_is_not() {
    let mut world = World::new();
    let site = world.some_site();
    let mut told = endpoint_view(1, "hmi", &site);
    (told.last_seen_at, told.clock_skew_ms) = (Some(world.now), Some(7));
    told.reachability = Reachability::Reachable;
    world.project(projection(1, told));
    world.pass("1h");
    let shown = |world: &World| {
        let view = search(world, None, None, None).remove(0);
        (view.last_seen_at, view.clock_skew_ms, view.reachability)
    };
    let stored = world.now.shifted_by_ms(-3_600_000);
    assert_eq!(shown(&world), (Some(stored), Some(7), Reachability::Quiet));
    world.heard.seen.insert(endpoint_id(1), Seen { at: stored.shifted_by_ms(-1), skew_ms: Some(9) });
    assert_eq!(shown(&world), (Some(stored), Some(7), Reachability::Quiet));
    world.heard.seen.insert(endpoint_id(1), Seen { at: world.now, skew_ms: Some(9) });
    assert_eq!(shown(&world), (Some(world.now), Some(9), Reachability::Reachable));
    world.heard.seen.clear();
    world.heard.connected.insert(endpoint_id(1));
    assert_eq!(shown(&world), (Some(stored), Some(7), Reachability::Reachable));
}
