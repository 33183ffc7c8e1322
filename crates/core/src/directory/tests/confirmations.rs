//! Sensitive acts need a confirmation of the last 10 minutes, and no other act does.

use crate::api::{NewClient, NewSite, PlaybookPatch, SessionView, SitePatch, TokenLife};
use crate::call::{
    CONFIRMED_FOR, DirectoryAct, DirectoryInput, Principal, Proof, Reply, Resource, SessionProof,
};
use crate::directory::session_digest;
use crate::error::{Code, Error};
use crate::id::{ClientId, CodeId, PersonId, PlaybookId, SessionId, SiteId, TokenId};
use crate::playbook::PlaybookSpec;

use super::people::{owner, token};
use super::sessions::{by_link, by_token, in_session, open, recorded, world_signed_in};
use super::support::{World, code_of, new_code, secret};

/// One of every act, and whether it is sensitive. The `match` below does not compile without a new one.
fn acts() -> Vec<(DirectoryAct, bool)> {
    let (person, token, client) =
        (PersonId::from_bytes([0; 10]), TokenId::from_bytes([0; 10]), ClientId::from_bytes([0; 10]));
    let (site, playbook) = (SiteId::from_bytes([0; 10]), PlaybookId::from_bytes([0; 10]));
    let name = || "name".to_owned();
    let step = serde_json::json!({ "name": "name", "steps": [{ "probe": "system_info" }] });
    let spec: PlaybookSpec = serde_json::from_value(step).unwrap();
    let new_site = NewSite { client_id: client, name: name(), time_zone: None, windows: Vec::new() };
    let acts = vec![
        (DirectoryAct::SetPassword { hash: "$argon2id$x".into(), keep: None }, true),
        (DirectoryAct::CreateToken { name: name(), digest: secret("t"), life: TokenLife::Never }, true),
        (DirectoryAct::RevokeToken(token), true),
        (DirectoryAct::InvitePerson { email: "ben@example.com".into(), sign_in: secret("b") }, true),
        (DirectoryAct::MakeSignInLink { person, sign_in: secret("b") }, true),
        (DirectoryAct::DeactivatePerson(person), true),
        (DirectoryAct::ReactivatePerson(person), true),
        (DirectoryAct::CreateClient(NewClient { name: name() }), false),
        (DirectoryAct::CreateSite(new_site), false),
        (DirectoryAct::RenameClient { client, name: name() }, false),
        (DirectoryAct::EditSite { site, patch: SitePatch::default() }, false),
        (DirectoryAct::CreateCode(new_code(site)), false),
        (DirectoryAct::RevokeCode(CodeId::from_bytes([0; 10])), false),
        (DirectoryAct::RenameToken { token, name: name() }, false),
        (DirectoryAct::RevokeSession(SessionId::from_bytes([0; 10])), false),
        (DirectoryAct::EndSession(session_digest("none")), false),
        (DirectoryAct::CreatePlaybook(Box::new(spec)), false),
        (
            DirectoryAct::SavePlaybook { playbook, if_match: 1, patch: Box::new(PlaybookPatch::default()) },
            false,
        ),
        (DirectoryAct::ArchivePlaybook(playbook), false),
        (DirectoryAct::UnarchivePlaybook(playbook), false),
    ];
    let mut places: Vec<usize> = acts.iter().map(|(act, _)| place(act)).collect();
    places.sort_unstable();
    assert_eq!(places, (0..20).collect::<Vec<_>>(), "each act is in the list once");
    acts
}

fn place(act: &DirectoryAct) -> usize {
    match act {
        DirectoryAct::SetPassword { .. } => 0,
        DirectoryAct::CreateToken { .. } => 1,
        DirectoryAct::RevokeToken(_) => 2,
        DirectoryAct::InvitePerson { .. } => 3,
        DirectoryAct::MakeSignInLink { .. } => 4,
        DirectoryAct::DeactivatePerson(_) => 5,
        DirectoryAct::ReactivatePerson(_) => 6,
        DirectoryAct::CreateClient(_) => 7,
        DirectoryAct::CreateSite(_) => 8,
        DirectoryAct::RenameClient { .. } => 9,
        DirectoryAct::EditSite { .. } => 10,
        DirectoryAct::CreateCode(_) => 11,
        DirectoryAct::RevokeCode(_) => 12,
        DirectoryAct::RenameToken { .. } => 13,
        DirectoryAct::RevokeSession(_) => 14,
        DirectoryAct::EndSession(_) => 15,
        DirectoryAct::CreatePlaybook(_) => 16,
        DirectoryAct::SavePlaybook { .. } => 17,
        DirectoryAct::ArchivePlaybook(_) => 18,
        DirectoryAct::UnarchivePlaybook(_) => 19,
    }
}

fn is_asked(world: &mut World, by: &Principal, act: DirectoryAct) -> bool {
    matches!(world.act_as(by, act), Err(Error::Problem(problem)) if problem.code == Code::ConfirmationRequired)
}

fn is_asked_in(world: &mut World, session: &str, act: DirectoryAct) -> bool {
    let by = in_session(world, session).unwrap();
    is_asked(world, &by, act)
}

fn confirm(world: &mut World, session: &str, proof: SessionProof) -> Result<SessionView, Error> {
    match world.try_handle(DirectoryInput::ConfirmSession { session: session_digest(session), proof })? {
        Reply::Resource { resource, .. } => match *resource {
            Resource::Session(view) => Ok(view),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// Anna in her session, opened with a link 10 minutes ago.
fn anna_later() -> (World, Principal) {
    let (mut world, _) = world_signed_in();
    world.now = world.now.plus(CONFIRMED_FOR);
    let anna = in_session(&world, "first").unwrap();
    (world, anna)
}

#[test]
fn each_sensitive_act_and_no_other_needs_a_confirmation_of_the_last_10_minutes() {
    let (mut world, anna) = anna_later();
    for (act, is_sensitive) in acts() {
        let kinds = recorded(&world);
        assert_eq!(is_asked(&mut world, &anna, act.clone()), is_sensitive, "{act:?}");
        assert!(!is_sensitive || recorded(&world) == kinds, "{act:?} was done");
    }
    world.now = world.now.shifted_by_ms(-1);
    for (act, _) in acts() {
        assert!(!is_asked(&mut world, &anna, act.clone()), "{act:?}: 10 minutes are not over");
    }
    let with_token = Principal { proof: Proof::Token { until: None }, ..anna };
    world.pass("1d");
    for (act, _) in acts() {
        assert!(!is_asked(&mut world, &with_token, act.clone()), "{act:?}: a token is not asked");
    }
}

#[test]
fn a_session_that_a_token_opened_is_confirmed_by_nothing_but_a_password_or_a_link() {
    let (mut world, _) = world_signed_in();
    open(&mut world, by_token("token"), "second").unwrap();
    let anna = in_session(&world, "second").unwrap();
    let act =
        || DirectoryAct::CreateToken { name: "mine".into(), digest: secret("mine"), life: TokenLife::Never };
    assert!(is_asked(&mut world, &anna, act()));
    assert_eq!(code_of(confirm(&mut world, "second", by_token("token"))), Code::Unauthenticated);
    assert!(is_asked_in(&mut world, "second", act()));
    let link =
        DirectoryInput::CreateSignInLink { email: "anna@example.com".into(), sign_in: secret("again") };
    world.try_handle(link).unwrap();
    confirm(&mut world, "second", by_link("again")).unwrap();
    let anna = in_session(&world, "second").unwrap();
    world.act_as(&anna, act()).unwrap();
}

#[test]
fn a_password_confirms_a_session_and_a_wrong_hash_does_not() {
    let (mut world, first) = world_signed_in();
    let anna = in_session(&world, "first").unwrap();
    let set = DirectoryAct::SetPassword { hash: "$argon2id$new".into(), keep: Some(session_digest("first")) };
    world.act_as(&anna, set).unwrap();
    world.now = world.now.plus(CONFIRMED_FOR);
    let proof = |hash: &str| SessionProof::Password { person: first.person_id, hash: hash.to_owned() };
    assert_eq!(code_of(confirm(&mut world, "first", proof("$argon2id$old"))), Code::Unauthenticated);
    let act = || DirectoryAct::RevokeToken(TokenId::from_bytes([0; 10]));
    assert!(is_asked_in(&mut world, "first", act()));
    confirm(&mut world, "first", proof("$argon2id$new")).unwrap();
    assert!(!is_asked_in(&mut world, "first", act()));
    assert_eq!(recorded(&world).last().map(String::as_str), Some("session_confirmed"));
}

#[test]
fn a_link_of_somebody_else_confirms_nothing_and_is_not_used_up() {
    let (mut world, anna) = anna_later();
    owner(&mut world, "ben@example.com", "of ben").unwrap();
    assert_eq!(code_of(confirm(&mut world, "first", by_link("of ben"))), Code::Unauthenticated);
    assert!(is_asked(&mut world, &anna, DirectoryAct::DeactivatePerson(anna.person)));
    open(&mut world, by_link("of ben"), "session of ben").unwrap();
}

#[test]
fn a_session_that_is_over_cannot_be_confirmed() {
    let (mut world, first) = world_signed_in();
    token(&mut world, "anna@example.com", "other").unwrap();
    world.act(DirectoryAct::RevokeSession(first.id)).unwrap();
    let link =
        DirectoryInput::CreateSignInLink { email: "anna@example.com".into(), sign_in: secret("again") };
    world.try_handle(link).unwrap();
    assert_eq!(code_of(confirm(&mut world, "first", by_link("again"))), Code::Unauthenticated);
    assert_eq!(in_session(&world, "first"), None);
}
