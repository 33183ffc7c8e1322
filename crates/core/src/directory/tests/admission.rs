use crate::api::NewCode;
use crate::call::{Answer, DirectoryAct, DirectoryInput, DirectoryQuestion};
use crate::envelope::Envelope;
use crate::error::Code;
use crate::id::CodeId;
use crate::keys::{KeyPair, PublicKey, Role};
use crate::wire::EnrolmentCode;

use super::support::{
    World, all, code_of, endpoint_id, endpoint_view, enrol_request, new_code, problem, projection, read,
};

fn uses_left(world: &World) -> Vec<u32> {
    match world.try_ask(DirectoryQuestion::Codes(all())) {
        Ok(Answer::Codes(page)) => page.items.iter().map(|code| code.uses_left).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_code_admits_into_its_site_and_names_who_made_it() {
    let mut world = World::new();
    let site = world.some_site();
    let code = read(&world.code(new_code(site.id)));
    let admission = world.admit(1, &code).unwrap();
    assert_eq!((admission.site, admission.client), (site.id, site.client_id));
    assert_eq!(admission.code_by, "anna@example.com");
    assert_eq!(admission.request, enrol_request(1, &code));
}

#[test]
fn a_repeated_enrolment_gives_the_same_endpoint_and_uses_the_code_once() {
    let mut world = World::new();
    let site = world.some_site();
    let code = read(&world.code(NewCode { uses: Some(2), ..new_code(site.id) }));
    let first = world.admit(1, &code).unwrap();
    for _ in 0..5 {
        assert_eq!(world.admit(1, &code), Ok(first.clone()));
    }
    assert_eq!(uses_left(&world), [1]);
    assert_ne!(world.admit(2, &code).unwrap().endpoint, first.endpoint);
    assert_eq!(uses_left(&world), [0]);
}

#[test]
fn a_used_up_or_expired_code_admits_nobody_new_and_still_answers_a_repeat() {
    let mut world = World::new();
    let site = world.some_site();
    let code = read(&world.code(new_code(site.id)));
    let first = world.admit(1, &code).unwrap();
    assert_eq!(code_of(world.admit(2, &code)), Code::InvalidCode);
    assert_eq!(world.admit(1, &code), Ok(first.clone()));
    let fresh = read(&world.code(new_code(site.id)));
    world.pass("7d");
    assert_eq!(code_of(world.admit(2, &fresh)), Code::InvalidCode);
    assert_eq!(world.admit(1, &code), Ok(first));
}

#[test]
fn a_withdrawn_code_admits_nobody_not_even_a_repeat() {
    let mut world = World::new();
    let site = world.some_site();
    let code = read(&world.code(NewCode { uses: Some(9), ..new_code(site.id) }));
    world.admit(1, &code).unwrap();
    world.act(DirectoryAct::RevokeCode(code.id)).unwrap();
    assert_eq!(code_of(world.admit(1, &code)), Code::InvalidCode);
    assert_eq!(code_of(world.admit(2, &code)), Code::InvalidCode);
    assert_eq!(uses_left(&world), [0], "a withdrawn code is shown as one that admits nobody");
}

#[test]
fn an_unknown_code_and_a_wrong_secret_are_refused_in_the_same_words() {
    let mut world = World::new();
    let site = world.some_site();
    let code = read(&world.code(new_code(site.id)));
    let wrong = EnrolmentCode { secret: [0; 16], ..code.clone() };
    let unknown = EnrolmentCode { id: CodeId::from_bytes([0; 10]), ..code.clone() };
    let refusal = problem(world.admit(1, &wrong));
    assert_eq!(refusal.0, Code::InvalidCode);
    assert_eq!(problem(world.admit(1, &unknown)), refusal);

    let malformed = crate::wire::EnrolRequest { secret: "Ä".into(), ..enrol_request(1, &code) };
    let keys = KeyPair::from_seed(Role::Endpoint, &[1; 32]);
    let envelope = Envelope::seal(&malformed, &keys, Role::Endpoint);
    assert_eq!(problem(world.try_handle(DirectoryInput::Admit(Box::new(envelope)))), refusal);

    // Also where the code is withdrawn, used up or expired: only its secret opens the reason.
    world.act(DirectoryAct::RevokeCode(code.id)).unwrap();
    world.pass("90d");
    assert_eq!(problem(world.admit(1, &wrong)), refusal);
    assert_eq!(uses_left(&world), [0]);
}

#[test]
fn a_request_signed_by_another_key_than_it_names_is_refused() {
    let mut world = World::new();
    let site = world.some_site();
    let code = read(&world.code(new_code(site.id)));
    let thief = KeyPair::from_seed(Role::Endpoint, &[2; 32]);
    let envelope = Envelope::seal(&enrol_request(1, &code), &thief, Role::Endpoint);
    let answer = world.try_handle(DirectoryInput::Admit(Box::new(envelope)));
    assert_eq!(code_of(answer), Code::InvalidSignature);
    assert_eq!(uses_left(&world), [1]);
}

#[test]
fn a_request_of_another_version_or_without_a_name_is_refused_and_uses_nothing() {
    let mut world = World::new();
    let site = world.some_site();
    let code = read(&world.code(new_code(site.id)));
    let keys = KeyPair::from_seed(Role::Endpoint, &[1; 32]);
    let newer = crate::wire::EnrolRequest { v: crate::wire::PROTOCOL_VERSION + 1, ..enrol_request(1, &code) };
    let nameless = crate::wire::EnrolRequest { name: "\n".into(), ..enrol_request(1, &code) };
    for request in [newer, nameless] {
        let envelope = Envelope::seal(&request, &keys, Role::Endpoint);
        let answer = world.try_handle(DirectoryInput::Admit(Box::new(envelope)));
        assert_eq!(code_of(answer), Code::InvalidRequest);
    }
    assert_eq!(uses_left(&world), [1]);
}

#[test]
fn a_code_for_one_machine_gives_that_machine_its_record_back() {
    let mut world = World::new();
    let site = world.some_site();
    world.project(projection(1, endpoint_view(5, "hmi", &site)));
    let code = world.code(NewCode { endpoint_id: Some(endpoint_id(5)), ..new_code(site.id) });
    assert_eq!(world.admit(1, &read(&code)).unwrap().endpoint, endpoint_id(5));
    assert_eq!(code_of(world.admit(2, &read(&code))), Code::InvalidCode, "for one machine, once");
}

#[test]
fn a_key_that_is_enrolled_keeps_its_endpoint_under_another_code() {
    let mut world = World::new();
    let site = world.some_site();
    let mut told = projection(1, endpoint_view(5, "hmi", &site));
    told.keys = vec![PublicKey::of_seed(&[1; 32])];
    world.project(told);
    let code = read(&world.code(new_code(site.id)));
    assert_eq!(world.admit(1, &code).unwrap().endpoint, endpoint_id(5));

    world.project(projection(1, endpoint_view(6, "plc", &site)));
    let other = world.code(NewCode { endpoint_id: Some(endpoint_id(6)), ..new_code(site.id) });
    assert_eq!(code_of(world.admit(1, &read(&other))), Code::Conflict);
}
