//! The whole server: started, running, shut down.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use tidegate_web::Front;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::host::LocalHost;
use crate::net::{self, Budget, Gate, Listener, Proxies, Serving, Tls};
use crate::operations::{self, Operations};
use crate::options::ServeOptions;
use crate::tasks;
use crate::{admin, data};

/// The control plane on one machine, to be started.
#[derive(Clone, Copy, Debug)]
pub struct Server;

/// A server that runs. Dropping it stops it without waiting; [`Running::shutdown`] is the orderly way.
pub struct Running {
    addresses: Addresses,
    stop: watch::Sender<bool>,
    host: Arc<LocalHost>,
    listeners: Vec<JoinHandle<()>>,
    tasks: Vec<JoinHandle<()>>,
}

/// Where a server listens, with the ports it was given where it asked for 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// People, and runtimes unless they have their own.
    pub people: SocketAddr,
    /// Runtimes alone; `None`: at `people` too.
    pub runtime: Option<SocketAddr>,
}

impl Server {
    /// Starts within the caller's tokio runtime; when it returns, connections are accepted.
    ///
    /// # Errors
    ///
    /// When the data directory has no owner or is in use, its database is of a newer program or damaged, a
    /// certificate does not read, or an address is taken.
    pub async fn start(options: ServeOptions) -> anyhow::Result<Running> {
        let tls = options.tls.as_ref().map(Tls::open).transpose()?.map(Arc::new);
        let explained = |error| data::explained(&options.data, error);
        admin::finish_interrupted(&options.data).map_err(explained)?;
        let database = data::require_database(&options.data).map_err(explained)?;
        let lock = data::lock(&options.data).map_err(explained)?;
        admin::remove_leftovers(&options.data);
        let (stop, stopping) = watch::channel(false);
        let opened = LocalHost::open(
            &database,
            lock,
            options.reserve_bytes,
            front(&options, tls.as_ref()),
            stopping.clone(),
        );
        let Some(host) = opened.map_err(explained)? else {
            bail!(data::no_owner(&options.data));
        };
        let host = Arc::new(host);
        let gate = Arc::new(Gate::default());
        let budget = Arc::new(Budget::default());
        let operations =
            Operations { host: host.clone(), gate: gate.clone(), budget: budget.clone(), database };
        let operations = Arc::new(operations);
        let sockets = Sockets::bind(&options).await?;
        let addresses = sockets.addresses()?;
        for address in options.open_to_all() {
            tracing::warn!(
                %address,
                "others can reach this address and it is plain HTTP: passwords, tokens and results can be read on the \
                 way; give --tls-cert and --tls-key, or let a proxy speak TLS and give --public-url https://…"
            );
        }
        let proxies = Arc::new(Proxies(options.trusted_proxies.clone()));
        let listen = |socket, router| {
            let serving = Serving {
                router,
                tls: tls.clone(),
                budget: budget.clone(),
                proxies: proxies.clone(),
                proxy_protocol: options.proxy_protocol,
                stopping: stopping.clone(),
            };
            tokio::spawn(Listener { socket, serving, gate: gate.clone() }.run())
        };
        let for_people = operations::readiness(operations).merge(operations::liveness());
        let listeners = match sockets.runtime {
            None => vec![listen(sockets.people, for_people.merge(tidegate_web::whole_router(host.clone())))],
            Some(runtime) => vec![
                listen(sockets.people, for_people.merge(tidegate_web::people_router(host.clone()))),
                listen(runtime, operations::liveness().merge(tidegate_web::runtime_router(host.clone()))),
            ],
        };
        let mut tasks = vec![
            tokio::spawn(tasks::projections_task(host.clone())),
            tokio::spawn(tasks::deliveries_task(host.clone())),
            tokio::spawn(tasks::deadlines_task(host.clone())),
            tokio::spawn(tasks::contacts_task(host.clone())),
            tokio::spawn(tasks::refusals_task(host.clone())),
            tokio::spawn(tasks::storage_task(host.clone())),
            tokio::spawn(tasks::order_key_task(host.clone())),
            tokio::spawn(tasks::memory_task(host.stopping.clone())),
        ];
        tasks.extend(tls.map(|tls| tokio::spawn(tasks::certificate_task(tls, stopping.clone()))));
        Ok(Running { addresses, stop, host, listeners, tasks })
    }
}

/// How people reach the control plane.
fn front(options: &ServeOptions, tls: Option<&Arc<Tls>>) -> Front {
    let (public_url, is_tls, tls) = (options.public_url.clone(), tls.is_some(), tls.cloned());
    Front::new(public_url, is_tls, move |name| tls.as_ref().is_some_and(|tls| tls.certifies(name)))
}

impl Running {
    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Accepts nothing more, answers held syncs at once and what else is under way within ten seconds, stores what
    /// is known only in memory, and closes the database.
    pub async fn shutdown(self) {
        let Self { stop, host, listeners, tasks, .. } = self;
        stop.send_replace(true);
        for ending in listeners.into_iter().chain(tasks) {
            if let Err(error) = ending.await {
                tracing::error!(%error, "a part of the server did not end well");
            }
        }
        tasks::contacts_store(&host).await;
        tasks::refusals_store(&host).await;
        let closing = tokio::task::spawn_blocking(move || host.close());
        if let Err(error) = closing.await {
            tracing::error!(%error, "the database was not closed well");
        }
    }
}

struct Sockets {
    people: TcpListener,
    runtime: Option<TcpListener>,
}

impl Sockets {
    async fn bind(options: &ServeOptions) -> anyhow::Result<Self> {
        let people = net::bind(options.listen).await?;
        let runtime = match options.runtime_listen {
            Some(address) => Some(net::bind(address).await?),
            None => None,
        };
        Ok(Self { people, runtime })
    }

    fn addresses(&self) -> anyhow::Result<Addresses> {
        let address = |socket: &TcpListener| socket.local_addr().context("failed to learn the address");
        Ok(Addresses {
            people: address(&self.people)?,
            runtime: self.runtime.as_ref().map(address).transpose()?,
        })
    }
}
