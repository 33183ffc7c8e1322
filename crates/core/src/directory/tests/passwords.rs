use crate::call::{Answer, DirectoryAct, DirectoryQuestion, Resource};
use crate::directory::session_digest;
use crate::error::Code;
use crate::id::PersonId;
use crate::sql::{ReadSql, Sql};

use super::people::owner;
use super::sessions::{by_token, in_session, live, open, recorded, world_signed_in};
use super::support::{World, code_of, stranger};

fn set(hash: &str, keep: &str) -> DirectoryAct {
    DirectoryAct::SetPassword { hash: hash.into(), keep: Some(session_digest(keep)) }
}

fn hash_of(world: &World, email: &str) -> Option<(PersonId, String)> {
    match world.try_ask(DirectoryQuestion::PasswordHash(email.into())) {
        Ok(Answer::PasswordHash(found)) => found,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_password_is_set_for_oneself_and_found_by_the_address_in_any_case() {
    let (mut world, first) = world_signed_in();
    owner(&mut world, "ben@example.com", "other").unwrap();
    assert_eq!(hash_of(&world, "anna@example.com"), None);
    let anna = in_session(&world, "first").unwrap();
    let Ok(Resource::Person(view)) = world.act_as(&anna, set("$argon2id$1", "first")) else { panic!() };
    assert!(view.has_password);
    assert_eq!(hash_of(&world, "ANNA@example.com"), Some((first.person_id, "$argon2id$1".into())));
    assert_eq!(hash_of(&world, "ben@example.com"), None);
    assert_eq!(hash_of(&world, "nobody@example.com"), None);
}

#[test]
fn a_new_password_ends_the_persons_other_sessions_and_nobody_elses() {
    let (mut world, first) = world_signed_in();
    owner(&mut world, "ben@example.com", "ben").unwrap();
    let ben = open(&mut world, super::sessions::by_link("ben"), "of ben").unwrap();
    open(&mut world, by_token("token"), "second").unwrap();
    let anna = in_session(&world, "first").unwrap();
    world.act_as(&anna, set("$argon2id$1", "first")).unwrap();
    assert_eq!(live(&world, Some(&anna)), [first.id]);
    assert_eq!(in_session(&world, "second"), None);
    assert_eq!(in_session(&world, "of ben").unwrap().person, ben.person_id);
    world.act_as(&anna, DirectoryAct::SetPassword { hash: "$argon2id$2".into(), keep: None }).unwrap();
    assert_eq!(live(&world, Some(&anna)), []);
}

#[test]
fn what_is_no_hash_is_not_stored_and_a_hash_is_not_recorded() {
    let (mut world, _) = world_signed_in();
    let anna = in_session(&world, "first").unwrap();
    let long = format!("$argon2id${}", "a".repeat(200));
    for hash in ["correct horse battery", "", "$argon2i$", long.as_str()] {
        assert_eq!(code_of(world.act_as(&anna, set(hash, "first"))), Code::InvalidRequest, "{hash}");
    }
    world.act_as(&anna, set("$argon2id$secret", "first")).unwrap();
    assert_eq!(recorded(&world).last().map(String::as_str), Some("password_set"));
    let stored = world.db.query("SELECT header, body FROM directory_audit", &[]).unwrap();
    assert!(!format!("{stored:?}").contains("argon2id"));
    assert_eq!(code_of(world.act_as(&stranger(), set("$argon2id$1", ""))), Code::NotFound);
}

#[test]
fn nobody_who_was_deactivated_has_a_password_that_works() {
    let (mut world, _) = world_signed_in();
    let anna = in_session(&world, "first").unwrap();
    world.act_as(&anna, set("$argon2id$1", "first")).unwrap();
    world.db.execute("UPDATE person SET deactivated_at = 1", &[]).unwrap();
    assert_eq!(hash_of(&world, "anna@example.com"), None);
    assert_eq!(code_of(world.act_as(&anna, set("$argon2id$2", "first"))), Code::Unauthenticated);
}
