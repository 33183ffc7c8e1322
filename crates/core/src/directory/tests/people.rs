use crate::api::{NewCode, PersonView, TokenLife, TokenView};
use crate::call::{
    Answer, DirectoryAct, DirectoryInput, DirectoryQuestion, Principal, Proof, Reply, Resource,
};
use crate::digest::Digest;
use crate::directory::{outbox, outbox_done, outbox_due_at};
use crate::error::{Code, Error};
use crate::id::PersonId;

use super::sessions::{by_link, by_token, in_session, open, recorded, world_signed_in};
use super::support::{World, all, code_of, new_code, problem, read, secret, stranger};

pub(super) fn owner(world: &mut World, email: &str, link: &str) -> Result<Reply, Error> {
    world.try_handle(DirectoryInput::CreateOwner { email: email.into(), sign_in: secret(link) })
}

pub(super) fn sign_in(world: &mut World, link: &str, token: &str) -> Result<TokenView, Error> {
    token_of(world.try_handle(DirectoryInput::SignIn {
        link: secret(link),
        token: secret(token),
        life: TokenLife::Never,
    })?)
}

pub(super) fn token(world: &mut World, email: &str, token: &str) -> Result<TokenView, Error> {
    token_of(world.try_handle(DirectoryInput::CreateToken {
        email: email.into(),
        digest: secret(token),
        life: TokenLife::Never,
    })?)
}

fn token_of(reply: Reply) -> Result<TokenView, Error> {
    match reply {
        Reply::Resource { resource, created: true, .. } => match *resource {
            Resource::Token(view) => Ok(view),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

pub(super) fn who(world: &World, token: &str) -> Option<Principal> {
    who_by(world, secret(token))
}

pub(super) fn who_by(world: &World, digest: Digest) -> Option<Principal> {
    match world.try_ask(DirectoryQuestion::Authenticate(digest)) {
        Ok(Answer::Authenticated(known)) => known.map(|known| known.principal),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_owner_signs_in_once_with_the_link_and_holds_a_token() {
    let mut world = World::new();
    owner(&mut world, "anna@example.com", "link").unwrap();
    assert_eq!(who(&world, "link"), None, "a link is no token");
    let view = sign_in(&mut world, "link", "token").unwrap();
    assert_eq!((view.email.as_str(), view.token), ("anna@example.com", None));
    let principal = who(&world, "token").unwrap();
    assert_eq!((principal.email.as_str(), principal.role.as_str()), ("anna@example.com", "owner"));
    assert_eq!(code_of(sign_in(&mut world, "link", "second")), Code::Unauthenticated);
    assert_eq!(who(&world, "second"), None);
}

#[test]
fn a_wrong_a_used_and_an_expired_link_are_refused_in_the_same_words() {
    let mut world = World::new();
    owner(&mut world, "anna@example.com", "used").unwrap();
    owner(&mut world, "ben@example.com", "expired").unwrap();
    sign_in(&mut world, "used", "token").unwrap();
    let refusal = problem(sign_in(&mut world, "wrong", "a"));
    assert_eq!(refusal.0, Code::Unauthenticated);
    assert_eq!(problem(sign_in(&mut world, "used", "b")), refusal);
    world.pass("24h");
    assert_eq!(problem(sign_in(&mut world, "expired", "c")), refusal);
}

#[test]
fn a_second_owner_of_the_same_address_is_a_conflict_in_whichever_case() {
    let mut world = World::new();
    owner(&mut world, "anna@example.com", "a").unwrap();
    assert_eq!(code_of(owner(&mut world, "Anna@Example.com", "b")), Code::Conflict);
    owner(&mut world, "ben@example.com", "c").unwrap();
}

#[test]
fn a_token_is_made_for_somebody_known_only() {
    let mut world = World::new();
    let (code, detail) = problem(token(&mut world, "anna@example.com", "t"));
    assert_eq!(code, Code::NotFound);
    assert!(detail.contains("tidegate admin owner --email anna@example.com"), "{detail}");
    owner(&mut world, "anna@example.com", "link").unwrap();
    assert_eq!(token(&mut world, "ANNA@example.com", "t").unwrap().email, "anna@example.com");
    assert!(who(&world, "t").is_some());
}

#[test]
fn what_is_no_address_is_refused() {
    let mut world = World::new();
    let long = format!("a@{}", "b".repeat(199));
    for email in ["", "@", "a@", "@b", "a b@c", "a@b@c", "a@b\n", long.as_str()] {
        assert_eq!(code_of(owner(&mut world, email, "link")), Code::InvalidRequest, "{email:?}");
    }
}

fn invite(world: &mut World, by: &Principal, email: &str, link: &str) -> Result<PersonView, Error> {
    person_of(world.act_as(by, DirectoryAct::InvitePerson { email: email.into(), sign_in: secret(link) }))
}

fn new_link(world: &mut World, by: &Principal, person: PersonId, link: &str) -> Result<PersonView, Error> {
    person_of(world.act_as(by, DirectoryAct::MakeSignInLink { person, sign_in: secret(link) }))
}

fn person_of(answer: Result<Resource, Error>) -> Result<PersonView, Error> {
    answer.map(|resource| match resource {
        Resource::Person(view) => view,
        other => panic!("{other:?}"),
    })
}

fn people(world: &World) -> Vec<PersonView> {
    match world.try_ask(DirectoryQuestion::People(all())) {
        Ok(Answer::People(page)) => page.items,
        other => panic!("{other:?}"),
    }
}

/// A world with Anna, who is signed in.
fn world_of_anna() -> (World, Principal) {
    let (world, _) = world_signed_in();
    let anna = in_session(&world, "first").unwrap();
    (world, anna)
}

#[test]
fn who_is_invited_signs_in_with_the_link_and_is_listed_with_when() {
    let (mut world, anna) = world_of_anna();
    world.pass("9m");
    let ben = invite(&mut world, &anna, "ben@example.com", "ben").unwrap();
    assert_eq!((ben.role.as_str(), ben.last_signed_in_at, ben.has_password), ("owner", None, false));
    world.pass("1h");
    open(&mut world, by_link("ben"), "of ben").unwrap();
    assert_eq!(in_session(&world, "of ben").unwrap().person, ben.id);
    let listed: Vec<_> =
        people(&world).into_iter().map(|person| (person.email, person.last_signed_in_at)).collect();
    let then = world.now.shifted_by_ms(-4_140_000);
    assert_eq!(
        listed,
        [("anna@example.com".into(), Some(then)), ("ben@example.com".into(), Some(world.now))]
    );
    let anna = Principal { proof: Proof::Token { until: None }, ..anna };
    for email in ["Ben@Example.com", "anna@example.com"] {
        assert_eq!(code_of(invite(&mut world, &anna, email, "again")), Code::Conflict, "{email}");
    }
    assert_eq!(code_of(invite(&mut world, &anna, "no address", "again")), Code::InvalidRequest);
}

#[test]
fn when_somebody_last_signed_in_stays_known_when_the_session_is_gone() {
    let (mut world, _) = world_of_anna();
    owner(&mut world, "ben@example.com", "ben").unwrap();
    let signed_in_at = people(&world)[0].last_signed_in_at;
    world.pass("20h");
    open(&mut world, by_link("ben"), "of ben").unwrap();
    world.pass("30d");
    token(&mut world, "ben@example.com", "token of ben").unwrap();
    open(&mut world, by_token("token of ben"), "again").unwrap();
    assert!(signed_in_at.is_some());
    assert_eq!(people(&world)[0].last_signed_in_at, signed_in_at);
}

#[test]
fn a_new_sign_in_link_replaces_the_one_before() {
    let (mut world, anna) = world_of_anna();
    let ben = invite(&mut world, &anna, "ben@example.com", "first link").unwrap();
    assert_eq!(new_link(&mut world, &anna, ben.id, "second link").unwrap().id, ben.id);
    assert_eq!(code_of(open(&mut world, by_link("first link"), "x")), Code::Unauthenticated);
    open(&mut world, by_link("second link"), "of ben").unwrap();
    let nobody = PersonId::from_bytes([0; 10]);
    assert_eq!(code_of(new_link(&mut world, &anna, nobody, "third")), Code::NotFound);
}

#[test]
fn who_is_deactivated_is_out_at_once_and_comes_back_with_what_is_made_anew() {
    let (mut world, anna) = world_of_anna();
    let ben = invite(&mut world, &anna, "ben@example.com", "ben").unwrap();
    open(&mut world, by_link("ben"), "of ben").unwrap();
    token(&mut world, "ben@example.com", "token of ben").unwrap();
    new_link(&mut world, &anna, ben.id, "unused").unwrap();
    for _ in 0..2 {
        let view = person_of(world.act_as(&anna, DirectoryAct::DeactivatePerson(ben.id))).unwrap();
        assert_eq!(view.deactivated_at, Some(world.now));
    }
    assert_eq!((in_session(&world, "of ben"), who(&world, "token of ben")), (None, None));
    assert_eq!(code_of(new_link(&mut world, &anna, ben.id, "another")), Code::Conflict);
    assert_eq!(code_of(token(&mut world, "ben@example.com", "another")), Code::Conflict);
    assert_eq!(code_of(invite(&mut world, &anna, "ben@example.com", "another")), Code::Conflict);
    for _ in 0..2 {
        let view = person_of(world.act_as(&anna, DirectoryAct::ReactivatePerson(ben.id))).unwrap();
        assert_eq!(view.deactivated_at, None);
    }
    assert_eq!((in_session(&world, "of ben"), who(&world, "token of ben")), (None, None));
    assert_eq!(code_of(open(&mut world, by_link("unused"), "x")), Code::Unauthenticated);
    new_link(&mut world, &anna, ben.id, "new").unwrap();
    open(&mut world, by_link("new"), "again").unwrap();
    let kinds = recorded(&world);
    let of_people: Vec<&str> =
        kinds.iter().map(String::as_str).filter(|kind| kind.contains("person_")).collect();
    assert_eq!(of_people, ["person_invited", "person_deactivated", "person_reactivated"]);
}

#[test]
fn nobody_deactivates_themselves_or_the_last_active_owner() {
    let (mut world, anna) = world_of_anna();
    let ben = invite(&mut world, &anna, "ben@example.com", "ben").unwrap();
    let (code, detail) = problem(world.act_as(&anna, DirectoryAct::DeactivatePerson(anna.person)));
    assert_eq!(code, Code::Conflict);
    assert!(detail.contains("yourself"), "{detail}");
    world.act_as(&anna, DirectoryAct::DeactivatePerson(ben.id)).unwrap();
    // Ben asked at the same moment, while he still was one.
    let as_ben = Principal {
        person: ben.id,
        email: ben.email,
        role: "owner".into(),
        proof: Proof::Token { until: None },
    };
    for act in [DirectoryAct::DeactivatePerson(anna.person), DirectoryAct::ReactivatePerson(ben.id)] {
        assert_eq!(code_of(world.act_as(&as_ben, act)), Code::Unauthenticated);
    }
    let (code, detail) = problem(world.act(DirectoryAct::DeactivatePerson(anna.person)));
    assert_eq!(code, Code::Conflict);
    assert!(detail.contains("last active owner"), "{detail}");
    assert!(in_session(&world, "first").is_some());
}

#[test]
fn only_an_owner_manages_people() {
    let (mut world, anna) = world_of_anna();
    let acts = [
        DirectoryAct::InvitePerson { email: "ben@example.com".into(), sign_in: secret("ben") },
        DirectoryAct::MakeSignInLink { person: anna.person, sign_in: secret("link") },
        DirectoryAct::DeactivatePerson(anna.person),
        DirectoryAct::ReactivatePerson(anna.person),
    ];
    for act in acts {
        assert_eq!(code_of(world.act_as(&stranger(), act)), Code::Forbidden);
    }
    assert_eq!(people(&world).len(), 1);
}

#[test]
fn every_endpoint_that_was_admitted_is_told_twice_whose_work_to_hold() {
    let (mut world, anna) = world_of_anna();
    let ben = invite(&mut world, &anna, "ben@example.com", "ben").unwrap();
    let site = world.some_site();
    let code = world.code(NewCode { uses: Some(2), ..new_code(site.id) });
    let mut machines: Vec<_> =
        [1, 2].map(|machine| world.admit(machine, &read(&code)).unwrap().endpoint).to_vec();
    machines.sort_unstable();
    let due = |world: &World| outbox(&world.db, world.now, 10).unwrap();
    assert_eq!((due(&world), outbox_due_at(&world.db)), (vec![], Ok(None)));
    for _ in 0..2 {
        world.act_as(&anna, DirectoryAct::DeactivatePerson(ben.id)).unwrap();
    }
    let first = due(&world);
    let told: Vec<_> = first.iter().map(|held| held.endpoint).collect();
    assert_eq!(told, machines);
    assert_eq!((first[0].person.as_str(), first[0].by.as_str()), ("ben@example.com", "anna@example.com"));
    for held in &first {
        outbox_done(&world.db, held).unwrap();
    }
    assert_eq!(due(&world), []);
    assert_eq!(outbox_due_at(&world.db), Ok(Some(world.now.shifted_by_ms(60_000))));
    world.pass("1m");
    assert_eq!(due(&world).len(), 2);
    world.act_as(&anna, DirectoryAct::ReactivatePerson(ben.id)).unwrap();
    assert_eq!(due(&world).len(), 2, "reactivation takes nothing back");
}

#[test]
fn an_address_with_characters_that_reorder_or_hide_text_is_refused() {
    let mut world = World::new();
    for email in
        ["anna\u{202e}@example.com", "anna\u{200b}@example.com", "\u{3164}anna@example.com", "a@\u{2066}b"]
    {
        assert_eq!(code_of(owner(&mut world, email, "link")), Code::InvalidRequest, "{email:?}");
    }
    owner(&mut world, "änna@example.com", "link").unwrap();
}
