//! One machine: whether it is the right one, what waits and why, what it found last, what is known of it.

mod acts;
mod care;
mod contact;
mod decision;
mod end;
mod facts;
mod queue;
mod start;
mod strip;

use axum::extract::State;
use axum::response::Html;
use maud::html;
use tidegate_core::api::{EndpointView, Paging, QueueItem, SequenceSummary};
use tidegate_core::call::{Answer, EndpointQuestion};
use tidegate_core::id::EndpointId;
use tidegate_core::probe::Catalogue;

use super::layout::{Live, Section, page};
use super::moment::Moment;
use super::places::Places;
use super::playbooks;
use super::transcript;
use super::viewer::Viewer;
use crate::Shared;
use crate::call::{ask_endpoint, endpoint_with_namesakes};
use crate::extract::Id;
use crate::host::Host;
use crate::problem::Problem;

pub(super) use acts::{adopt, edit, note, retire, revoke};
pub(super) use queue::place_of;
pub(super) use strip::strip;

/// Sequences that are listed.
const SEQUENCES: u32 = 30;
/// Sequences that are listed with what they wait for.
const WAITING_MAX: u32 = 20;

/// Everything about the machine.
pub(super) async fn show(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(id): Id<EndpointId>,
) -> Result<Html<String>, Problem> {
    let machine = read(host.as_ref(), id).await?;
    let places = Places::read(host.as_ref()).await?;
    let moment = Moment::new(host.now(), places.zone(machine.site_id));
    let windows = places.windows(machine.site_id);
    let sequences = sequences(host.as_ref(), id).await?;
    let playbooks = playbooks::list(host.as_ref()).await?;
    let contacts = contact::read(host.as_ref(), id, &moment).await?;
    let waiting = waiting(host.as_ref(), id).await?;
    let main = html! {
        (strip(&machine, &places, &moment))
        (decision::attention(&machine, &moment))
        div .columns {
            div {
                (queue::queue(&machine, &waiting, contact::next(windows, &moment).as_ref()))
                (queue::drafts(&sequences, &moment))
                (queue::last_results(&sequences, &moment))
                p { a href=(transcript::place(id)) { "Transcript: everything that happened to it" } }
            }
            div {
                (start::start(&machine, &playbooks))
                (facts::facts(&machine))
                (facts::contact(&machine, &contacts, windows, &moment))
                (care::care(&machine, &places, &moment))
                (end::end(&machine))
            }
        }
    };
    Ok(page(&viewer, Section::Machines, &machine.name, &Live::Machine(id.to_string()), &main))
}

/// One machine as it is, with the others that have its name.
pub(super) async fn read(host: &dyn Host, id: EndpointId) -> Result<EndpointView, Problem> {
    endpoint_with_namesakes(host, id).await
}

/// What it can do; `None`: it never told.
pub(super) async fn probes(host: &dyn Host, id: EndpointId) -> Result<Option<Catalogue>, Problem> {
    match ask_endpoint(host, id, EndpointQuestion::Probes).await? {
        Answer::Probes(catalogue) => Ok(catalogue),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// What waits for it or is under way, in the order in which it takes it.
async fn waiting(host: &dyn Host, id: EndpointId) -> Result<Vec<QueueItem>, Problem> {
    match ask_endpoint(host, id, EndpointQuestion::Queue { limit: WAITING_MAX }).await? {
        Answer::Queue(items) => Ok(items),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Its newest sequences, newest first.
pub(super) async fn sequences(host: &dyn Host, id: EndpointId) -> Result<Vec<SequenceSummary>, Problem> {
    let paging = Paging { cursor: None, limit: SEQUENCES };
    match ask_endpoint(host, id, EndpointQuestion::Sequences { state: None, since: None, paging }).await? {
        Answer::Sequences(page) => Ok(page.items),
        _ => Err(Problem::unexpected_answer()),
    }
}
