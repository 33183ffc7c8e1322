//! The time zone of a site, brought to its endpoints.
//!
//! Each endpoint object keeps the zone its people read times in, since a call touches one object alone. An edit of the
//! site is therefore followed by a call for each of its endpoints. Every call may be repeated, so a walk that was cut
//! off is completed by walking again.

use futures_util::future::join_all;
use tidegate_core::api::{EndpointView, Page, Paging, SiteView};
use tidegate_core::call::{
    Answer, Command, DirectoryQuestion, EndpointAct, EndpointInput, Input, ObjectId, Principal, Question,
};
use tidegate_core::error::{Code, Error};
use tidegate_core::id::{EndpointId, SiteId};

use crate::host::{Host, HostError};

/// How many endpoints are told at once: they share commits, and leave room for everybody else in the write queue.
const TOLD_AT_ONCE: u32 = 50;
/// How often the endpoints are walked when the site is edited again meanwhile. Each of those edits walks too.
const WALKS_MAX: u32 = 3;

/// Tells every endpoint of `site` its time zone as it is in the directory.
///
/// It goes by what endpoints have told the directory: one that was admitted in this very moment, with the zone as it
/// was, is told at the next edit or move.
///
/// # Errors
///
/// `not_found`: no such site. `unavailable`: not all endpoints could be told; repeating it completes it.
pub async fn follow(host: &dyn Host, by: &Principal, site: SiteId) -> Result<(), HostError> {
    let mut view = site_of(host, site).await?;
    for _ in 0..WALKS_MAX {
        walk(host, by, &view).await?;
        let now = site_of(host, site).await?;
        if now.time_zone == view.time_zone {
            break;
        }
        view = now;
    }
    Ok(())
}

async fn walk(host: &dyn Host, by: &Principal, site: &SiteView) -> Result<(), HostError> {
    let mut cursor = None;
    loop {
        let Page { items, next } = endpoints(host, site.id, cursor).await?;
        let told = join_all(items.iter().map(|endpoint| tell(host, by, endpoint.id, site))).await;
        let untold = told.iter().filter(|told| told.is_err()).count();
        if untold > 0 {
            return Err(HostError::Core(Error::problem(
                Code::Unavailable,
                format!(
                    "the site was edited, and {untold} of its machines or more still show times in the zone before: \
                     repeat the request"
                ),
            )));
        }
        if next.is_none() {
            return Ok(());
        }
        cursor = next;
    }
}

async fn tell(
    host: &dyn Host,
    by: &Principal,
    endpoint: EndpointId,
    site: &SiteView,
) -> Result<(), HostError> {
    let act = EndpointAct::FollowSite(Box::new(site.clone()));
    let command = Command { by: by.clone(), idempotency: None, act };
    let input = Input::Endpoint(EndpointInput::Act(Box::new(command)));
    match host.handle(ObjectId::Endpoint(endpoint), input).await {
        // A listing may be ahead of a record that was restored: there is nobody to tell.
        Err(HostError::Core(Error::Problem(problem))) if problem.code == Code::UnknownEndpoint => Ok(()),
        told => told.map(drop),
    }
}

async fn endpoints(
    host: &dyn Host,
    site: SiteId,
    cursor: Option<String>,
) -> Result<Page<EndpointView>, HostError> {
    let paging = Paging { cursor, limit: TOLD_AT_ONCE };
    let question = DirectoryQuestion::Endpoints { text: None, client: None, site: Some(site), paging };
    match host.query(ObjectId::Directory, Question::Directory(question)).await? {
        Answer::Endpoints(page) => Ok(page),
        _ => Err(HostError::unexpected_answer()),
    }
}

async fn site_of(host: &dyn Host, site: SiteId) -> Result<SiteView, HostError> {
    let question = Question::Directory(DirectoryQuestion::Site(site));
    match host.query(ObjectId::Directory, question).await? {
        Answer::Site(view) => Ok(view),
        _ => Err(HostError::unexpected_answer()),
    }
}
