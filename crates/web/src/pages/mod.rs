//! The console: pages for people, whole without script, and forms that work as plain posts.
//!
//! A page reads what it shows in a bounded number of questions and is made anew for every request. Script only spares
//! reloads: it asks for the same page again when something changed, and puts the new one in place of the old.

mod add_machine;
mod arrivals;
mod assets;
mod compare;
mod confirm;
mod deliver;
mod differing;
mod draft;
mod draft_form;
mod draft_read;
mod form;
mod key_warning;
mod layout;
mod live;
mod machine;
mod machines;
mod moment;
mod once;
mod output;
mod overnight;
mod own_address;
mod places;
mod playbooks;
mod refusal;
mod result;
mod settings;
mod sign_in;
mod ticket;
mod timeline;
mod transcript;
mod viewer;
mod words;
mod wrong;
mod zones;

use axum::Router;
use axum::routing::{get, post};

use crate::Shared;

pub(crate) use deliver::deliver;
pub(crate) use refusal::{is_page, refuse};
pub(crate) use viewer::AskedToSignIn;

/// The pages and what they need.
pub(crate) fn router() -> Router<Shared> {
    Router::new()
        .route("/", get(overnight::show))
        .route("/sign-in", get(sign_in::show).post(sign_in::submit))
        .route("/sign-in/link", post(sign_in::submit))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/confirm", post(confirm::submit))
        .route("/machines", get(machines::show))
        .route("/machines/new", get(add_machine::show).post(add_machine::submit))
        .route("/machines/new/arrivals", get(arrivals::show))
        .route("/machines/{id}", get(machine::show))
        .route("/machines/{id}/adopt", post(machine::adopt))
        .route("/machines/{id}/edit", post(machine::edit))
        .route("/machines/{id}/notes", post(machine::note))
        .route("/machines/{id}/retire", post(machine::retire))
        .route("/machines/{id}/revoke", post(machine::revoke))
        .route("/machines/{id}/transcript", get(transcript::show))
        .route("/machines/{id}/transcript/file", get(transcript::file))
        .route("/machines/{id}/transcript/{number}", get(transcript::one))
        .route("/machines/{id}/drafts", post(draft::create))
        .route("/sequences/{id}", get(result::show))
        .route("/sequences/{id}/act", post(result::act))
        .route("/sequences/{id}/steps/{number}/previous", get(compare::show))
        .route("/sequences/{id}/edit", get(draft::show).post(draft::submit))
        .route("/sequences/{id}/others", get(draft::others))
        .merge(playbooks::router())
        .merge(settings::router())
        .route("/live", get(live::stream))
        .route("/assets/{version}/{name}", get(assets::serve))
}
