//! Valid requests for every route that the API describes, and for a few it does not know.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::{Value, json};
use tidegate_core::keys::KeyPair;

use super::chance::Chance;
use crate::harness::{Newcomer, World};

/// Paths beside the document: those for operators, and some that nobody serves.
const MORE_PATHS: &[&str] = &[
    "/healthz",
    "/readyz",
    "/metrics",
    "/",
    "/favicon.ico",
    "/api",
    "/api/v1",
    "/api/v1/nothing",
    "/api/v2/clients",
    "/runtime/v1/artifacts/0000",
    "/runtime/v1",
];

/// One route with what fills it.
pub(super) struct Seed {
    /// Method and path as the document has them.
    pub(super) route: String,
    pub(super) method: String,
    /// What may stand for the path, ids filled in.
    pub(super) paths: Vec<String>,
    pub(super) body: Body,
    /// Whether the program limits it tightly, for each address.
    pub(super) is_limited: bool,
}

/// What a route's body is made of.
pub(super) enum Body {
    Nothing,
    Json(Vec<Value>),
    /// A request to enrol: payloads before they are signed.
    Enrol(Vec<(KeyPair, Value)>),
    /// A sync of a machine that has gone wrong.
    Sync,
}

/// The ids that requests name.
pub(super) struct Ids {
    pub(super) clients: Vec<String>,
    pub(super) sites: Vec<String>,
    pub(super) codes: Vec<String>,
    pub(super) endpoints: Vec<String>,
    /// Endpoints that may be revoked and retired.
    pub(super) doomed: Vec<String>,
    /// Endpoints with a journal that can be adopted.
    pub(super) copied: Vec<(String, String)>,
    pub(super) sequences: Vec<String>,
    pub(super) tokens: Vec<String>,
}

/// The seeds of every route.
pub(super) fn seeds(world: &World, ids: &Ids) -> anyhow::Result<Vec<Seed>> {
    let document = world.api.get("/api/openapi.json")?;
    let bodies = bodies(world, ids)?;
    let mut seeds = Vec::new();
    for (path, item) in document["paths"].as_object().context("the document lists paths")? {
        for method in item.as_object().context("a path lists methods")?.keys() {
            let route = format!("{} {path}", method.to_uppercase());
            let body = match route.as_str() {
                "POST /runtime/v1/enrol" => Body::Enrol(enrolments(world)?),
                "POST /runtime/v1/sync" => Body::Sync,
                route => bodies.get(route).cloned().map_or(Body::Nothing, Body::Json),
            };
            let is_limited = matches!(path.as_str(), "/runtime/v1/enrol" | "/api/v1/sign-in");
            let paths = filled(path, method, ids);
            seeds.push(Seed { route, method: method.to_uppercase(), paths, body, is_limited });
        }
    }
    for path in MORE_PATHS {
        let (route, paths) = (format!("GET {path}"), vec![(*path).to_owned()]);
        seeds.push(Seed { route, method: "GET".into(), paths, body: Body::Nothing, is_limited: false });
    }
    Ok(seeds)
}

fn filled(path: &str, method: &str, ids: &Ids) -> Vec<String> {
    let endpoints =
        if path.ends_with("/revoke") || path.ends_with("/retire") { &ids.doomed } else { &ids.endpoints };
    let of = |ids: &[String]| ids.iter().map(|id| path.replace("{id}", id)).collect::<Vec<_>>();
    let mut paths = match path {
        path if !path.contains('{') => vec![path.to_owned()],
        path if path.ends_with("/adopt") => {
            ids.copied.iter().map(|(id, _)| path.replace("{id}", id)).collect()
        }
        path if path.contains("/endpoints/") => of(endpoints),
        path if path.contains("/sequences/") => of(&ids.sequences),
        path if path.contains("/sites/") => of(&ids.sites),
        path if path.contains("/clients/") => of(&ids.clients),
        path if path.contains("/enrolment-codes/") => of(&ids.codes),
        path if path.contains("/tokens/") => of(&ids.tokens),
        _ => of(&ids.endpoints),
    };
    if method == "get" {
        let first = paths.first().cloned().unwrap_or_default();
        let queries =
            ["limit=3", "limit=500&cursor=", "q=press&limit=1", "state=queued", "since=2026-01-01T00:00:00Z"];
        paths.extend(queries.map(|query| format!("{first}?{query}")));
        paths.extend(ids.endpoints.first().map(|id| format!("{first}?endpoint={id}")));
        paths.extend(ids.sequences.first().map(|id| format!("{first}?sequence={id}")));
    }
    paths
}

fn bodies(world: &World, ids: &Ids) -> anyhow::Result<BTreeMap<&'static str, Vec<Value>>> {
    let site = ids.sites.first().context("there is a site")?;
    let steps = json!([
        { "probe": "ping", "with": { "host": "127.0.0.1", "count": 2 } },
        { "probe": "shell", "with": { "command": "true" }, "timeout": "30s", "rerun": true },
    ]);
    let sequence =
        json!({ "title": "Press 4 stands", "stop_on": "failed", "expires_in": "7d", "steps": steps });
    let draft = json!({ "title": "Draft", "draft": true, "not_before": "2030-01-01T00:00:00Z",
        "expires_at": "2031-01-01T00:00:00Z", "steps": steps });
    let journals = ids.copied.iter().map(|(_, id)| json!({ "journal_id": id })).collect();
    Ok(BTreeMap::from([
        ("POST /api/v1/clients", vec![json!({ "name": "Südwerk" })]),
        (
            "POST /api/v1/sites",
            vec![json!({ "client_id": ids.clients[0], "name": "Hall", "time_zone": "Europe/Berlin" })],
        ),
        ("POST /api/v1/enrolment-codes", vec![json!({ "site_id": site, "uses": 3, "expires_in": "1d" })]),
        ("PATCH /api/v1/endpoints/{id}", vec![json!({ "name": "press 4" }), json!({ "site_id": site })]),
        ("POST /api/v1/endpoints/{id}/adopt", journals),
        ("POST /api/v1/endpoints/{id}/sequences", vec![sequence, draft]),
        (
            "PATCH /api/v1/sequences/{id}",
            vec![json!({ "title": "Edited", "steps": steps, "stop_on": "never" })],
        ),
        ("POST /api/v1/sequences/{id}/notes", vec![json!({ "text": "Called the plant." })]),
        ("POST /api/v1/sign-in", vec![json!({ "secret": world.plane.sign_in_secret() })]),
        ("POST /runtime/v1/time", vec![json!({ "nonce": "0123456789abcdef0123456789abcdef" })]),
    ]))
}

/// Requests to enrol with a good code: each key makes one endpoint, however often it is repeated.
fn enrolments(world: &World) -> anyhow::Result<Vec<(KeyPair, Value)>> {
    let code = world.code_for(1_000)?;
    let mut enrolments = Vec::new();
    for number in 0..20 {
        let newcomer = Newcomer::new(90_000 + number)?;
        let payload = serde_json::to_value(newcomer.payload(&code)?)?;
        enrolments.push((newcomer.keys, payload));
    }
    Ok(enrolments)
}

impl Seed {
    /// One of its paths.
    pub(super) fn path(&self, chance: &mut Chance) -> String {
        if self.paths.is_empty() { "/".into() } else { chance.one_of(&self.paths).clone() }
    }
}
