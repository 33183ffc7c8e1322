//! Syncs over HTTP: at once where something moves, held where nothing does.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use tidegate_core::api::EndpointView;
use tidegate_core::call::{
    Answer, Command, EndpointAct, EndpointInput, EndpointQuestion, Input, ObjectId, Question,
};
use tidegate_core::digest::Digest;
use tidegate_core::id::RequestId;
use tidegate_core::keys::{KeyPair, Role};
use tidegate_core::wire::{Head, IdleSync, Order, SyncRequest};
use tidegate_web::{Host as _, RouteClass};

use crate::machine::{ENDPOINT, FIRST, Machine, SECOND, answer};
use crate::world::{World, owner};

const HOLD: Duration = Duration::from_secs(25);

#[tokio::test(start_paused = true)]
async fn a_signed_sync_is_answered_at_once_and_makes_the_endpoint_seen() {
    let world = World::new();
    let mut machine = Machine::enrolled(&world).await;
    assert_eq!(world.last_seen(ENDPOINT), None);
    let answer = machine.sync(FIRST).await;
    assert!(answer.ticket.is_none(), "there is something to move");
    assert_eq!(answer.offered.len(), 1, "the adoption of its journal");
    let seen = world.last_seen(ENDPOINT).unwrap();
    assert_eq!((seen.at, seen.skew_ms), (world.now(), Some(0)));
    assert_eq!(world.answered.lock().unwrap().last(), Some(&(RouteClass::Sync, 200)));
}

#[tokio::test(start_paused = true)]
async fn an_idle_sync_that_allows_no_hold_is_answered_at_once() {
    let world = World::new();
    let mut machine = Machine::enrolled(&world).await;
    let idle = machine.candidate_idle(Duration::ZERO).await;
    let began = world.now();
    let response = machine.send(idle.write()).await;
    assert_eq!((response.status.as_u16(), response.bytes.len()), (204, 0), "nothing has moved");
    assert_eq!(world.now(), began);
}

#[tokio::test(start_paused = true)]
async fn an_idle_sync_is_held_as_long_as_it_allows() {
    let world = World::new();
    let mut machine = Machine::enrolled(&world).await;
    let idle = machine.candidate_idle(HOLD).await;
    let began = world.now();
    assert_eq!(machine.send(idle.write()).await.status, 204);
    assert_eq!(world.now().since(began).0, 25_000);
    let seen = world.last_seen(ENDPOINT).unwrap();
    assert_eq!(seen.at, began, "it was heard when it asked");
    assert!(!world.is_holding(ENDPOINT));
}

#[tokio::test(start_paused = true)]
async fn a_held_sync_is_answered_when_something_comes_and_its_clock_does_not_age() {
    let world = World::new();
    let mut machine = Machine::enrolled(&world).await;
    let idle = machine.candidate_idle(HOLD).await;
    let (began, bytes) = (world.now(), idle.write());
    let held = tokio::spawn(async move { machine.send(bytes).await });
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(world.is_holding(ENDPOINT));
    adopt(&world).await;
    let answer = answer(&held.await.unwrap());
    assert_eq!(answer.offered.len(), 1, "the adoption of the second journal");
    assert_eq!(answer.request, idle.request);
    assert_eq!(answer.at.since(began).0, 10_000);
    assert_eq!(view(&world).await.clock_skew_ms, Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_held_sync_is_answered_when_the_host_shuts_down() {
    let world = World::new();
    let mut machine = Machine::enrolled(&world).await;
    let idle = machine.candidate_idle(HOLD).await;
    let (began, bytes) = (world.now(), idle.write());
    let held = tokio::spawn(async move { machine.send(bytes).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.shut_down();
    assert_eq!(held.await.unwrap().status, 204);
    assert_eq!(world.now().since(began).0, 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_is_not_waited_for() {
    let world = World::new();
    let mut machine = Machine::enrolled(&world).await;
    let bytes = machine.candidate_idle(HOLD).await.write();
    let held = tokio::spawn(async move { machine.send(bytes).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(world.is_holding(ENDPOINT));
    held.abort();
    assert!(held.await.is_err());
    assert!(!world.is_holding(ENDPOINT));
}

#[tokio::test(start_paused = true)]
async fn a_sync_that_does_not_prove_itself_is_refused_and_makes_nobody_seen() {
    let world = World::new();
    let mut machine = Machine::enrolled(&world).await;
    let request = RequestId::from_bytes([1; 10]);
    for ticket in ["", "AAAA", "________________________AAA", "not base 64"] {
        let idle =
            IdleSync { endpoint: ENDPOINT, request, ticket: ticket.to_owned(), hold_ms: 25_000, count: 1 };
        let response = machine.send(idle.write()).await;
        assert_eq!(response.status, 401, "{ticket}");
        assert_eq!(response.problem().0, "token_expired");
        assert!(response.headers.contains_key("www-authenticate"));
    }
    let strange =
        SyncRequest::seal(machine.line(FIRST), None, &[], &KeyPair::from_seed(Role::Endpoint, &[9; 32]));
    assert_eq!(machine.send(strange).await.status, 404, "a key that nobody knows");
    assert_eq!(world.last_seen(ENDPOINT), None);
}

#[tokio::test(start_paused = true)]
async fn a_compressed_sync_is_read_and_a_large_answer_compressed() {
    use std::io::{Read as _, Write as _};
    let world = World::new();
    let mut machine = Machine::enrolled(&world).await;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    let line = machine.line(FIRST);
    encoder.write_all(&SyncRequest::seal(line.clone(), None, &[], &machine.keys)).unwrap();
    let request = Request::post("/runtime/v1/sync")
        .header("content-encoding", "deflate")
        .header("accept-encoding", "gzip, deflate")
        .body(Body::from(encoder.finish().unwrap()))
        .unwrap();
    let mut response = world.send(request).await;
    assert_eq!(response.headers["content-encoding"], "deflate", "{response:?}");
    let mut plain = Vec::new();
    flate2::read::ZlibDecoder::new(&response.bytes[..]).read_to_end(&mut plain).unwrap();
    assert!(response.bytes.len() < plain.len());
    response.bytes = plain;
    assert_eq!(answer(&response).request, line.request);
}

async fn adopt(world: &Arc<World>) {
    let command = Command { by: owner(), idempotency: None, act: EndpointAct::Adopt { journal: SECOND } };
    let input = Input::Endpoint(EndpointInput::Act(Box::new(command)));
    world.handle(ObjectId::Endpoint(ENDPOINT), input).await.unwrap();
}

async fn view(world: &Arc<World>) -> EndpointView {
    let question = Question::Endpoint(EndpointQuestion::Endpoint);
    match world.query(ObjectId::Endpoint(ENDPOINT), question).await.unwrap() {
        Answer::Endpoint(view) => *view,
        other => panic!("{other:?}"),
    }
}

/// Signed by the right key, so nothing but the bounds stands between it and the database.
#[tokio::test(start_paused = true)]
async fn a_place_in_a_log_that_no_host_can_store_is_refused() {
    let world = World::new();
    let mut machine = Machine::enrolled(&world).await;
    let adoption = machine.sync(FIRST).await.offered.remove(0);
    let id = adoption.order.peek::<Order>().unwrap().log;
    for number in [1 << 53, i64::MAX.unsigned_abs(), u64::MAX] {
        let mut line = machine.line(FIRST);
        line.orders = Some(Head { id, number, hash: Digest::ZERO });
        let response = machine.send(SyncRequest::seal(line, None, &[], &machine.keys)).await;
        assert_eq!(response.status, 400, "{number}");
    }
    assert_eq!(machine.sync(FIRST).await.offered, [adoption]);
}
