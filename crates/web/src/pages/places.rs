//! Clients and sites by their ids: every page names them, and there are few.

use std::collections::BTreeMap;

use tidegate_core::api::{ClientView, Paging, SiteView};
use tidegate_core::call::{Answer, DirectoryQuestion};
use tidegate_core::id::{ClientId, SiteId};
use tidegate_core::window::Window;
use tidegate_core::words::one_line;

use crate::call::ask_directory;
use crate::host::Host;
use crate::problem::Problem;

/// Most pages of each that are read: ten thousand sites.
const PAGES_MAX: usize = 20;

/// All of them.
pub(super) struct Places {
    clients: BTreeMap<ClientId, ClientView>,
    sites: BTreeMap<SiteId, SiteView>,
}

impl Places {
    /// Reads them.
    pub(super) async fn read(host: &dyn Host) -> Result<Self, Problem> {
        let (mut clients, mut sites) = (BTreeMap::new(), BTreeMap::new());
        let mut paging = Paging { cursor: None, limit: Paging::LIMIT_MAX };
        for _ in 0..PAGES_MAX {
            let Answer::Clients(page) =
                ask_directory(host, DirectoryQuestion::Clients(paging.clone())).await?
            else {
                return Err(Problem::unexpected_answer());
            };
            clients.extend(page.items.into_iter().map(|client| (client.id, client)));
            paging.cursor = page.next;
            if paging.cursor.is_none() {
                break;
            }
        }
        paging.cursor = None;
        for _ in 0..PAGES_MAX {
            let question = DirectoryQuestion::Sites { client: None, paging: paging.clone() };
            let Answer::Sites(page) = ask_directory(host, question).await? else {
                return Err(Problem::unexpected_answer());
            };
            sites.extend(page.items.into_iter().map(|site| (site.id, site)));
            paging.cursor = page.next;
            if paging.cursor.is_none() {
                break;
            }
        }
        Ok(Self { clients, sites })
    }

    /// The name of a client.
    pub(super) fn client(&self, id: ClientId) -> &str {
        self.clients.get(&id).map_or("unknown client", |client| client.name.as_str())
    }

    /// The name of a site.
    pub(super) fn site(&self, id: SiteId) -> &str {
        self.sites.get(&id).map_or("unknown site", |site| site.name.as_str())
    }

    /// A site after its client: `Nordwerk › Plant 3`.
    pub(super) fn path(&self, id: SiteId) -> String {
        match self.sites.get(&id) {
            Some(site) => format!("{} › {}", one_line(self.client(site.client_id)), one_line(&site.name)),
            None => "unknown site".to_owned(),
        }
    }

    /// Whether there is no site at all.
    pub(super) fn is_empty(&self) -> bool {
        self.sites.is_empty()
    }

    /// The time zone of a site.
    pub(super) fn zone(&self, id: SiteId) -> &str {
        self.sites.get(&id).map_or("UTC", |site| site.time_zone.as_str())
    }

    /// When machines of a site are planned to be reached.
    pub(super) fn windows(&self, id: SiteId) -> &[Window] {
        self.sites.get(&id).map_or(&[], |site| site.windows.as_slice())
    }

    /// Every client with its sites, each by name.
    pub(super) fn tree(&self) -> Vec<(&ClientView, Vec<&SiteView>)> {
        let mut clients: Vec<_> = self.clients.values().collect();
        clients.sort_by_key(|client| client.name.to_lowercase());
        let sites_of = |client: &ClientView| {
            let mut sites: Vec<_> = self.sites.values().filter(|site| site.client_id == client.id).collect();
            sites.sort_by_key(|site| site.name.to_lowercase());
            sites
        };
        clients.into_iter().map(|client| (client, sites_of(client))).collect()
    }
}
