use serde_json::{Value, json};

use crate::api::{Paging, PlaybookPatch, PlaybookSummary, PlaybookValues, PlaybookView};
use crate::call::{Answer, DirectoryAct, DirectoryInput, DirectoryQuestion, Resource};
use crate::digest::Digest;
use crate::directory::DirectoryBody;
use crate::error::{Code, Error};
use crate::id::PlaybookId;
use crate::playbook::{PlaybookSpec, STARTERS};
use crate::sequence::SequenceSpec;
use crate::sql::ReadSql;

use super::support::{World, all, code_of, key, problem, secret};

fn spec(name: &str) -> PlaybookSpec {
    serde_json::from_value(json!({
        "name": name,
        "about": "Asks a host.",
        "parameters": [{ "name": "host", "kind": "text", "required": true }],
        "title": "Reach {{host}}",
        "steps": [{ "probe": "ping", "with": { "host": "{{host}}" } }],
    }))
    .unwrap()
}

impl World {
    fn playbook_act(&mut self, act: DirectoryAct) -> Result<PlaybookView, Error> {
        match self.act(act)? {
            Resource::Playbook(view) => Ok(*view),
            other => panic!("{other:?}"),
        }
    }

    fn playbook_make(&mut self, name: &str) -> PlaybookView {
        self.playbook_act(DirectoryAct::CreatePlaybook(Box::new(spec(name)))).unwrap()
    }

    fn playbook_save(
        &mut self,
        playbook: PlaybookId,
        if_match: u64,
        patch: Value,
    ) -> Result<PlaybookView, Error> {
        let patch: PlaybookPatch = serde_json::from_value(patch).unwrap();
        self.playbook_act(DirectoryAct::SavePlaybook { playbook, if_match, patch: Box::new(patch) })
    }

    fn playbook(&self, playbook: PlaybookId, version: Option<u64>) -> Result<PlaybookView, Error> {
        match self.try_ask(DirectoryQuestion::Playbook { playbook, version })? {
            Answer::Playbook(view) => Ok(*view),
            other => panic!("{other:?}"),
        }
    }

    fn playbooks(&self, archived: bool, paging: Paging) -> (Vec<PlaybookSummary>, Option<String>) {
        match self.try_ask(DirectoryQuestion::Playbooks { archived, paging }) {
            Ok(Answer::Playbooks(page)) => (page.items, page.next),
            other => panic!("{other:?}"),
        }
    }

    fn names(&self, archived: bool) -> Vec<String> {
        self.playbooks(archived, all()).0.into_iter().map(|summary| summary.name).collect()
    }

    fn filled(&self, playbook: PlaybookId, values: Value) -> Result<SequenceSpec, Error> {
        let values: PlaybookValues = serde_json::from_value(values).unwrap();
        match self.try_ask(DirectoryQuestion::FillPlaybook { playbook, values: Box::new(values) })? {
            Answer::Filled(spec) => Ok(*spec),
            other => panic!("{other:?}"),
        }
    }

    fn audit(&self) -> Vec<DirectoryBody> {
        let rows = self.db.query("SELECT body FROM directory_audit ORDER BY number", &[]).unwrap();
        rows.iter().map(|row| row.json(0).unwrap()).collect()
    }
}

#[test]
fn every_version_stays_as_it_was_saved_and_says_by_whom() {
    let mut world = World::new();
    let first = world.playbook_make("Reach a host");
    assert_eq!((first.version, first.current_version, &first.spec), (1, 1, &spec("Reach a host")));
    world.pass("1h");
    let patch = json!({ "name": "Reach it", "title": null, "expires_in": "2d" });
    let second = world.playbook_save(first.id, 1, patch).unwrap();
    assert_eq!((second.version, second.id, second.saved_at), (2, first.id, world.now));
    assert_eq!((second.spec.name.as_str(), &second.spec.title), ("Reach it", &None));
    assert_eq!((second.created_at, &second.spec.about), (first.created_at, &first.spec.about));
    assert_eq!(world.playbook(first.id, None), Ok(second.clone()));
    assert_eq!(world.playbook(first.id, Some(1)), Ok(PlaybookView { current_version: 2, ..first.clone() }));
    let Ok(Answer::PlaybookVersions(page)) =
        world.try_ask(DirectoryQuestion::PlaybookVersions { playbook: first.id, paging: all() })
    else {
        panic!("no versions")
    };
    let versions: Vec<_> = page.items.iter().map(|item| (item.version, item.name.as_str())).collect();
    assert_eq!(versions, [(2, "Reach it"), (1, "Reach a host")]);
    assert_eq!(page.items[0].saved_by, "anna@example.com");
}

#[test]
fn an_edit_of_what_somebody_changed_meanwhile_is_refused_and_one_that_changes_nothing_saves_nothing() {
    let mut world = World::new();
    let playbook = world.playbook_make("Reach").id;
    assert_eq!(world.playbook_save(playbook, 1, json!({ "about": "Asks a host." })).unwrap().version, 1);
    world.playbook_save(playbook, 1, json!({ "about": "Other." })).unwrap();
    let late = world.playbook_save(playbook, 1, json!({ "about": "Late." }));
    assert_eq!(code_of(late), Code::RevisionMismatch);
    assert_eq!(world.playbook(playbook, None).unwrap().spec.about, "Other.");
}

#[test]
fn names_are_unique_in_any_case_also_of_what_is_archived() {
    let mut world = World::new();
    let first = world.playbook_make("Reach").id;
    let second = world.playbook_make("Other").id;
    let same = || DirectoryAct::CreatePlaybook(Box::new(spec("REACH")));
    assert_eq!(code_of(world.act(same())), Code::Conflict);
    assert_eq!(code_of(world.playbook_save(second, 1, json!({ "name": "reach" }))), Code::Conflict);
    world.playbook_act(DirectoryAct::ArchivePlaybook(first)).unwrap();
    let (code, detail) = problem(world.act(same()));
    assert_eq!(code, Code::Conflict);
    assert!(detail.contains("unarchive it"), "{detail}");
    world.playbook_act(DirectoryAct::UnarchivePlaybook(first)).unwrap();
    assert_eq!(world.playbook_save(first, 1, json!({ "name": "REACH" })).unwrap().spec.name, "REACH");
}

#[test]
fn what_does_not_hold_together_is_not_stored() {
    let mut world = World::new();
    let broken = PlaybookSpec { title: Some("{{hots}}".into()), ..spec("Broken") };
    let (code, detail) = problem(world.act(DirectoryAct::CreatePlaybook(Box::new(broken))));
    assert_eq!(code, Code::InvalidPlaybook);
    assert!(detail.contains("`{{hots}}`"), "{detail}");
    let playbook = world.playbook_make("Reach").id;
    let saved = world.playbook_save(playbook, 1, json!({ "parameters": [] }));
    assert_eq!(code_of(saved), Code::InvalidPlaybook);
    assert_eq!((world.names(true).len(), world.playbook(playbook, None).unwrap().version), (1, 1));
}

#[test]
fn what_is_archived_is_out_of_the_way_until_it_is_taken_out_again() {
    let mut world = World::new();
    let playbook = world.playbook_make("Reach").id;
    world.playbook_make("Zeta");
    for _ in 0..2 {
        let view = world.playbook_act(DirectoryAct::ArchivePlaybook(playbook)).unwrap();
        assert_eq!(view.archived_at, Some("2026-11-23T12:00:00Z".parse().unwrap()));
        world.pass("1h");
    }
    assert_eq!(
        (world.names(false), world.names(true)),
        (vec!["Zeta".into()], vec!["Reach".into(), "Zeta".into()])
    );
    let values = json!({ "values": { "host": "plc" } });
    assert_eq!(code_of(world.filled(playbook, values.clone())), Code::Conflict);
    assert_eq!(code_of(world.playbook_save(playbook, 1, json!({ "about": "x" }))), Code::Conflict);
    assert_eq!(world.playbook(playbook, None).unwrap().spec, spec("Reach"), "it can still be read");
    world.playbook_act(DirectoryAct::UnarchivePlaybook(playbook)).unwrap();
    assert_eq!(world.names(false).len(), 2);
    assert!(world.filled(playbook, values).is_ok());
}

#[test]
fn a_filled_playbook_says_which_it_was_and_any_version_can_be_filled() {
    let mut world = World::new();
    let playbook = world.playbook_make("Reach").id;
    world.playbook_save(playbook, 1, json!({ "title": "Ask {{host}}" })).unwrap();
    let filled = world.filled(playbook, json!({ "values": { "host": "plc" } })).unwrap();
    let origin = filled.playbook.unwrap();
    assert_eq!((origin.id, origin.name.as_str(), origin.version), (playbook, "Reach", 2));
    assert_eq!(filled.title.as_deref(), Some("Ask plc"));
    let old = world.filled(playbook, json!({ "version": 1, "values": { "host": "plc" } })).unwrap();
    assert_eq!((old.title.as_deref(), old.playbook.unwrap().version), (Some("Reach plc"), 1));
    let (code, detail) = problem(world.filled(playbook, json!({ "values": {} })));
    assert_eq!(code, Code::InvalidPlaybook);
    assert!(detail.contains("`host` is missing"), "{detail}");
}

#[test]
fn what_is_not_there_is_not_found() {
    let mut world = World::new();
    let (nowhere, playbook) = (PlaybookId::from_bytes([0; 10]), world.playbook_make("Reach").id);
    assert_eq!(code_of(world.playbook(nowhere, None)), Code::NotFound);
    for version in [0, 2, u64::MAX] {
        assert_eq!(code_of(world.playbook(playbook, Some(version))), Code::NotFound);
    }
    assert_eq!(code_of(world.filled(nowhere, json!({}))), Code::NotFound);
    assert_eq!(code_of(world.playbook_save(nowhere, 1, json!({}))), Code::NotFound);
    assert_eq!(code_of(world.act(DirectoryAct::ArchivePlaybook(nowhere))), Code::NotFound);
    let versions = DirectoryQuestion::PlaybookVersions { playbook: nowhere, paging: all() };
    assert_eq!(code_of(world.try_ask(versions)), Code::NotFound);
}

#[test]
fn the_listing_pages_by_name_and_counts_what_is_in_each() {
    let mut world = World::new();
    for name in ["delta", "Alpha", "charlie", "Bravo"] {
        world.playbook_make(name);
    }
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let (items, next) = world.playbooks(false, Paging { cursor, limit: 3 });
        assert!(items.iter().all(|item| (item.parameters, item.steps, item.version) == (1, 1, 1)));
        found.extend(items.into_iter().map(|item| item.name));
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, ["Alpha", "Bravo", "charlie", "delta"]);
    let foreign = Paging { cursor: Some("x".into()), limit: 3 };
    let question = DirectoryQuestion::Playbooks { archived: false, paging: foreign };
    assert_eq!(code_of(world.try_ask(question)), Code::InvalidRequest);
}

#[test]
fn every_act_is_in_the_audit_chain_with_the_digest_of_what_was_stored() {
    let mut world = World::new();
    let playbook = world.playbook_make("Reach").id;
    world.playbook_save(playbook, 1, json!({ "about": "x" })).unwrap();
    for act in [DirectoryAct::ArchivePlaybook(playbook), DirectoryAct::UnarchivePlaybook(playbook)] {
        world.act(act.clone()).unwrap();
        world.act(act).unwrap();
    }
    let rows = world.db.query("SELECT spec FROM playbook_version ORDER BY version", &[]).unwrap();
    let digests: Vec<_> = rows.iter().map(|row| Digest::of(row.text(0).unwrap())).collect();
    let name = || "Reach".to_owned();
    let expected = [
        DirectoryBody::PlaybookCreated { playbook, name: name(), spec: digests[0] },
        DirectoryBody::PlaybookSaved { playbook, version: 2, name: name(), spec: digests[1] },
        DirectoryBody::PlaybookArchived { playbook },
        DirectoryBody::PlaybookUnarchived { playbook },
    ];
    assert_eq!(world.audit(), expected);
}

#[test]
fn a_repeat_with_the_same_key_makes_one_playbook() {
    let mut world = World::new();
    let make = || DirectoryAct::CreatePlaybook(Box::new(spec("Reach")));
    let first = world.try_act(key("k", "reach"), make()).unwrap();
    assert_eq!(world.try_act(key("k", "reach"), make()), Ok(first));
    assert_eq!(world.names(true).len(), 1);
}

#[test]
fn the_first_owner_finds_the_starters_and_a_later_one_does_not_bring_them_back() {
    let mut world = World::new();
    let owner = |email: &str| DirectoryInput::CreateOwner { email: email.into(), sign_in: secret(email) };
    world.try_handle(owner("anna@example.com")).unwrap();
    assert_eq!(world.names(false).len(), STARTERS.len());
    let (items, _) = world.playbooks(false, all());
    assert!(items.iter().all(|item| item.created_by == crate::transcript::ACTOR_CONTROL_PLANE));
    for item in items {
        world.act(DirectoryAct::ArchivePlaybook(item.id)).unwrap();
    }
    world.try_handle(owner("ben@example.com")).unwrap();
    assert_eq!((world.names(false).len(), world.names(true).len()), (0, STARTERS.len()));
}
