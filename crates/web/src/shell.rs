//! What is around every route: admission, origin, panics, problems, headers.

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use tidegate_core::directory::RefusedWith;
use tidegate_core::entropy::Entropy;
use tidegate_core::error::Code;
use tidegate_core::id::RequestId;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;

use crate::Shared;
use crate::host::{Admittance, ClientAddress, Host, RouteClass, SignInAttempt};
use crate::pages;
use crate::problem::Problem;

/// Names the request in the log and to the client.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Puts the shell around `router`, its fallback included.
pub(crate) fn enclose(router: Router<Shared>, host: Shared) -> Router {
    router
        .fallback(async || {
            Problem::new(Code::NotFound, "there is nothing at this path: `/api/openapi.json` has them all")
        })
        .layer(CatchPanicLayer::custom(|_: Box<dyn core::any::Any + Send>| {
            // The panic hook has logged the message, which may hold what must not reach the client.
            Problem::internal(&"a request panicked").into_response()
        }))
        .layer(from_fn_with_state(host.clone(), gate))
        .with_state(host)
}

async fn gate(State(host): State<Shared>, request: Request, next: Next) -> Response {
    let request_id = RequestId::fresh(&mut Entropy::new(host.entropy())).to_string();
    let matched = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let (class, is_page) = (class_of(request.method(), matched), pages::is_page(&request, matched));
    let asked = is_page.then(|| request.headers().clone());
    let address = request.extensions().get::<ClientAddress>().copied();
    // As weighty as the gravest thing said in it: the log names a request that fails by what its answer names it.
    let span = tracing::error_span!("request", id = %request_id, class = class.as_str());
    let mut response = match host.admit(address, class) {
        Admittance::Admitted => match admitted(host.as_ref(), &request, class) {
            Ok(()) => next.run(request).instrument(span).await,
            Err(problem) => problem.into_response(),
        },
        Admittance::RetryAfter(wait) => {
            if matches!(class, RouteClass::SignIn | RouteClass::SignInLink)
                && request.method() == Method::POST
            {
                host.sign_in_refused(SignInAttempt::new(None, RefusedWith::Limited, address));
            }
            Problem::new(Code::RateLimited, "too many requests: wait as `Retry-After` says")
                .retry_after(wait.as_secs())
                .into_response()
        }
    };
    let is_stranger = response.extensions().get::<pages::AskedToSignIn>().is_some();
    match asked {
        Some(asked) => response = complete_page(&asked, response, &request_id).await,
        None => complete(&mut response, class, &request_id),
    }
    if host.front().is_secure() && !is_lean(class) {
        // A year, in which a browser asks for nothing here over plain HTTP (RFC 6797).
        let year = HeaderValue::from_static("max-age=31536000");
        response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, year);
    }
    let status = match class {
        // Led to the form, a stranger has not signed in: as a success it would count as a known network.
        RouteClass::SignIn if is_stranger => StatusCode::UNAUTHORIZED,
        _ => response.status(),
    };
    host.answered(address, class, status.as_u16());
    response
}

/// Whether the request names this control plane, and comes from no other site's page.
fn admitted(host: &dyn Host, request: &Request, class: RouteClass) -> Result<(), Problem> {
    crate::front::check(host.front(), request, class)?;
    crate::origin::check(request)
}

/// Headers cost a metered line on every check-in, and no browser reads these answers.
fn is_lean(class: RouteClass) -> bool {
    matches!(class, RouteClass::Sync | RouteClass::Time | RouteClass::Enrol)
}

fn complete(response: &mut Response, class: RouteClass, request_id: &str) {
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    if failed {
        let problem = response.extensions_mut().remove::<Problem>();
        problem.unwrap_or_else(|| Problem::of_status(status)).write(request_id, response);
    }
    if failed || !is_lean(class) {
        protect(response);
        if let Ok(value) = HeaderValue::from_str(request_id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
    }
}

async fn complete_page(asked: &HeaderMap, mut response: Response, request_id: &str) -> Response {
    let status = response.status();
    let problem = response.extensions_mut().remove::<Problem>();
    // A form that says itself what is wrong with it is no problem to be written.
    let is_bare = (status.is_client_error() || status.is_server_error()) && !is_html(&response);
    if let Some(problem) = problem.or_else(|| is_bare.then(|| Problem::of_status(status))) {
        pages::refuse(&problem, request_id, &mut response);
    }
    if let Ok(value) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    pages::deliver(asked, response).await
}

fn is_html(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/html"))
}

/// Answers of the API are data: nothing in them may run, be sniffed as another type, be cached or be framed.
fn protect(response: &mut Response) {
    let headers = response.headers_mut();
    let policy = "default-src 'none'; frame-ancestors 'none'";
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

fn class_of(method: &Method, matched: Option<&str>) -> RouteClass {
    match matched {
        Some("/runtime/v1/sync") => RouteClass::Sync,
        Some("/runtime/v1/time") => RouteClass::Time,
        Some("/runtime/v1/enrol") => RouteClass::Enrol,
        // To be shown the form is no attempt.
        Some("/sign-in") if method == Method::POST => RouteClass::SignIn,
        // Confirmations too are where a password or a link can be guessed.
        Some("/confirm" | "/settings/you/password") => RouteClass::SignIn,
        Some("/api/v1/sign-in" | "/sign-in/link") => RouteClass::SignInLink,
        Some(path) if path.starts_with("/api/v1/") => RouteClass::Api,
        Some("/api/openapi.json") | None => RouteClass::Other,
        Some(_) => RouteClass::Page,
    }
}
