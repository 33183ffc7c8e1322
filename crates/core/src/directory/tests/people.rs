use crate::api::TokenView;
use crate::call::{Answer, DirectoryAct, DirectoryInput, DirectoryQuestion, Principal, Reply, Resource};
use crate::digest::Digest;
use crate::error::{Code, Error};
use crate::id::TokenId;

use super::support::{World, code_of, problem, secret};

pub(super) fn owner(world: &mut World, email: &str, link: &str) -> Result<Reply, Error> {
    world.try_handle(DirectoryInput::CreateOwner { email: email.into(), sign_in: secret(link) })
}

pub(super) fn sign_in(world: &mut World, link: &str, token: &str) -> Result<TokenView, Error> {
    token_of(world.try_handle(DirectoryInput::SignIn { link: secret(link), token: secret(token) })?)
}

pub(super) fn token(world: &mut World, email: &str, token: &str) -> Result<TokenView, Error> {
    token_of(world.try_handle(DirectoryInput::CreateToken { email: email.into(), digest: secret(token) })?)
}

fn token_of(reply: Reply) -> Result<TokenView, Error> {
    match reply {
        Reply::Resource { resource, created: true } => match *resource {
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
        Ok(Answer::Principal(principal)) => principal,
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
fn a_withdrawn_token_ends_at_once_and_the_others_stay() {
    let mut world = World::new();
    owner(&mut world, "anna@example.com", "link").unwrap();
    let first = token(&mut world, "anna@example.com", "first").unwrap();
    token(&mut world, "anna@example.com", "second").unwrap();
    for _ in 0..2 {
        let answer = world.act(DirectoryAct::RevokeToken(first.id));
        assert_eq!(answer, Ok(Resource::Token(first.clone())));
    }
    assert_eq!(who(&world, "first"), None);
    assert!(who(&world, "second").is_some());
    let unknown = DirectoryAct::RevokeToken(TokenId::from_bytes([0; 10]));
    assert_eq!(code_of(world.act(unknown)), Code::NotFound);
}

#[test]
fn what_is_no_address_is_refused() {
    let mut world = World::new();
    let long = format!("a@{}", "b".repeat(199));
    for email in ["", "@", "a@", "@b", "a b@c", "a@b@c", "a@b\n", long.as_str()] {
        assert_eq!(code_of(owner(&mut world, email, "link")), Code::InvalidRequest, "{email:?}");
    }
}
