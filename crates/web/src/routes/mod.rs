//! The routes, a resource a file. A handler reads its request, calls once, and names the answer.

pub(crate) mod audit;
mod clients;
mod codes;
mod document;
mod endpoints;
mod events;
pub(crate) mod export;
mod history;
mod overnight;
mod people;
mod playbooks;
mod runtime;
mod sequence_acts;
mod sequences;
mod sign_in;
mod sites;
mod tokens;
pub(crate) mod transcript;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Shared;

/// The routes for people and their programs.
pub(crate) fn people() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(sign_in::sign_in))
        .routes(routes!(sign_in::me))
        .routes(routes!(people::list, people::invite))
        .routes(routes!(people::sign_in_link))
        .routes(routes!(people::deactivate))
        .routes(routes!(people::reactivate))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::rename))
        .routes(routes!(tokens::revoke))
        .routes(routes!(audit::read))
        .routes(routes!(audit::download))
        .routes(routes!(clients::list, clients::create))
        .routes(routes!(sites::list, sites::create))
        .routes(routes!(clients::rename))
        .routes(routes!(sites::get, sites::edit))
        .routes(routes!(codes::list, codes::create))
        .routes(routes!(codes::revoke))
        .routes(routes!(endpoints::list))
        .routes(routes!(endpoints::get, endpoints::edit))
        .routes(routes!(endpoints::probes))
        .routes(routes!(endpoints::adopt))
        .routes(routes!(endpoints::note))
        .routes(routes!(endpoints::revoke))
        .routes(routes!(endpoints::retire))
        .routes(routes!(sequences::create))
        .routes(routes!(transcript::read))
        .routes(routes!(transcript::entry))
        .routes(routes!(export::download))
        .routes(routes!(history::contacts))
        .routes(routes!(history::previous))
        .routes(routes!(overnight::get))
        .routes(routes!(sequences::list))
        .routes(routes!(sequences::get, sequences::edit))
        .routes(routes!(playbooks::list, playbooks::create))
        .routes(routes!(playbooks::get, playbooks::save))
        .routes(routes!(playbooks::versions))
        .routes(routes!(playbooks::archive))
        .routes(routes!(playbooks::unarchive))
        .routes(routes!(playbooks::fill))
        .routes(routes!(sequence_acts::queue))
        .routes(routes!(sequence_acts::cancel))
        .routes(routes!(sequence_acts::retry))
        .routes(routes!(sequence_acts::release))
        .routes(routes!(sequence_acts::purge))
        .routes(routes!(sequence_acts::note))
        .routes(routes!(sequence_acts::review))
        .routes(routes!(sequence_acts::unreview))
        .routes(routes!(sequence_acts::assign))
        .routes(routes!(sequence_acts::run_next))
        .routes(routes!(events::stream))
        .routes(routes!(document::openapi))
}

/// The routes for endpoints.
pub(crate) fn runtime() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(runtime::enrol))
        .routes(routes!(runtime::time))
        .routes(routes!(runtime::sync))
}
