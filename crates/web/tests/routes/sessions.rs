//! Sessions as pages open them, beside tokens as programs send them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tidegate_core::call::{DirectoryInput, Input, ObjectId};
use tidegate_core::directory::token_digest;
use tidegate_core::error::{Code, Error};
use tidegate_web::sessions::{
    Opened, authenticate_session, end_session, open_session_by_link, open_session_by_password,
    open_session_by_token, session_of, set_password,
};
use tidegate_web::{ClientAddress, Host as _, HostError};

use crate::world::{TOKEN, World, owner};

const ADDRESS: Option<ClientAddress> = Some(ClientAddress(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))));

pub(crate) fn code_of<T: std::fmt::Debug>(answer: Result<T, HostError>) -> Code {
    match answer {
        Err(HostError::Core(Error::Problem(problem))) => problem.code,
        other => panic!("expected a refusal and not {other:?}"),
    }
}

async fn opened(world: &Arc<World>) -> Opened {
    let link = world.sign_in_link().await;
    open_session_by_link(world.as_ref(), &link, ADDRESS, "Firefox").await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_link_opens_a_session_once_and_the_view_says_from_where() {
    let world = World::new();
    let invited =
        DirectoryInput::CreateOwner { email: "o@example.com".into(), sign_in: token_digest("link") };
    world.handle(ObjectId::Directory, Input::Directory(invited)).await.unwrap();
    let opened = open_session_by_link(world.as_ref(), "link", ADDRESS, "Firefox").await.unwrap();
    assert!(opened.secret.starts_with("tgs_") && opened.secret.len() == 47);
    assert_eq!(opened.session.email, "o@example.com");
    assert_eq!(
        (opened.session.address.as_deref(), opened.session.agent.as_str()),
        (Some("192.0.2.7"), "Firefox")
    );
    let (principal, digest) =
        authenticate_session(world.as_ref(), &opened.secret, true).await.unwrap().unwrap();
    assert_eq!(principal.email, "o@example.com");
    assert_eq!(session_of(world.as_ref(), digest).await, Ok(Some(opened.session)));
    let again = open_session_by_link(world.as_ref(), "link", ADDRESS, "Firefox").await;
    assert_eq!(code_of(again), Code::Unauthenticated);
}

#[tokio::test(start_paused = true)]
async fn a_sessions_secret_is_no_bearer_token_and_a_token_no_session() {
    let world = World::new();
    let opened = opened(&world).await;
    let refused = world.get_as(&opened.secret, "/api/v1/me").await;
    assert_eq!((refused.status.as_u16(), refused.problem().0.as_str()), (401, "unauthenticated"));
    assert_eq!(world.get_as(TOKEN, "/api/v1/me").await.status, 200);
    assert_eq!(authenticate_session(world.as_ref(), TOKEN, true).await, Ok(None));
    let by_secret = open_session_by_token(world.as_ref(), &opened.secret, ADDRESS, "").await;
    assert_eq!(code_of(by_secret), Code::Unauthenticated);
    assert_eq!(authenticate_session(world.as_ref(), &"a".repeat(1 << 20), true).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn whoever_signed_out_is_out_and_another_session_stays() {
    let world = World::new();
    let (first, second) = (opened(&world).await, opened(&world).await);
    assert_ne!(first.secret, second.secret);
    let (principal, digest) =
        authenticate_session(world.as_ref(), &first.secret, true).await.unwrap().unwrap();
    assert_eq!(code_of(end_session(world.as_ref(), owner(), digest).await), Code::NotFound, "not theirs");
    for _ in 0..2 {
        end_session(world.as_ref(), principal.clone(), digest).await.unwrap();
    }
    assert_eq!(authenticate_session(world.as_ref(), &first.secret, true).await, Ok(None));
    assert_eq!(session_of(world.as_ref(), digest).await, Ok(None));
    assert!(authenticate_session(world.as_ref(), &second.secret, true).await.unwrap().is_some());
}

const PASSWORD: &str = "correct horse battery";

async fn by_password(world: &Arc<World>, email: &str, password: &str) -> Result<Opened, HostError> {
    open_session_by_password(world.as_ref(), email, password, ADDRESS, "Firefox").await
}

#[tokio::test(start_paused = true)]
async fn a_password_opens_sessions_and_a_new_one_ends_the_others() {
    let world = World::new();
    let (first, second) = (opened(&world).await, opened(&world).await);
    let (principal, digest) =
        authenticate_session(world.as_ref(), &first.secret, true).await.unwrap().unwrap();
    let person = set_password(world.as_ref(), principal.clone(), PASSWORD, Some(digest)).await.unwrap();
    assert!(person.has_password);
    assert!(authenticate_session(world.as_ref(), &first.secret, true).await.unwrap().is_some());
    assert_eq!(authenticate_session(world.as_ref(), &second.secret, true).await, Ok(None));
    let third = by_password(&world, "Owner@Example.com", PASSWORD).await.unwrap();
    assert_eq!(third.session.person_id, principal.person);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_and_an_unknown_address_get_the_same_answer_after_the_same_work() {
    let world = World::new();
    let no_password = by_password(&world, &owner().email, PASSWORD).await.unwrap_err();
    let first = opened(&world).await;
    let (principal, _) = authenticate_session(world.as_ref(), &first.secret, true).await.unwrap().unwrap();
    set_password(world.as_ref(), principal, PASSWORD, None).await.unwrap();
    let wrong = by_password(&world, &owner().email, "wrong").await.unwrap_err();
    let unknown = by_password(&world, "nobody@example.com", PASSWORD).await.unwrap_err();
    assert_eq!((&wrong, &unknown), (&no_password, &no_password));
    assert_eq!(world.verified.load(Ordering::Relaxed), 3, "each was compared with something");
    let long = by_password(&world, &owner().email, &"a".repeat(801)).await.unwrap_err();
    assert_eq!(long, no_password);
    assert_eq!(code_of::<()>(Err(no_password)), Code::Unauthenticated);
}

#[tokio::test(start_paused = true)]
async fn a_password_is_long_enough_bounded_not_the_address_and_not_common() {
    let world = World::new();
    let first = opened(&world).await;
    let (principal, _) = authenticate_session(world.as_ref(), &first.secret, true).await.unwrap().unwrap();
    let set = |password: String| {
        let (world, principal) = (Arc::clone(&world), principal.clone());
        async move { set_password(world.as_ref(), principal, &password, None).await }
    };
    for refused in ["elevenchars".to_owned(), "ü".repeat(201), "Owner@EXAMPLE.com".to_owned()] {
        assert_eq!(code_of(set(refused).await), Code::InvalidRequest);
    }
    for common in ["password12345", "owner@owner2026", "tidegate2026!"] {
        assert_eq!(code_of(set(common.to_owned()).await), Code::InvalidRequest, "{common}");
    }
    let longest: String = "correct horse battery staple ".chars().cycle().take(150).collect();
    for taken in ["grüne Schrauben".to_owned(), longest] {
        assert_eq!(set(taken).await.map(|person| person.has_password), Ok(true));
    }
}
