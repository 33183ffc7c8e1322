//! Syncs over HTTP: at once where something moves, held where nothing does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use tidegate_core::api::EndpointView;
use tidegate_core::call::{
    Answer, Command, EndpointAct, EndpointInput, EndpointQuestion, Input, ObjectId, Question,
};
use tidegate_core::digest::Digest;
use tidegate_core::envelope::Envelope;
use tidegate_core::id::{EndpointId, RequestId};
use tidegate_core::journal::Known;
use tidegate_core::keys::{KeyPair, Role};
use tidegate_core::wire::{
    Gap, Head, IdleSync, Order, SYNC_BYTES_MAX, SYNC_LINE_BYTES_MAX, SyncLine, SyncRequest,
};
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

#[tokio::test(start_paused = true)]
async fn nothing_after_a_first_line_that_proves_nothing_is_read() {
    let world = World::new();
    let mut machine = Machine::enrolled(&world).await;
    let content = vec![b'a'; 64 * 1024];
    let line = SyncLine { content: Some(Digest::of(&content)), ..machine.line(FIRST) };
    let forged = first_line(&line, &KeyPair::from_seed(Role::Endpoint, &[9; 32]));
    let stranger = SyncLine { endpoint: EndpointId::from_bytes([77; 10]), ..line.clone() };
    let stranger = first_line(&stranger, &machine.keys);
    let altered = altered(&first_line(&line, &machine.keys));
    let endless = vec![b'['; SYNC_LINE_BYTES_MAX];
    for (first, status) in [
        (forged, 404),
        (stranger, 404),
        (altered, 401),
        (b"{}\n".to_vec(), 400),
        (endless.clone(), 413),
        (deflated(&[endless, vec![b'['; 8 << 20]].concat()), 413),
    ] {
        let is_compressed = status == 413 && first[0] != b'[';
        let pieces = [first].into_iter().chain(std::iter::repeat_n(content.clone(), 100));
        let (body, read) = counted(pieces);
        let mut request = Request::post("/runtime/v1/sync");
        if is_compressed {
            request = request.header("content-encoding", "deflate");
        }
        let response = world.send(request.body(body).unwrap()).await;
        assert_eq!(response.status, status, "{response:?}");
        assert!(read.load(Ordering::Relaxed) <= 2, "{status}: {read:?} pieces");
    }
    assert_eq!(world.last_seen(ENDPOINT), None);
}

#[tokio::test(start_paused = true)]
async fn a_first_line_and_its_content_are_read_however_they_are_cut() {
    let world = World::new();
    let mut machine = Machine::enrolled(&world).await;
    for piece_bytes in [1, 100, 5_000] {
        let known = Known { complete_since: world.now(), outcomes: Vec::new() };
        let gap = Gap { number: 0, hash: Digest::ZERO, known };
        let line = SyncLine { after: Some(0), ..machine.line(FIRST) };
        let bytes = SyncRequest::seal(line, Some(&gap), &[], &machine.keys);
        let (body, _) = counted(deflated(&bytes).chunks(piece_bytes).map(<[u8]>::to_vec));
        let request = Request::post("/runtime/v1/sync").header("content-encoding", "deflate");
        assert_eq!(world.send(request.body(body).unwrap()).await.status, 200, "{piece_bytes}");
        let (body, _) = counted(bytes.chunks(piece_bytes).map(<[u8]>::to_vec));
        let request = Request::post("/runtime/v1/sync").body(body).unwrap();
        assert_eq!(world.send(request).await.status, 200, "{piece_bytes}");
    }
}

#[tokio::test(start_paused = true)]
async fn content_that_the_first_line_does_not_sign_is_refused() {
    let world = World::new();
    let mut machine = Machine::enrolled(&world).await;
    let line = machine.line(FIRST);
    let signed = first_line(&SyncLine { content: Some(Digest::of(b"one")), ..line.clone() }, &machine.keys);
    let longer = [signed.clone(), b"one more".to_vec()].concat();
    let none = SyncRequest::seal(line, None, &[], &machine.keys);
    for bytes in [longer, [signed, b"on".to_vec()].concat(), [none, b"\none".to_vec()].concat()] {
        assert_eq!(machine.send(bytes).await.status, 400);
    }
    let idle = machine.candidate_idle(HOLD).await.write();
    let (body, read) = counted([idle, b"\n".to_vec()].into_iter().chain(vec![vec![b'a'; 64]; 100]));
    let response = world.send(Request::post("/runtime/v1/sync").body(body).unwrap()).await;
    assert_eq!(response.status, 400, "nothing may follow an idle sync");
    assert!(read.load(Ordering::Relaxed) <= 4, "{read:?}");
}

#[tokio::test(start_paused = true)]
async fn a_bomb_behind_an_honest_first_line_stops_at_the_bound() {
    let world = World::new();
    let mut machine = Machine::enrolled(&world).await;
    let signed = first_line(&SyncLine { content: Some(Digest::ZERO), ..machine.line(FIRST) }, &machine.keys);
    let bomb = deflated(&[signed, vec![0; SYNC_BYTES_MAX * 2]].concat());
    assert!(bomb.len() < 256 * 1024);
    let request = Request::post("/runtime/v1/sync").header("content-encoding", "deflate");
    assert_eq!(world.send(request.body(Body::from(bomb)).unwrap()).await.status, 413);
}

/// A first line as it travels, with its line feed.
fn first_line(line: &SyncLine, keys: &KeyPair) -> Vec<u8> {
    let signed = Envelope::seal(line, keys, Role::Endpoint);
    [serde_json::to_vec(&serde_json::json!({ "signed": signed })).unwrap(), b"\n".to_vec()].concat()
}

/// The same line with one letter of its signature changed.
fn altered(line: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(line.to_vec()).unwrap();
    let place = text.find("\"sig\":\"").unwrap() + 10;
    let mut bytes = text.into_bytes();
    bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
    bytes
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A body of pieces, and how many of them were read.
fn counted(pieces: impl IntoIterator<Item = Vec<u8>>) -> (Body, Arc<AtomicUsize>) {
    let read = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&read);
    let pieces: Vec<_> = pieces.into_iter().collect();
    let pieces = pieces.into_iter().map(move |piece| {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok::<_, std::io::Error>(piece)
    });
    (Body::from_stream(futures_util::stream::iter(pieces)), read)
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
