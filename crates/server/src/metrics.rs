//! Figures for Prometheus.

use std::sync::Mutex;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tidegate_sqlite::Commit;
use tidegate_web::RouteClass;

/// Everything that is counted.
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<ClassLabel, Histogram, fn() -> Histogram>,
    /// From queueing a call to its commit on the disk.
    pub(crate) write_seconds: Histogram,
    batch_calls: Histogram,
    commit_seconds: Histogram,
    /// Syncs that found nothing to move when they asked.
    pub(crate) syncs_idle: Counter,
    /// Syncs that were stored.
    pub(crate) syncs_moved: Counter,
    gauges: Gauges,
}

/// What is looked up when somebody asks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Levels {
    pub(crate) syncs_held: i64,
    pub(crate) endpoints_connected: i64,
    pub(crate) endpoints: i64,
    pub(crate) sequences_live: i64,
    pub(crate) connections: i64,
    pub(crate) body_bytes: i64,
    pub(crate) wal_bytes: i64,
    pub(crate) disk_free_bytes: i64,
    pub(crate) disk_reserve_bytes: i64,
    pub(crate) disk_full: i64,
    pub(crate) projection_backlog: i64,
    /// Seconds since 1970.
    pub(crate) order_key_not_after: i64,
}

#[derive(Debug, Default)]
struct Gauges {
    syncs_held: Gauge,
    endpoints_connected: Gauge,
    endpoints: Gauge,
    sequences_live: Gauge,
    connections: Gauge,
    body_bytes: Gauge,
    wal_bytes: Gauge,
    disk_free_bytes: Gauge,
    disk_reserve_bytes: Gauge,
    disk_full: Gauge,
    projection_backlog: Gauge,
    order_key_not_after: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    class: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabel {
    class: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

/// 100 µs to 26 s, four times each: an answer from memory, one fsync, a full disk, a stuck one.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.0001, 4.0, 10))
}

impl Metrics {
    /// Every figure at zero.
    pub(crate) fn new() -> Self {
        let requests = Family::default();
        let request_seconds = Family::new_with_constructor(seconds as fn() -> Histogram);
        let write_seconds = seconds();
        let commit_seconds = seconds();
        // A batch has 256 calls at most.
        let batch_calls = Histogram::new(exponential_buckets(1.0, 2.0, 9));
        let syncs = Family::<KindLabel, Counter>::default();
        let [syncs_idle, syncs_moved] =
            ["idle", "moved"].map(|kind| syncs.get_or_create(&KindLabel { kind }).clone());
        let gauges = Gauges::default();
        let mut registry = Registry::with_prefix("tidegate");
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "From a request's head to its answer's head; syncs are left out, since they are held",
            Unit::Seconds,
            request_seconds.clone(),
        );
        registry.register(
            "syncs",
            "Syncs that found nothing to move when they asked (idle) and that were stored (moved); one that is held and then finds work is both",
            syncs,
        );
        registry.register_with_unit(
            "write_duration",
            "From queueing a write to its commit on the disk",
            Unit::Seconds,
            write_seconds.clone(),
        );
        registry.register("write_batch_calls", "Writes that shared a transaction", batch_calls.clone());
        registry.register_with_unit(
            "commit_duration",
            "The commit of a transaction, its fsync included",
            Unit::Seconds,
            commit_seconds.clone(),
        );
        gauges.register(&mut registry);
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", build);
        Self {
            registry: Mutex::new(registry),
            requests,
            request_seconds,
            write_seconds,
            batch_calls,
            commit_seconds,
            syncs_idle,
            syncs_moved,
            gauges,
        }
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, class: RouteClass, status: u16, took: Duration) {
        let class_text = class.as_str();
        self.requests.get_or_create(&RequestLabels { class: class_text, status }).inc();
        if class != RouteClass::Sync {
            let label = ClassLabel { class: class_text };
            self.request_seconds.get_or_create(&label).observe(took.as_secs_f64());
        }
    }

    /// Counts a transaction.
    pub(crate) fn committed(&self, commit: Commit) {
        self.batch_calls.observe(commit.calls as f64);
        self.commit_seconds.observe(commit.time.as_secs_f64());
    }

    /// Everything in the text format of OpenMetrics, with `levels` as they are.
    pub(crate) fn text(&self, levels: Levels) -> Result<String, std::fmt::Error> {
        self.gauges.set(levels);
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl Gauges {
    fn register(&self, registry: &mut Registry) {
        registry.register("syncs_held", "Syncs that are held", self.syncs_held.clone());
        registry.register(
            "endpoints_connected",
            "Endpoints with a sync that is held",
            self.endpoints_connected.clone(),
        );
        registry.register("endpoints", "Endpoints known", self.endpoints.clone());
        registry.register("sequences_live", "Sequences that have not ended", self.sequences_live.clone());
        registry.register("connections", "Connections that are open", self.connections.clone());
        registry.register(
            "projection_backlog",
            "Changes of endpoints that listings do not show yet",
            self.projection_backlog.clone(),
        );
        registry.register_with_unit(
            "request_bodies",
            "Memory reserved for the bodies of requests in flight",
            Unit::Bytes,
            self.body_bytes.clone(),
        );
        registry.register_with_unit(
            "wal_size",
            "Size of the database's write-ahead log",
            Unit::Bytes,
            self.wal_bytes.clone(),
        );
        registry.register_with_unit(
            "disk_free",
            "Free on the disk of the data directory",
            Unit::Bytes,
            self.disk_free_bytes.clone(),
        );
        registry.register_with_unit(
            "disk_reserve",
            "With less free, new work is refused",
            Unit::Bytes,
            self.disk_reserve_bytes.clone(),
        );
        registry.register(
            "disk_full",
            "1 while the disk refuses what is to be stored",
            self.disk_full.clone(),
        );
        registry.register_with_unit(
            "order_key_not_after",
            "When the order key ends, in Unix time: machines refuse new orders after it",
            Unit::Seconds,
            self.order_key_not_after.clone(),
        );
    }

    fn set(&self, levels: Levels) {
        self.syncs_held.set(levels.syncs_held);
        self.endpoints_connected.set(levels.endpoints_connected);
        self.endpoints.set(levels.endpoints);
        self.sequences_live.set(levels.sequences_live);
        self.connections.set(levels.connections);
        self.body_bytes.set(levels.body_bytes);
        self.wal_bytes.set(levels.wal_bytes);
        self.disk_free_bytes.set(levels.disk_free_bytes);
        self.disk_reserve_bytes.set(levels.disk_reserve_bytes);
        self.disk_full.set(levels.disk_full);
        self.projection_backlog.set(levels.projection_backlog);
        self.order_key_not_after.set(levels.order_key_not_after);
    }
}
