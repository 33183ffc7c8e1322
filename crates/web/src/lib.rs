//! HTTP without a runtime: Tidegate's console, its JSON API and the endpoints' protocol as axum routers.
//!
//! The routes read a request, ask the core through a [`Host`], and write what it answers. They hold no state, start
//! no task, set no timer and open no socket; a program that serves them brings those. Every refusal is a problem
//! (RFC 9457) and every route is in the OpenAPI document, because both are built from the same list.

use std::sync::Arc;

mod arriving;
mod auth;
mod body;
mod call;
mod encoding;
mod extract;
mod front;
mod hold;
mod host;
mod idempotency;
mod openapi;
mod origin;
mod pages;
mod passwords;
mod problem;
mod revision;
mod room;
mod routes;
mod runtime_body;
pub mod sessions;
mod shell;
pub mod site_zone;

pub use auth::token_secret;
pub use front::{Front, InvalidPublicUrl, ListenerAddress, PublicUrl, refuse_foreign_host};
pub use hold::HOLD_MAX;
pub use host::{
    Admittance, Change, Changes, ClientAddress, Host, HostError, RouteClass, SignInAttempt, Watch, Woken,
};
pub use openapi::document;
pub use passwords::check_password;
pub use problem::{PROBLEM_TYPE, PROBLEM_URN, ProblemView};
pub use room::{BodyRoom, NoRoom, Room};

/// What every route is given.
pub(crate) type Shared = Arc<dyn Host>;

/// The routes for people and their programs: the console's pages and `/api/…`.
///
/// Like the other routers it has a fallback of its own, so it is merged with routers that have none.
pub fn people_router(host: Arc<dyn Host>) -> axum::Router {
    shell::enclose(routes::people().split_for_parts().0.merge(pages::router()), host)
}

/// The routes for endpoints: `/runtime/…`.
pub fn runtime_router(host: Arc<dyn Host>) -> axum::Router {
    shell::enclose(routes::runtime().split_for_parts().0, host)
}

/// Both, for one listener.
pub fn whole_router(host: Arc<dyn Host>) -> axum::Router {
    let programs = routes::people().merge(routes::runtime()).split_for_parts().0;
    shell::enclose(programs.merge(pages::router()), host)
}
