use crate::api::{Paging, TokenLife, TokenView};
use crate::call::{Answer, DirectoryAct, DirectoryInput, DirectoryQuestion, Principal, Proof, Resource};
use crate::error::{Code, Error};
use crate::id::{PersonId, TokenId};

use super::people::{owner, token, who};
use super::sessions::{by_token, in_session, open, recorded, world_signed_in};
use super::support::{World, all, code_of, key, problem, secret, stranger};

fn create(world: &mut World, by: &Principal, name: &str, digest: &str) -> Result<TokenView, Error> {
    token_of(world.act_as(
        by,
        DirectoryAct::CreateToken { name: name.into(), digest: secret(digest), life: TokenLife::default() },
    ))
}

fn rename(world: &mut World, by: &Principal, token: TokenId, name: &str) -> Result<TokenView, Error> {
    token_of(world.act_as(by, DirectoryAct::RenameToken { token, name: name.into() }))
}

fn token_of(answer: Result<Resource, Error>) -> Result<TokenView, Error> {
    answer.map(|resource| match resource {
        Resource::Token(view) => view,
        other => panic!("{other:?}"),
    })
}

fn names(world: &World, person: Option<PersonId>) -> Vec<String> {
    match world.try_ask(DirectoryQuestion::Tokens { person, paging: all() }) {
        Ok(Answer::Tokens(page)) => page.items.into_iter().map(|token| token.name).collect(),
        other => panic!("{other:?}"),
    }
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
fn a_person_makes_names_and_withdraws_tokens_of_their_own() {
    let (mut world, _) = world_signed_in();
    let anna = in_session(&world, "first").unwrap();
    world.pass("1s");
    let made = create(&mut world, &anna, "backup script", "mine").unwrap();
    assert_eq!((made.person_id, made.token.as_deref()), (anna.person, None));
    assert_eq!(who(&world, "mine").unwrap().person, anna.person);
    assert_eq!(rename(&mut world, &anna, made.id, "cron").unwrap().name, "cron");
    assert_eq!(names(&world, Some(anna.person)), ["cron", "made with tidegate admin token"]);
    world.act_as(&anna, DirectoryAct::RevokeToken(made.id)).unwrap();
    assert_eq!(names(&world, None), ["made with tidegate admin token"]);
    assert_eq!(code_of(rename(&mut world, &anna, made.id, "again")), Code::Conflict);
    let last: Vec<String> = recorded(&world).into_iter().rev().take(3).collect();
    assert_eq!(last, ["token_revoked", "token_renamed", "token_created"]);
}

#[test]
fn a_tokens_name_has_1_to_100_bytes_without_control_characters() {
    let (mut world, _) = world_signed_in();
    let anna = in_session(&world, "first").unwrap();
    let made = create(&mut world, &anna, &"a".repeat(100), "mine").unwrap();
    for name in ["", " ", "a\nb", &"a".repeat(101)] {
        assert_eq!(code_of(create(&mut world, &anna, name, "other")), Code::InvalidRequest, "{name:?}");
        assert_eq!(code_of(rename(&mut world, &anna, made.id, name)), Code::InvalidRequest, "{name:?}");
    }
}

#[test]
fn a_token_is_changed_by_its_person_or_an_owner_and_by_nobody_else() {
    let (mut world, _) = world_signed_in();
    let anna = in_session(&world, "first").unwrap();
    let made = create(&mut world, &anna, "script", "mine").unwrap();
    assert_eq!(code_of(rename(&mut world, &stranger(), made.id, "theirs")), Code::Forbidden);
    assert_eq!(code_of(world.act_as(&stranger(), DirectoryAct::RevokeToken(made.id))), Code::Forbidden);
    assert_eq!(code_of(create(&mut world, &stranger(), "script", "nobody's")), Code::NotFound);
    assert!(who(&world, "mine").is_some());
    owner(&mut world, "ben@example.com", "ben").unwrap();
    token(&mut world, "ben@example.com", "of ben").unwrap();
    let ben = who(&world, "of ben").unwrap();
    rename(&mut world, &ben, made.id, "hers").unwrap();
    world.act_as(&ben, DirectoryAct::RevokeToken(made.id)).unwrap();
    assert_eq!(who(&world, "mine"), None);
    assert_eq!(names(&world, Some(ben.person)).len(), 1);
}

#[test]
fn a_repeated_request_for_a_token_says_so_and_makes_none() {
    let (mut world, _) = world_signed_in();
    let anna = in_session(&world, "first").unwrap();
    let make = |digest| DirectoryAct::CreateToken {
        name: "script".into(),
        digest: secret(digest),
        life: TokenLife::default(),
    };
    let (first, _) = world.try_act_as(anna.clone(), key("k", "script"), make("one")).unwrap();
    let (again, _) = world.try_act_as(anna, key("k", "script"), make("two")).unwrap();
    assert_eq!(again, first);
    assert_eq!(who(&world, "two"), None);
    let question = DirectoryQuestion::Tokens { person: None, paging: Paging { cursor: None, limit: 10 } };
    assert!(matches!(world.try_ask(question), Ok(Answer::Tokens(page)) if page.items.len() == 2));
}

/// Whether a use of the token is to be stored, or why it does not work.
fn use_due(world: &World, token: &str) -> Result<Option<bool>, Error> {
    match world.try_ask(DirectoryQuestion::Authenticate(secret(token)))? {
        Answer::Authenticated(known) => Ok(known.map(|known| known.is_use_due)),
        other => panic!("{other:?}"),
    }
}

fn listed(world: &World) -> TokenView {
    match world.try_ask(DirectoryQuestion::Tokens { person: None, paging: all() }) {
        Ok(Answer::Tokens(page)) => page.items.into_iter().find(|token| token.name == "mine").unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_ends_when_its_time_is_over_and_says_so_to_its_holder_alone() {
    let (mut world, _) = world_signed_in();
    let anna = in_session(&world, "first").unwrap();
    let made = create(&mut world, &anna, "mine", "mine").unwrap();
    assert_eq!(made.expires_at, TokenLife::default().expires_at(world.now));
    world.pass("89d");
    assert!(who(&world, "mine").is_some());
    world.now = made.expires_at.unwrap();
    let (code, detail) = problem(use_due(&world, "mine"));
    assert_eq!(code, Code::ApiTokenExpired);
    assert!(detail.contains("expired at 2027-02-21T12:00:00.000Z"), "{detail}");
    assert_eq!(code_of(open(&mut world, by_token("mine"), "second")), Code::ApiTokenExpired);
    assert_eq!(use_due(&world, "other"), Ok(None));
    assert_eq!(listed(&world).expires_at, made.expires_at, "it stays listed until it is withdrawn");
    world.act(DirectoryAct::RevokeToken(made.id)).unwrap();
    assert_eq!(use_due(&world, "mine"), Ok(None));
    let life = TokenLife::Never;
    let never = DirectoryAct::CreateToken { name: "mine".into(), digest: secret("for ever"), life };
    assert_eq!(token_of(world.act_as(&stays(anna), never)).unwrap().expires_at, None);
    world.pass("3000d");
    assert!(who(&world, "for ever").is_some());
}

fn stays(person: Principal) -> Principal {
    Principal { proof: Proof::Token { until: None }, ..person }
}

#[test]
fn the_last_use_of_a_token_is_stored_once_a_day() {
    let (mut world, _) = world_signed_in();
    let anna = in_session(&world, "first").unwrap();
    create(&mut world, &anna, "mine", "mine").unwrap();
    assert_eq!(listed(&world).last_used_on, None);
    let used = |world: &mut World| world.try_handle(DirectoryInput::Use(secret("mine"))).unwrap();
    assert_eq!(use_due(&world, "mine"), Ok(Some(true)));
    used(&mut world);
    assert_eq!(use_due(&world, "mine"), Ok(Some(false)));
    assert_eq!(listed(&world).last_used_on.map(|day| day.to_string()).as_deref(), Some("2026-11-23"));
    world.pass("11h");
    assert_eq!(use_due(&world, "mine"), Ok(Some(false)), "the same day");
    world.pass("1h");
    assert_eq!(use_due(&world, "mine"), Ok(Some(true)), "midnight of UTC has passed");
    used(&mut world);
    assert_eq!(listed(&world).last_used_on.map(|day| day.to_string()).as_deref(), Some("2026-11-24"));
}

/// A world in which Anna holds a token of one hour, `short`.
fn world_with_a_short_token() -> (World, TokenView) {
    let (mut world, _) = world_signed_in();
    let anna = in_session(&world, "first").unwrap();
    let life = TokenLife::For(crate::time::Milliseconds::parse("1h").unwrap());
    let act = DirectoryAct::CreateToken { name: "short".into(), digest: secret("short"), life };
    let made = token_of(world.act_as(&stays(anna), act)).unwrap();
    (world, made)
}

#[test]
fn a_session_that_a_token_opened_ends_when_the_token_is_withdrawn_and_others_stay() {
    let (mut world, short) = world_with_a_short_token();
    open(&mut world, by_token("short"), "by short").unwrap();
    open(&mut world, by_token("token"), "by another").unwrap();
    assert!(in_session(&world, "by short").is_some());
    world.act(DirectoryAct::RevokeToken(short.id)).unwrap();
    assert_eq!(in_session(&world, "by short"), None);
    assert!(in_session(&world, "by another").is_some() && in_session(&world, "first").is_some());
    let body = audit_body(&world, "token_revoked");
    assert_eq!(body["sessions_ended"], 1);
}

#[test]
fn a_session_that_a_token_opened_ends_when_the_token_does() {
    let (mut world, short) = world_with_a_short_token();
    let view = open(&mut world, by_token("short"), "by short").unwrap();
    assert_eq!(Some(view.expires_at), short.expires_at);
    world.now = view.expires_at.shifted_by_ms(-1);
    assert!(in_session(&world, "by short").is_some());
    world.pass("1ms");
    assert_eq!(in_session(&world, "by short"), None);
    assert!(in_session(&world, "first").is_some());
}

#[test]
fn a_token_ends_no_later_than_the_one_that_it_is_made_with() {
    let (mut world, short) = world_with_a_short_token();
    open(&mut world, by_token("short"), "by short").unwrap();
    let with_token = who(&world, "short").unwrap();
    let in_its_session = in_session(&world, "by short").unwrap();
    let proof = Proof::Session { confirmed_at: Some(world.now), until: in_its_session.proof.until() };
    let in_its_session = Principal { proof, ..in_its_session };
    for (by, digest) in [(with_token, "child"), (in_its_session, "child of the session")] {
        let act = DirectoryAct::CreateToken {
            name: "child".into(),
            digest: secret(digest),
            life: TokenLife::Never,
        };
        let child = token_of(world.act_as(&by, act)).unwrap();
        assert_eq!(child.expires_at, short.expires_at, "{digest}");
        let of_the_child = who(&world, digest).unwrap();
        assert_eq!(of_the_child.proof.until(), short.expires_at, "and so on");
    }
}

#[test]
fn the_audit_log_names_the_token_that_opened_a_session_and_never_its_secret() {
    let (mut world, short) = world_with_a_short_token();
    open(&mut world, by_token("short"), "by short").unwrap();
    let body = audit_body(&world, "session_opened");
    assert_eq!((&body["token"], &body["token_name"]), (&short.id.to_string().into(), &"short".into()));
    assert!(!body.to_string().contains(&secret("short").to_string()));
}

/// The newest audit entry of `kind`.
fn audit_body(world: &World, kind: &str) -> serde_json::Value {
    use crate::sql::ReadSql as _;
    let rows = world.db.query("SELECT body FROM directory_audit ORDER BY number DESC", &[]).unwrap();
    let bodies = rows.iter().map(|row| serde_json::from_str(row.text(0).unwrap()).unwrap());
    bodies.into_iter().find(|body: &serde_json::Value| body["kind"] == kind).unwrap()
}
