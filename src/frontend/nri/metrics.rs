//! What the plugin counts, as text for Prometheus (text exposition format 0.0.4),
//! and whether it is well.

use std::fmt::{Display, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Weak};
use std::time::{Duration, Instant};

use super::pods::{Node, lock};
use crate::error::ExitCode;
use crate::record::{DIRECTORY, Store};

/// How long it is well without a runtime: one that is restarted makes its socket
/// anew in this time.
const YOUNG: Duration = Duration::from_secs(30);

/// Upper bounds of how long an attachment takes, in microseconds, and as
/// Prometheus has them, in seconds.
const BOUNDS: [(u64, &str); 12] = [
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (5_000_000, "5"),
    (15_000_000, "15"),
    (45_000_000, "45"),
];

/// Whether a runtime is connected.
#[derive(Debug)]
enum Connection {
    Up,
    DownSince(Instant),
}

/// The counters.
#[derive(Debug)]
pub struct Metrics {
    attached: AtomicU64,
    /// By their place in [`ExitCode::TABLE`].
    failed: [AtomicU64; ExitCode::TABLE.len()],
    /// Those that took no longer than each bound, and longer than the one before.
    durations: [AtomicU64; BOUNDS.len()],
    /// The sum of all durations, in microseconds.
    duration_micros: AtomicU64,
    connections: AtomicU64,
    connection: Mutex<Connection>,
    node: Mutex<Weak<Node>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            attached: AtomicU64::default(),
            failed: Default::default(),
            durations: Default::default(),
            duration_micros: AtomicU64::default(),
            connections: AtomicU64::default(),
            connection: Mutex::new(Connection::DownSince(Instant::now())),
            node: Mutex::default(),
        }
    }
}

fn one_more(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn of(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Metrics {
    /// Tells of the pods of `node` from now on.
    pub fn watch(&self, node: Weak<Node>) {
        *lock(&self.node) = node;
    }

    /// A pod was given its interfaces, in this time.
    pub fn attached(&self, took: Duration) {
        one_more(&self.attached);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.duration_micros.fetch_add(micros, Ordering::Relaxed);
        let mut places = BOUNDS.iter().zip(&self.durations);
        if let Some((_, place)) = places.find(|((bound, _), _)| micros <= *bound) {
            one_more(place);
        }
    }

    /// A pod was refused them.
    pub fn failed(&self, code: ExitCode) {
        let mut places = ExitCode::TABLE.iter().zip(&self.failed);
        if let Some((_, place)) = places.find(|((known, _), _)| *known == code) {
            one_more(place);
        }
    }

    /// A runtime has connected.
    pub fn connected(&self) {
        one_more(&self.connections);
        *lock(&self.connection) = Connection::Up;
    }

    /// It has gone.
    pub fn disconnected(&self) {
        let mut connection = lock(&self.connection);
        if matches!(*connection, Connection::Up) {
            *connection = Connection::DownSince(Instant::now());
        }
    }

    /// For how long no runtime has been connected, if that is too long.
    pub fn is_alone_for(&self) -> Option<Duration> {
        match *lock(&self.connection) {
            Connection::Up => None,
            Connection::DownSince(at) => Some(at.elapsed()).filter(|time| *time > YOUNG),
        }
    }

    /// Nobody has been connected for this long.
    #[cfg(test)]
    pub fn alone_for(time: Duration) -> Self {
        let since = Instant::now()
            .checked_sub(time)
            .unwrap_or_else(Instant::now);
        Self {
            connection: Mutex::new(Connection::DownSince(since)),
            ..Self::default()
        }
    }

    /// All of it.
    pub fn text(&self) -> String {
        let mut text = Text(String::with_capacity(4096));
        text.counter(
            "pipework_attachments_total",
            "Pods that were given their interfaces.",
            of(&self.attached),
        );
        text.head(
            "pipework_attachment_failures_total",
            "Tries to give a pod its interfaces that were refused, by the name of the exit code.",
            "counter",
        );
        for ((code, _), count) in ExitCode::TABLE.iter().zip(&self.failed) {
            let label = format!("{{reason=\"{}\"}}", code.name());
            text.sample("pipework_attachment_failures_total", &label, of(count));
        }
        self.durations(&mut text);
        let node = lock(&self.node).upgrade();
        let count = |count: fn(&Node) -> usize| node.as_deref().map_or(0, count);
        text.gauge(
            "pipework_pods",
            "Pods that have their interfaces.",
            count(Node::count_attached),
        );
        text.gauge(
            "pipework_pods_without",
            "Pods that run without the interfaces that they ask for, and are tried again.",
            count(|node| node.late.count()),
        );
        // A directory that cannot be read says nothing, nor does who has no node.
        let leases = node.as_deref().and_then(|_| {
            let store = Store::open(Path::new(DIRECTORY)).ok()?;
            store.count_leases().ok()
        });
        if let Some(leases) = leases {
            text.gauge(
                "pipework_leases",
                "Interfaces on this host whose leases are kept.",
                leases,
            );
        }
        let is_up = matches!(*lock(&self.connection), Connection::Up);
        text.gauge(
            "pipework_runtime_connected",
            "Whether a runtime is connected.",
            u8::from(is_up),
        );
        text.counter(
            "pipework_runtime_reconnects_total",
            "How often a runtime connected again.",
            of(&self.connections).saturating_sub(1),
        );
        text.head("pipework_build_info", "The release that runs.", "gauge");
        let label = concat!("{version=\"", env!("CARGO_PKG_VERSION"), "\"}");
        text.sample("pipework_build_info", label, 1);
        text.0
    }

    fn durations(&self, text: &mut Text) {
        const NAME: &str = "pipework_attachment_duration_seconds";
        text.head(
            NAME,
            "How long it took to give a pod its interfaces.",
            "histogram",
        );
        let bucket = format!("{NAME}_bucket");
        // What was attached meanwhile is in neither or in both.
        let all = of(&self.attached);
        let mut so_far = 0;
        for ((_, bound), count) in BOUNDS.iter().zip(&self.durations) {
            so_far = (so_far + of(count)).min(all);
            text.sample(&bucket, &format!("{{le=\"{bound}\"}}"), so_far);
        }
        text.sample(&bucket, "{le=\"+Inf\"}", all);
        let micros = of(&self.duration_micros);
        let seconds = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        text.sample(&format!("{NAME}_sum"), "", seconds);
        text.sample(&format!("{NAME}_count"), "", all);
    }
}

struct Text(String);

impl Text {
    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "counter");
        self.sample(name, "", value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, help, "gauge");
        self.sample(name, "", value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_count_what_took_no_longer_and_the_last_one_everything() {
        let metrics = Metrics::default();
        for millis in [1, 2, 2, 700, 90_000] {
            metrics.attached(Duration::from_millis(millis));
        }
        let text = metrics.text();
        let bucket = |le: &str| {
            let name = format!("pipework_attachment_duration_seconds_bucket{{le=\"{le}\"}} ");
            let line = text.lines().find_map(|line| line.strip_prefix(&name));
            line.unwrap().parse::<u64>().unwrap()
        };
        let all = ["0.001", "0.0025", "0.5", "1", "45", "+Inf"].map(bucket);
        assert_eq!(all, [1, 3, 3, 4, 4, 5]);
        assert!(text.contains("_seconds_sum 90.705000\n"), "{text}");
    }

    #[test]
    fn a_plugin_is_well_while_its_runtime_is_there_and_for_a_while_after() {
        assert_eq!(Metrics::default().is_alone_for(), None);
        let metrics = Metrics::alone_for(Duration::from_secs(31));
        // A connection that never was does not end.
        metrics.disconnected();
        assert!(metrics.is_alone_for().is_some());
        metrics.connected();
        assert_eq!(metrics.is_alone_for(), None);
        metrics.disconnected();
        assert_eq!(metrics.is_alone_for(), None);
    }
}
