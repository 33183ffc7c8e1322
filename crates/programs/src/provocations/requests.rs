//! Requests that do not read, prove nothing, or ask for what is not there.

use std::io::Write as _;

use anyhow::{Context as _, ensure};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::{Value, json};

use super::book::Book;
use super::front::{Answered, Asker};
use crate::harness::{ENROL_PATH, Newcomer, SYNC_PATH, World, loopback, wait_for};

pub(super) const CODES: &[&str] = &[
    "invalid_request",
    "invalid_playbook",
    "unauthenticated",
    "api_token_expired",
    "forbidden",
    "confirmation_required",
    "not_found",
    "misdirected",
    "method_not_allowed",
    "conflict",
    "idempotency_mismatch",
    "revision_mismatch",
    "revision_required",
    "too_large",
    "unsupported_media_type",
    "rate_limited",
];

const CLIENTS: &str = "/api/v1/clients";
const PLAYBOOKS: &str = "/api/v1/playbooks";
/// Decompressed, far more than any route takes; compressed, a few kilobytes.
const BOMB_BYTES: usize = 64 << 20;

pub(super) fn provoke(book: &mut Book) -> anyhow::Result<()> {
    let world = World::new()?;
    let asker = Asker::new(world.plane.port(), &world.plane.token)?;
    let before = world.api.get(CLIENTS)?;
    bodies(book, &world, &asker)?;
    playbooks(book, &asker)?;
    places(book, &asker)?;
    credentials(book, &asker)?;
    tokens(book, &world, &asker)?;
    browsers(book, &world, &asker)?;
    ensure!(world.api.get(CLIENTS)? == before, "what was refused was stored");
    repeats(book, &world, &asker)?;
    limits(book, &asker)?;
    ensure!(world.api.status("/readyz")? == 200, "the control plane is well after all that");
    Ok(())
}

fn bodies(book: &mut Book, world: &World, asker: &Asker) -> anyhow::Result<()> {
    let mut refused = |code, how, status, answer: Answered, parts: &[&str]| {
        ensure!(answer.status == status, "{how}: {} {}", answer.status, answer.body);
        book.problem(code, how, status, &answer.body, parts)
    };
    let post = |path: &str, body: &[u8]| asker.json("POST", path, body);
    let broken = post(CLIENTS, b"{\"name\": \"Acme\",\n \"name")?;
    refused("invalid_request", "malformed JSON", 400, broken, &["line 2 column"])?;
    let unknown = post(CLIENTS, br#"{"name": "Acme", "naming": "Acme"}"#)?;
    refused(
        "invalid_request",
        "an unknown field",
        400,
        unknown,
        &["unknown field `naming`", "expected `name`"],
    )?;
    let body = json!({ "site_id": world.site, "uses": 0 }).to_string();
    let bounds = post("/api/v1/enrolment-codes", body.as_bytes())?;
    refused("invalid_request", "a value out of bounds", 400, bounds, &["`uses` is 1 to 1000"])?;
    let deep = format!("{{\"name\": {}1{}}}", "[".repeat(50_000), "]".repeat(50_000));
    let answer = post(CLIENTS, deep.as_bytes())?;
    ensure!(matches!(answer.status, 400 | 413), "nested 50,000 deep: {}", answer.status);

    let large = vec![b' '; 10 << 20];
    refused("too_large", "a body of 10 MB", 413, post(CLIENTS, &large)?, &["at most", "bytes"])?;
    for path in [ENROL_PATH, SYNC_PATH] {
        let answer = asker.ask("POST", path, &[("content-type", "application/json")], &large)?;
        refused("too_large", "a body of 10 MB, as a machine sends it", 413, answer, &["at most"])?;
    }
    for (encoding, how) in [
        ("deflate", "64 MB compressed to some kilobytes (deflate)"),
        ("gzip", "64 MB compressed to some kilobytes (gzip)"),
    ] {
        let bomb = compressed(encoding, BOMB_BYTES)?;
        let headers = [("content-type", "application/json"), ("content-encoding", encoding)];
        for path in [ENROL_PATH, SYNC_PATH] {
            refused("too_large", how, 413, asker.ask("POST", path, &headers, &bomb)?, &["at most"])?;
        }
        let answer = asker.with("POST", CLIENTS, ("content-encoding", encoding), &bomb)?;
        refused(
            "unsupported_media_type",
            "a compressed body where none is read",
            415,
            answer,
            &["Content-Encoding"],
        )?;
    }
    let headers = [("content-type", "application/json"), ("content-encoding", "deflate")];
    let damaged = asker.ask("POST", SYNC_PATH, &headers, b"not deflate at all")?;
    refused("invalid_request", "a compressed body that is damaged", 400, damaged, &["`Content-Encoding`"])?;
    let token = format!("Bearer {}", world.plane.token);
    let headers = [("authorization", token.as_str()), ("content-type", "text/plain")];
    let answer = asker.ask("POST", CLIENTS, &headers, b"name=Acme")?;
    refused("unsupported_media_type", "a form where JSON is read", 415, answer, &["application/json"])
}

fn playbooks(book: &mut Book, asker: &Asker) -> anyhow::Result<()> {
    let all = asker.json("GET", PLAYBOOKS, b"")?.body;
    let written = |title: &str| {
        let parameter = json!({ "name": "folder", "kind": "text", "required": true });
        let step = json!({ "probe": "shell", "with": { "command": "ls {{folder}}" } });
        json!({ "name": "Look", "title": title, "parameters": [parameter], "steps": [step] }).to_string()
    };
    let broken = asker.json("POST", PLAYBOOKS, written("Look into {{place}}").as_bytes())?;
    let how = "a placeholder without a parameter";
    book.problem("invalid_playbook", how, 422, &broken.body, &["`{{place}}`", "declared are: folder"])?;
    ensure!(asker.json("GET", PLAYBOOKS, b"")?.body == all, "what was refused was stored");
    let made = asker.json("POST", PLAYBOOKS, written("Look into {{folder}}").as_bytes())?;
    let fill = format!("{PLAYBOOKS}/{}/fill", text(&made.body["id"])?);
    let hostile = asker.json("POST", &fill, br#"{"values": {"folder": "/tmp; reboot"}}"#)?;
    let how = "a value that would become a second command";
    book.problem("invalid_playbook", how, 422, &hostile.body, &["`folder`", "step 1", "one plain word"])
}

fn compressed(encoding: &str, bytes: usize) -> anyhow::Result<Vec<u8>> {
    let chunk = vec![b' '; 1 << 20];
    let chunks = bytes / chunk.len();
    if encoding == "gzip" {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        (0..chunks).try_for_each(|_| encoder.write_all(&chunk))?;
        return Ok(encoder.finish()?);
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    (0..chunks).try_for_each(|_| encoder.write_all(&chunk))?;
    Ok(encoder.finish()?)
}

fn places(book: &mut Book, asker: &Asker) -> anyhow::Result<()> {
    let nothing = asker.json("GET", "/api/v1/machines", b"")?;
    book.problem(
        "not_found",
        "a path that is none",
        404,
        &nothing.body,
        &["nothing at this path", "/api/openapi.json"],
    )?;
    let nobody = asker.json("GET", "/api/v1/endpoints/0123456789abcdef", b"")?;
    book.problem("not_found", "an id that nothing has", 404, &nobody.body, &["`0123456789abcdef`"])?;
    let foreign = asker.with("GET", CLIENTS, ("host", "evil.example"), b"")?;
    let how = "another name that leads here";
    book.problem("misdirected", how, 421, &foreign.body, &["`evil.example`", "--public-url"])?;
    let method = asker.json("DELETE", CLIENTS, b"")?;
    ensure!(method.head.contains("\nallow: "), "a 405 lists the methods: {}", method.head);
    book.problem(
        "method_not_allowed",
        "a method that the path does not take",
        405,
        &method.body,
        &["`Allow`"],
    )
}

fn credentials(book: &mut Book, asker: &Asker) -> anyhow::Result<()> {
    let nobody = asker.ask("GET", CLIENTS, &[], b"")?;
    ensure!(nobody.head.contains("www-authenticate: bearer"), "a 401 says how: {}", nobody.head);
    book.problem("unauthenticated", "no token", 401, &nobody.body, &["Authorization: Bearer"])?;
    let stranger = asker.ask("GET", CLIENTS, &[("authorization", "Bearer tgp_nobody")], b"")?;
    book.problem("unauthenticated", "a token that nobody has", 401, &stranger.body, &["sign in again"])?;
    let foreign = asker.with("POST", CLIENTS, ("sec-fetch-site", "cross-site"), br#"{"name": "Acme"}"#)?;
    let how = "a page of another site, in a browser";
    book.problem("forbidden", how, 403, &foreign.body, &["another site", "nothing was done"])
}

fn tokens(book: &mut Book, world: &World, asker: &Asker) -> anyhow::Result<()> {
    let short = json!({ "name": "short", "expires_in": "1s" });
    let short = world.api.post("/api/v1/tokens", &short)?;
    let bearer = format!("Bearer {}", text(&short["token"])?);
    let headers = [("authorization", bearer.as_str())];
    wait_for("the token to expire", 20, || Ok(asker.ask("GET", CLIENTS, &headers, b"")?.status == 401))?;
    let expired = asker.ask("GET", CLIENTS, &headers, b"")?;
    let how = "an API token whose time is over";
    book.problem("api_token_expired", how, 401, &expired.body, &["expired at 2", "make a new one"])
}

/// A session that a token opened is confirmed by nothing: what is sensitive is asked for first.
fn browsers(book: &mut Book, world: &World, asker: &Asker) -> anyhow::Result<()> {
    let form = ("content-type", "application/x-www-form-urlencoded");
    let secret = format!("secret={}", world.plane.token);
    let signed_in = asker.ask("POST", "/sign-in", &[form], secret.as_bytes())?;
    let cookie = signed_in.cookie.context("signing in sets a cookie")?;
    let headers = [form, ("cookie", cookie.as_str())];
    let asked = asker.ask("POST", "/settings/people", &headers, b"email=nora%40example.com")?;
    ensure!(asked.status == 403, "{} {}", asked.status, asked.body);
    let page = asked.body.as_str().unwrap_or_default().to_owned();
    let parts = ["Confirm that it is you", "invite a colleague", "nora@example.com", "Nothing is done yet"];
    book.said("confirmation_required", "a sensitive form in a session nobody confirmed", page, &parts)?;
    let people = world.api.get("/api/v1/people")?;
    ensure!(!people.to_string().contains("nora@"), "it was done unasked: {people}");
    Ok(())
}

fn repeats(book: &mut Book, world: &World, asker: &Asker) -> anyhow::Result<()> {
    let named = |name: &str| json!({ "name": name }).to_string().into_bytes();
    let key = ("idempotency-key", "9b2e-one");
    let first = asker.with("POST", CLIENTS, key, &named("Acme"))?;
    let again = asker.with("POST", CLIENTS, key, &named("Acme"))?;
    ensure!(
        first.status == 201 && again.body == first.body,
        "a repeat is answered as before: {}",
        again.body
    );
    let other = asker.with("POST", CLIENTS, key, &named("Bolt"))?;
    let how = "one idempotency key for two requests";
    book.problem("idempotency_mismatch", how, 422, &other.body, &["another request", "use a fresh one"])?;
    let twice = asker.json("POST", CLIENTS, &named("Acme"))?;
    let how = "a name that is taken";
    book.problem("conflict", how, 409, &twice.body, &["`Acme`", "choose another name"])?;
    let clients = world.api.get(CLIENTS)?;
    let count = |name: &str| {
        let items = clients["items"].as_array().into_iter().flatten();
        items.filter(|client| client["name"] == name).count()
    };
    ensure!((count("Acme"), count("Bolt")) == (1, 0), "one was stored, and nothing of the other: {clients}");

    let newcomer = Newcomer::new(1)?;
    let code = world.code()?;
    let headers = [("content-type", "application/json")];
    let body = newcomer.request(&code)?;
    let enrolled = asker.ask("POST", ENROL_PATH, &headers, &body)?;
    let endpoint = text(&enrolled.body["endpoint"])?;
    let path = format!("/api/v1/endpoints/{endpoint}");
    let edit = asker.json("PATCH", &path, br#"{"name": "press"}"#)?;
    book.problem("revision_required", "an edit that names no revision", 428, &edit.body, &["If-Match"])?;
    let edit = asker.with("PATCH", &path, ("if-match", "\"999\""), br#"{"name": "press"}"#)?;
    book.problem(
        "revision_mismatch",
        "an edit of what changed meanwhile",
        412,
        &edit.body,
        &["999", "read it again"],
    )?;
    ensure!(asker.json("GET", &path, b"")?.body["name"] != "press", "neither edit was stored");
    Ok(())
}

fn limits(book: &mut Book, asker: &Asker) -> anyhow::Result<()> {
    // From an address of its own, whose allowance nobody else needs.
    let guess = || {
        asker.ask_from(
            7,
            "POST",
            "/api/v1/sign-in",
            &[("content-type", "application/json")],
            br#"{"secret":"guess"}"#,
        )
    };
    for _ in 0..100 {
        let answer = guess()?;
        if answer.status != 429 {
            continue;
        }
        ensure!(answer.head.contains("\nretry-after: "), "it says how long to wait: {}", answer.head);
        let how = "guessing, from one address";
        return book.problem("rate_limited", how, 429, &answer.body, &["Retry-After"]);
    }
    anyhow::bail!("a hundred guesses from {} were all answered", loopback(7))
}

fn text(value: &Value) -> anyhow::Result<String> {
    value.as_str().map(str::to_owned).ok_or_else(|| anyhow::anyhow!("no text but {value}"))
}
