//! Where events go: to stderr, and to the system's log under the name
//! `pipework`.
//!
//! crun shows no more of a hook than its exit code, so the log is where its
//! reports are found. One datagram to /dev/log (RFC 3164), which journald,
//! rsyslog and busybox all read; a system without one loses nothing else. The
//! socket is opened at the first event, so a run that has nothing to say pays
//! nothing.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::os::unix::net::UnixDatagram;

use nix::sys::stat::fstat;
use tracing::field::{Field, Visit};
use tracing::span;
use tracing::{Event, Level, Metadata, Subscriber};

const SOCKET: &str = "/dev/log";
/// Facility `daemon` (RFC 3164 §4.1.1), shifted to its place.
const DAEMON: u8 = 3 << 3;

/// Sends every event of level `info` and above to stderr and the log.
#[derive(Debug, Clone, Copy)]
pub struct Log;

/// Makes [`Log`] the receiver of all events of this process.
pub fn start() {
    // Fails only if there is one already, which then serves as well.
    let _ = tracing::subscriber::set_global_default(Log);
}

/// Sends `text` to the system's log, and `shown` to stderr; once where stderr is the
/// journal, which knows whose stderr it is even when a process has ended.
pub fn to_both(level: Level, shown: &str, text: &str) {
    if is_the_journal() {
        // Each line is an entry, with its severity before it (sd-daemon(3)).
        let severity = severity_of(level);
        for line in shown.lines() {
            to_stderr(&format!("<{severity}>{line}"));
        }
        return;
    }
    to_stderr(shown);
    to_system_log(level, text);
}

/// Whether a service manager has connected stderr to its journal: the variable has
/// the device and inode of what it connected (systemd.exec(5)).
fn is_the_journal() -> bool {
    let Ok(told) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    fstat(std::io::stderr()).is_ok_and(|stat| told == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// RFC 5424, table 2.
fn severity_of(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// Sends `text` to the system's log; several lines stay one entry.
pub fn to_system_log(level: Level, text: &str) {
    let severity = severity_of(level);
    let entry = format!(
        "<{}>pipework[{}]: {text}",
        DAEMON | severity,
        std::process::id()
    );
    if let Ok(socket) = UnixDatagram::unbound()
        && socket.set_nonblocking(true).is_ok()
    {
        let _ = socket.send_to(entry.as_bytes(), SOCKET);
    }
}

/// Writes `text` to stderr, which may be closed.
pub fn to_stderr(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let text = format!("{}{}", line.message, line.fields);
        let shown = format!("pipework: {text}");
        to_both(*event.metadata().level(), &shown, &text);
    }

    // Spans are not used: a run is short, and every line names its container.
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// An event as one line: the message, then its fields.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
