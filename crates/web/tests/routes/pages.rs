//! The console as a browser without script meets it: links, forms, cookies.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::json;
use tidegate_web::Front;

use crate::machine::{ENDPOINT, Machine};
use crate::world::{BEARER, Response, TOKEN, World};

/// A browser: it keeps the cookie it is given and follows nothing by itself.
pub(crate) struct Browser {
    world: Arc<World>,
    cookie: Option<String>,
}

impl Browser {
    pub(crate) fn new(world: &Arc<World>) -> Self {
        Self { world: world.clone(), cookie: None }
    }

    /// One in which the owner has just signed in, with a one-time link.
    pub(crate) async fn signed_in(world: &Arc<World>) -> Self {
        let mut browser = Self::new(world);
        let link = world.sign_in_link().await;
        let answer = browser.submit("/sign-in", &[("secret", &link)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", text(&answer));
        browser
    }

    pub(crate) async fn get(&mut self, path: &str) -> Response {
        self.send(Method::GET, path, &[], Body::empty()).await
    }

    /// Sends a form as a page of this control plane does.
    pub(crate) async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.submit_from("http://desk:8080", path, fields).await
    }

    /// Sends a form as a page of `origin` does.
    pub(crate) async fn submit_from(
        &mut self,
        origin: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Response {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let headers = [
            ("origin", origin),
            ("host", origin.split("://").nth(1).filter(|host| !host.contains("evil")).unwrap_or("desk:8080")),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        self.send(Method::POST, path, &headers, Body::from(body)).await
    }

    /// Reads a page with one more header.
    pub(crate) async fn get_with(&mut self, path: &str, header: (&str, &str)) -> Response {
        self.send(Method::GET, path, &[header], Body::empty()).await
    }

    async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in
            headers.iter().copied().chain(self.cookie.as_deref().map(|cookie| ("cookie", cookie)))
        {
            request = request.header(name, value);
        }
        let answer = self.world.send(request.body(body).unwrap()).await;
        if let Some(set) = answer.headers.get("set-cookie") {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            self.cookie = Some(pair.to_owned()).filter(|pair| !pair.ends_with('='));
        }
        answer
    }
}

pub(crate) fn text(answer: &Response) -> String {
    String::from_utf8_lossy(&answer.bytes).into_owned()
}

pub(crate) fn location(answer: &Response) -> String {
    answer.headers.get("location").map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_stranger_is_led_to_the_sign_in_and_back() {
    let world = World::new();
    let mut browser = Browser::new(&world);
    for path in ["/", "/machines?q=pump", "/machines/0123456789abcdef", "/live"] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        let encoded: String = form_urlencoded::byte_serialize(path.as_bytes()).collect();
        assert_eq!(location(&answer), format!("/sign-in?next={encoded}"));
    }
    let asked = browser.get("/sign-in?next=%2Fmachines%3Fq%3Dpump").await;
    assert!(text(&asked).contains("value=\"/machines?q=pump\""), "{}", text(&asked));
    let signed_in = browser.submit("/sign-in", &[("next", "/machines?q=pump"), ("secret", TOKEN)]).await;
    assert_eq!(location(&signed_in), "/machines?q=pump");
    assert_eq!(browser.get("/machines?q=pump").await.status, StatusCode::OK);
}

#[tokio::test]
async fn signing_in_never_leads_to_another_site() {
    let world = World::new();
    for next in ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"] {
        let mut browser = Browser::new(&world);
        let answer = browser.submit("/sign-in", &[("next", next), ("secret", TOKEN)]).await;
        assert_eq!(location(&answer), "/", "{next}");
    }
}

#[tokio::test]
async fn a_wrong_proof_is_asked_for_again_in_words() {
    let world = World::new();
    let mut browser = Browser::new(&world);
    for fields in [
        &[("secret", "tgp_wrong")][..],
        &[("email", "owner@example.com"), ("password", "a wrong password")],
        &[("email", "nobody@example.com"), ("password", "a wrong password")],
        &[("secret", "")],
    ] {
        let answer = browser.submit("/sign-in", fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{fields:?}");
        assert!(text(&answer).contains("That did not work."), "{}", text(&answer));
        assert!(!answer.headers.contains_key("set-cookie"));
    }
}

#[tokio::test]
async fn a_session_is_in_a_cookie_that_scripts_and_other_sites_do_not_get() {
    let sign_in = |front, origin: &'static str| {
        let mut browser = Browser::new(&World::at(front));
        async move { browser.submit_from(origin, "/sign-in/link", &[("secret", TOKEN)]).await }
    };
    let plain = sign_in(Front::new(None, false, |_| true), "https://desk:8080").await;
    let plain = plain.headers["set-cookie"].to_str().unwrap().to_owned();
    assert!(plain.starts_with("tidegate=tgs_") && !plain.contains("Secure"), "{plain}");
    let public = Front::new("https://desk.example".parse().ok(), false, |_| false);
    let protected = sign_in(public, "https://desk.example").await;
    assert_eq!(protected.headers["strict-transport-security"], "max-age=31536000");
    let protected = protected.headers["set-cookie"].to_str().unwrap().to_owned();
    assert!(protected.starts_with("__Host-tidegate=tgs_") && protected.ends_with("; Secure"), "{protected}");
    for cookie in [plain, protected] {
        assert!(cookie.contains("; HttpOnly; SameSite=Lax; ") && cookie.contains("; Path=/;"), "{cookie}");
        assert!(!cookie.contains(TOKEN), "{cookie}");
    }
}

#[tokio::test]
async fn over_tls_only_the_protected_cookie_counts_whatever_the_browser_says_of_itself() {
    let world = World::at(Front::new(None, true, |name| name == "desk.example"));
    for headers in [&[][..], &[("origin", "null"), ("sec-fetch-site", "same-origin")]] {
        let mut request =
            Request::post("/sign-in/link").header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Body::from(format!("secret={TOKEN}"));
        let answer = world.send(request.body(body).unwrap()).await;
        let set = answer.headers["set-cookie"].to_str().unwrap();
        assert!(set.starts_with("__Host-tidegate=tgs_") && set.ends_with("; Secure"), "{set}");
        let secret = set.split(['=', ';']).nth(1).unwrap();
        for (cookie, status) in [("__Host-tidegate", 200), ("tidegate", 303)] {
            let request = Request::get("/machines").header("cookie", format!("{cookie}={secret}"));
            assert_eq!(world.send(request.body(Body::empty()).unwrap()).await.status, status, "{cookie}");
        }
    }
    let api = world.get("/api/v1/clients").await;
    assert_eq!(api.headers["strict-transport-security"], "max-age=31536000");
}

#[tokio::test]
async fn another_name_is_answered_by_nothing_that_people_use_and_no_link_leads_there() {
    let world = World::at(Front::new("https://desk.example".parse().ok(), false, |_| true));
    for host in ["evil.example", "localhost", "desk.example:8080"] {
        for path in ["/", "/sign-in", "/api/v1/clients", "/api/openapi.json", "/nothing"] {
            let request = Request::get(path).header("host", host).header("authorization", BEARER);
            assert_eq!(world.send(request.body(Body::empty()).unwrap()).await.status, 421, "{host} {path}");
        }
        let request = Request::post("/runtime/v1/sync").header("host", host).body(Body::from("[]")).unwrap();
        assert_eq!(world.send(request).await.status, 400, "a machine is answered at every name");
    }
    let mut browser = Browser::new(&world);
    let link = world.sign_in_link().await;
    browser.submit_from("https://desk.example", "/sign-in/link", &[("secret", &link)]).await;
    let fields = [("email", "kim@example.com")];
    let made = browser.submit_from("https://desk.example", "/settings/people", &fields).await;
    assert!(text(&made).contains("https://desk.example/sign-in#"), "{}", text(&made));
}

#[tokio::test]
async fn a_session_ends_with_its_sign_out_and_with_the_next_sign_in() {
    let world = World::new();
    let mut browser = Browser::signed_in(&world).await;
    let planted = browser.cookie.clone();
    browser.submit("/sign-in", &[("secret", TOKEN)]).await;
    assert_ne!(browser.cookie, planted, "each sign-in makes its own");
    let mut other = Browser { world: world.clone(), cookie: planted };
    assert_eq!(other.get("/machines").await.status, StatusCode::SEE_OTHER, "the one before is over");
    let kept = browser.cookie.clone();
    assert_eq!(location(&browser.submit("/sign-out", &[]).await), "/sign-in");
    assert_eq!(browser.cookie, None);
    let mut stolen = Browser { world, cookie: kept };
    assert_eq!(stolen.get("/machines").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn an_api_token_is_no_session_and_a_session_no_api_token() {
    let world = World::new();
    let mut browser = Browser { world: world.clone(), cookie: Some(format!("tidegate={TOKEN}")) };
    assert_eq!(browser.get("/machines").await.status, StatusCode::SEE_OTHER);
    let mut browser = Browser::signed_in(&world).await;
    let secret = browser.cookie.clone().unwrap().replace("tidegate=", "");
    assert_eq!(world.get_as(&secret, "/api/v1/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.get("/machines").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_form_of_another_site_changes_nothing() {
    let world = World::new();
    let mut browser = Browser::signed_in(&world).await;
    Machine::enrolled(&world).await;
    world.project();
    let path = format!("/machines/{}/drafts", ENDPOINT);
    let refused = browser.submit_from("https://evil.example", &path, &[("probe", "ping")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(text(&refused).contains("page of another site"), "{}", text(&refused));
    let listed = world.get(&format!("/api/v1/sequences?endpoint={}", ENDPOINT)).await.json();
    assert_eq!(listed["items"], json!([]));
}

#[tokio::test]
async fn pages_run_nothing_but_their_own_files_and_are_kept_nowhere() {
    let world = World::new();
    let mut browser = Browser::signed_in(&world).await;
    let answer = browser.get("/machines").await;
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    let page = text(&answer);
    assert!(!page.contains("style=\"") && !page.contains("<style") && !page.contains("onclick"), "{page}");
    let asset = page.split("href=\"").find_map(|rest| rest.strip_prefix("/assets/")).unwrap();
    let place = format!("/assets/{}", asset.split('"').next().unwrap());
    let asset = browser.get(&place).await;
    assert_eq!(asset.status, StatusCode::OK);
    assert!(asset.headers["cache-control"].to_str().unwrap().contains("immutable"));
    let name = place.rsplit('/').next().unwrap();
    assert_eq!(browser.get(&format!("/assets/0000000000000000/{name}")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_page_travels_compressed_and_only_when_it_is_another() {
    let world = World::new();
    let mut browser = Browser::signed_in(&world).await;
    let whole = browser.get("/machines").await;
    let tag = whole.headers["etag"].to_str().unwrap().to_owned();
    let packed = browser.send(Method::GET, "/machines", &[("accept-encoding", "gzip")], Body::empty()).await;
    assert_eq!(packed.headers["content-encoding"], "gzip");
    assert!(packed.bytes.len() * 2 < whole.bytes.len());
    let same = browser.send(Method::GET, "/machines", &[("if-none-match", &tag)], Body::empty()).await;
    assert_eq!((same.status, same.bytes.len()), (StatusCode::NOT_MODIFIED, 0));
}

#[tokio::test]
async fn a_sequence_is_drafted_queued_read_and_cancelled_with_forms_alone() {
    let world = World::new();
    Machine::enrolled(&world).await;
    world.project();
    let mut browser = Browser::signed_in(&world).await;
    let page = text(&browser.get(&format!("/machines/{}", ENDPOINT)).await);
    let probe = page
        .split("name=\"probe\"")
        .nth(1)
        .unwrap()
        .split("option value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    let begun = browser.submit(&format!("/machines/{}/drafts", ENDPOINT), &[("probe", &probe)]).await;
    let edit = location(&begun);
    assert!(edit.ends_with("/edit"), "{edit}: {}", text(&begun));
    let form = text(&browser.get(&edit).await);
    let revision =
        form.split("name=\"revision\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();

    let hostile = "<script>alert(1)</script>\u{202e}";
    let typed = |title| {
        [
            ("revision", revision.as_str()),
            ("title", title),
            ("s0.probe", &probe),
            ("s0.with.command", "true"),
            ("new_probe", &probe),
            ("act", "add"),
        ]
    };
    let added = browser.submit(&edit, &typed("Mine")).await;
    assert!(location(&added).ends_with("/edit#step-2"), "{}", text(&added));
    let again = browser.submit(&edit, &typed("Mine")).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER, "a press that was sent twice counts once");
    let stale = browser.submit(&edit, &typed(hostile)).await;
    assert_eq!(
        stale.status,
        StatusCode::PRECONDITION_FAILED,
        "what somebody saved meanwhile is not overwritten"
    );
    let shown = text(&stale);
    assert!(!shown.contains("<script>alert"), "{shown}");
    assert!(shown.contains("&lt;script&gt;alert(1)"), "what was typed is still there: {shown}");

    let form = text(&browser.get(&edit).await);
    let revision =
        form.split("name=\"revision\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let queued = browser
        .submit(
            &edit,
            &[
                ("revision", &revision),
                ("title", "Look"),
                ("s0.probe", &probe),
                ("s0.with.command", "true"),
                ("act", "queue"),
            ],
        )
        .await;
    let result = location(&queued);
    assert!(result.starts_with("/sequences/") && !result.ends_with("/edit"), "{result}: {}", text(&queued));
    let page = text(&browser.get(&result).await);
    assert!(page.contains("Look") && page.contains("Queued"), "{page}");
    assert_eq!(location(&browser.get(&edit).await), result, "what is queued is no draft any more");

    let noted =
        browser.submit(&format!("{result}/act"), &[("act", "note"), ("text", "Cable?\nLook at it.")]).await;
    assert_eq!(location(&noted), result);
    let cancelled = browser.submit(&format!("{result}/act"), &[("act", "cancel")]).await;
    assert_eq!(location(&cancelled), result);
    let page = text(&browser.get(&result).await);
    assert!(page.contains("Cancelled") && page.contains("Cable?\nLook at it."), "{page}");
}

#[tokio::test]
async fn what_is_not_there_is_a_page_for_people_and_a_problem_for_programs() {
    let world = World::new();
    let mut browser = Browser::signed_in(&world).await;
    for path in ["/machines/0123456789abcdef", "/machines/nonsense", "/sequences/x"] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/html"), "{path}");
        assert!(text(&answer).contains("not_found"), "{}", text(&answer));
    }
    let accepts = [("accept", "text/html")];
    let nowhere = browser.send(Method::GET, "/nowhere", &accepts, Body::empty()).await;
    assert!(nowhere.headers["content-type"].to_str().unwrap().starts_with("text/html"));
    let api = browser.send(Method::GET, "/api/v1/nowhere", &accepts, Body::empty()).await;
    assert_eq!(api.headers["content-type"], "application/problem+json");
}
