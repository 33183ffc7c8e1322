use crate::api::SessionView;
use crate::call::{
    Answer, DirectoryAct, DirectoryInput, DirectoryQuestion, Principal, Reply, Resource, SessionProof,
};
use crate::digest::Digest;
use crate::directory::{SESSION_IDLE_FOR, SESSION_VALID_FOR, session_digest};
use crate::error::{Code, Error};
use crate::id::SessionId;
use crate::sql::{ReadSql, Sql};

use super::people::{owner, token, who, who_by};
use super::support::{World, all, code_of, problem, secret, stranger};

pub(super) fn open(world: &mut World, proof: SessionProof, session: &str) -> Result<SessionView, Error> {
    open_with(world, proof, session, "Firefox")
}

fn open_with(
    world: &mut World,
    proof: SessionProof,
    session: &str,
    agent: &str,
) -> Result<SessionView, Error> {
    let input = DirectoryInput::OpenSession {
        proof,
        digest: session_digest(session),
        address: Some("192.0.2.7".into()),
        agent: agent.into(),
    };
    match world.try_handle(input)? {
        Reply::Resource { resource, created: true, .. } => match *resource {
            Resource::Session(view) => Ok(view),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

pub(super) fn by_link(link: &str) -> SessionProof {
    SessionProof::Link(secret(link))
}

pub(super) fn by_token(token: &str) -> SessionProof {
    SessionProof::Token(secret(token))
}

pub(super) fn in_session(world: &World, session: &str) -> Option<Principal> {
    who_by(world, session_digest(session))
}

/// Whether a use of the session is to be stored.
fn is_use_due(world: &World, session: &str) -> bool {
    match world.try_ask(DirectoryQuestion::Authenticate(session_digest(session))) {
        Ok(Answer::Authenticated(Some(known))) => known.is_use_due,
        other => panic!("{other:?}"),
    }
}

fn used(world: &mut World, session: &str) {
    assert_eq!(world.try_handle(DirectoryInput::Use(session_digest(session))), Ok(Reply::Done));
}

pub(super) fn live(world: &World, person: Option<&Principal>) -> Vec<SessionId> {
    let person = person.map(|person| person.person);
    match world.try_ask(DirectoryQuestion::Sessions { person, paging: all() }) {
        Ok(Answer::Sessions(page)) => page.items.into_iter().map(|session| session.id).collect(),
        other => panic!("{other:?}"),
    }
}

/// The kinds in the audit chain, oldest first.
pub(super) fn recorded(world: &World) -> Vec<String> {
    let rows = world.db.query("SELECT body FROM directory_audit ORDER BY number", &[]).unwrap();
    let kind = |body: &str| serde_json::from_str::<serde_json::Value>(body).unwrap()["kind"].clone();
    rows.iter().map(|row| kind(row.text(0).unwrap()).as_str().unwrap().to_owned()).collect()
}

/// A world with Anna, who holds the token `token`, signed in as `first` with her link.
pub(super) fn world_signed_in() -> (World, SessionView) {
    let mut world = World::new();
    owner(&mut world, "anna@example.com", "link").unwrap();
    token(&mut world, "anna@example.com", "token").unwrap();
    let view = open(&mut world, by_link("link"), "first").unwrap();
    (world, view)
}

#[test]
fn a_link_opens_one_session() {
    let (mut world, view) = world_signed_in();
    assert_eq!((view.email.as_str(), view.address.as_deref()), ("anna@example.com", Some("192.0.2.7")));
    assert_eq!(view.expires_at, world.now.plus(SESSION_VALID_FOR));
    assert_eq!(in_session(&world, "first").unwrap().person, view.person_id);
    assert_eq!(code_of(open(&mut world, by_link("link"), "second")), Code::Unauthenticated);
    assert_eq!(in_session(&world, "second"), None);
}

#[test]
fn a_token_opens_sessions_while_it_works() {
    let (mut world, _) = world_signed_in();
    open(&mut world, by_token("token"), "second").unwrap();
    assert!(in_session(&world, "second").is_some());
    assert_eq!(code_of(open(&mut world, by_token("wrong"), "third")), Code::Unauthenticated);
    assert_eq!(code_of(open(&mut world, by_token("link"), "third")), Code::Unauthenticated);
    assert_eq!(code_of(open(&mut world, by_token("second"), "third")), Code::Unauthenticated);
}

#[test]
fn a_secret_of_a_session_is_no_token_and_a_token_no_session() {
    let (world, _) = world_signed_in();
    assert_eq!(who(&world, "first"), None);
    assert_eq!(in_session(&world, "token"), None);
    assert_eq!(in_session(&world, "link"), None);
}

#[test]
fn a_password_opens_a_session_only_while_its_hash_is_the_stored_one() {
    let (mut world, first) = world_signed_in();
    let by_password = |hash: &str| SessionProof::Password { person: first.person_id, hash: hash.to_owned() };
    let refusal = problem(open(&mut world, by_password("old"), "second"));
    assert_eq!(refusal.0, Code::Unauthenticated, "there is none");
    let anna = in_session(&world, "first").unwrap();
    let new = DirectoryAct::SetPassword { hash: "$argon2id$new".into(), keep: None };
    world.act_as(&anna, new).unwrap();
    assert_eq!(problem(open(&mut world, by_password("old"), "second")), refusal);
    open(&mut world, by_password("$argon2id$new"), "second").unwrap();
    assert!(in_session(&world, "second").is_some());
}

#[test]
fn a_session_ends_after_14_days_and_not_before() {
    let (mut world, view) = world_signed_in();
    while world.now.plus(SESSION_IDLE_FOR) < view.expires_at {
        world.pass("11h");
        used(&mut world, "first");
    }
    world.now = view.expires_at.shifted_by_ms(-1);
    assert!(in_session(&world, "first").is_some());
    assert_eq!(live(&world, None), [view.id]);
    world.pass("1ms");
    assert_eq!(in_session(&world, "first"), None);
    assert_eq!(live(&world, None), []);
    let asked = world.try_ask(DirectoryQuestion::Session(session_digest("first")));
    assert_eq!(asked, Ok(Answer::Session(None)));
}

#[test]
fn a_session_ends_12_hours_after_its_last_use_and_not_before() {
    let (mut world, view) = world_signed_in();
    world.pass("11h");
    used(&mut world, "first");
    world.now = world.now.plus(SESSION_IDLE_FOR).shifted_by_ms(-1);
    assert!(in_session(&world, "first").is_some());
    assert_eq!(live(&world, None), [view.id]);
    world.pass("1ms");
    assert_eq!(in_session(&world, "first"), None);
    assert_eq!(live(&world, None), []);
    let asked = world.try_ask(DirectoryQuestion::Session(session_digest("first")));
    assert_eq!(asked, Ok(Answer::Session(None)));
    used(&mut world, "first");
    assert_eq!(in_session(&world, "first"), None, "one that is over stays so");
}

#[test]
fn a_use_is_stored_at_most_every_15_minutes() {
    let (mut world, _) = world_signed_in();
    let stored =
        |world: &World| world.db.query("SELECT idle_at FROM session", &[]).unwrap()[0].integer(0).unwrap();
    let opened = stored(&world);
    world.now = world.now.shifted_by_ms(15 * 60_000 - 1);
    assert!(!is_use_due(&world, "first"));
    used(&mut world, "first");
    assert_eq!(stored(&world), opened);
    world.pass("1ms");
    assert!(is_use_due(&world, "first"));
    used(&mut world, "first");
    assert_eq!(stored(&world), world.now.plus(SESSION_IDLE_FOR).milliseconds());
    assert!(!is_use_due(&world, "first"));
}

#[test]
fn sessions_that_are_over_are_removed_when_others_open() {
    let (mut world, first) = world_signed_in();
    world.now = first.expires_at;
    open(&mut world, by_token("token"), "second").unwrap();
    let stored = world.db.query("SELECT digest FROM session", &[]).unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].parsed::<Digest>(0), Ok(session_digest("second")));
}

#[test]
fn whoever_signs_out_ends_that_session_alone() {
    let (mut world, first) = world_signed_in();
    world.pass("1s");
    let second = open(&mut world, by_token("token"), "second").unwrap();
    let anna = in_session(&world, "first").unwrap();
    assert_eq!(live(&world, Some(&anna)), [second.id, first.id]);
    for _ in 0..2 {
        let ended = world.act_as(&anna, DirectoryAct::EndSession(session_digest("first")));
        assert_eq!(ended, Ok(Resource::Session(first.clone())));
    }
    assert_eq!(in_session(&world, "first"), None);
    assert!(in_session(&world, "second").is_some());
    assert_eq!(live(&world, Some(&anna)), [second.id]);
    let foreign = world.act_as(&stranger(), DirectoryAct::EndSession(session_digest("second")));
    assert_eq!(code_of(foreign), Code::NotFound);
    assert!(in_session(&world, "second").is_some());
}

#[test]
fn a_session_is_ended_by_its_person_or_an_owner_and_by_nobody_else() {
    let (mut world, first) = world_signed_in();
    let anna = in_session(&world, "first").unwrap();
    let end = DirectoryAct::RevokeSession(first.id);
    assert_eq!(code_of(world.act_as(&stranger(), end.clone())), Code::Forbidden);
    assert_eq!(live(&world, None), [first.id]);
    let herself = Principal { role: "visitor".into(), ..anna };
    world.act_as(&herself, end.clone()).unwrap();
    assert_eq!(in_session(&world, "first"), None);
    let second = open(&mut world, by_token("token"), "second").unwrap();
    world.act(DirectoryAct::RevokeSession(second.id)).unwrap();
    assert_eq!(in_session(&world, "second"), None);
    let unknown = DirectoryAct::RevokeSession(SessionId::from_bytes([0; 10]));
    assert_eq!(code_of(world.act(unknown)), Code::NotFound);
}

#[test]
fn the_audit_chain_tells_once_of_each_session_that_opened_and_was_ended() {
    let (mut world, first) = world_signed_in();
    for _ in 0..2 {
        world.act(DirectoryAct::RevokeSession(first.id)).unwrap();
    }
    let mut recorded = recorded(&world);
    recorded.retain(|kind| kind != "playbook_created");
    assert_eq!(recorded, ["owner_created", "token_created", "session_opened", "session_revoked"]);
}

#[test]
fn what_a_browser_says_of_itself_is_cut_and_cleaned() {
    let (mut world, _) = world_signed_in();
    let agent = format!("Fire\u{1b}[31mfox\r\n{}", "ü".repeat(500));
    let view = open_with(&mut world, by_token("token"), "second", &agent).unwrap();
    assert_eq!(view.agent.chars().count(), 200);
    assert!(view.agent.starts_with("Fire[31mfoxü"), "{}", view.agent);
    let asked = world.try_ask(DirectoryQuestion::Session(session_digest("second")));
    assert_eq!(asked, Ok(Answer::Session(Some(view))));
}

#[test]
fn nobody_who_was_deactivated_signs_in_or_stays_signed_in() {
    let (mut world, first) = world_signed_in();
    owner(&mut world, "ben@example.com", "other").unwrap();
    world.db.execute("UPDATE person SET deactivated_at = 1, password_hash = 'hash'", &[]).unwrap();
    assert_eq!(in_session(&world, "first"), None);
    assert_eq!(who(&world, "token"), None);
    assert_eq!(live(&world, None), []);
    let by_password = SessionProof::Password { person: first.person_id, hash: "hash".into() };
    for proof in [by_link("other"), by_token("token"), by_password] {
        assert_eq!(code_of(open(&mut world, proof, "second")), Code::Unauthenticated);
    }
}
