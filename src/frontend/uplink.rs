//! `pipework uplink`: puts a bridge in a NIC's place, and gives it back.
//!
//! The words of the command line become what the library wants; what it did, or
//! would do, becomes lines. `guard` is for ourselves.

use std::path::Path;
use std::time::Duration;

use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{Error, report};
use crate::frontend::cli::{print, refuse, wrong};
use crate::frontend::collecting::with_collector;
use crate::frontend::commands::{UPLINK, usage_of};
use crate::frontend::given::Given;
use crate::host::inspect::InspectError;
use crate::logging::{self, to_stderr};
use crate::record::{DIRECTORY, Store, UplinkId};
use crate::request::IfName;
use crate::sys::block_on;
use crate::sys::clock::seconds_since_boot;
use crate::uplink::record::{Phase, PortPart, UplinkRecord};
use crate::uplink::snippet::{self, Kind};
use crate::uplink::wanted::{CONFIRM_SECONDS, ConfirmWithin, Finite, Managed, Wanted};
use crate::uplink::{self, Added, Host, UplinkError, guard};

/// A change is a few milliseconds of messages; a bond waits for carriers.
const TIME: Duration = Duration::from_secs(45);

/// What is to be done with what was asked for.
enum Mode {
    Make,
    Preview,
    Configuration(Kind),
}

/// Why a word cannot be understood.
enum Wrong {
    /// The synopsis says enough.
    Words,
    /// A value is wrong.
    Value(String),
}

impl<E: std::error::Error> From<E> for Wrong {
    fn from(error: E) -> Self {
        Self::Value(error.to_string())
    }
}

/// Runs the command that `words` name, `uplink` left out.
pub fn run(words: &[&str]) -> u8 {
    let (first, rest) = match words {
        ["--help" | "-h" | "help", ..] => return print(&usage_of("uplink")),
        // The process that watches a change; nobody writes this.
        ["guard", id] => return watch(id),
        [first, rest @ ..] => (*first, rest),
        [] => return refuse(&usage_of("uplink")),
    };
    let mut all = UPLINK.iter();
    let Some(command) = all.find(|c| c.name.split(' ').next_back() == Some(first)) else {
        return refuse(&usage_of("uplink"));
    };
    let given = match Given::read(command, rest) {
        Ok(given) if given.wants_help => return print(&command.usage()),
        Ok(given) => given,
        Err(fault) => return wrong(&fault, command),
    };
    let outcome = match done(first, &given) {
        Ok(outcome) => outcome,
        Err(Wrong::Words) => return refuse(&command.usage()),
        Err(Wrong::Value(text)) => return refuse(&format!("pipework: {text}")),
    };
    match outcome {
        Ok(text) => print(&text),
        Err(error) => {
            to_stderr(&report(&error, None));
            error.exit_code() as u8
        }
    }
}

fn done(command: &str, given: &Given) -> Result<Result<String, Error>, Wrong> {
    Ok(match (command, given.words().as_slice()) {
        ("add", words) => {
            let (wanted, mode) = asked(words, given)?;
            add(&wanted, &mode)
        }
        ("confirm", []) => confirm(None),
        ("confirm", [bridge]) => named(bridge).and_then(|bridge| confirm(Some(&bridge))),
        ("del", [bridge]) => named(bridge).and_then(|bridge| match given.has("--dry-run") {
            true => preview_delete(&bridge),
            false => delete(&bridge),
        }),
        ("list", []) => list(),
        ("snippet", [bridge, kind]) => {
            let kind = kind.parse()?;
            named(bridge).and_then(|bridge| configuration(&bridge, kind))
        }
        (_, _) => return Err(Wrong::Words),
    })
}

fn named(text: &str) -> Result<IfName, Error> {
    let name = text.parse::<IfName>();
    name.map_err(|_| UplinkError::UnusableName(text.chars().take(32).collect()).into())
}

/// The words behind `add`: names in order.
fn asked(words: &[&str], given: &Given) -> Result<(Wanted, Mode), Wrong> {
    let [bridge, nic, others @ ..] = words else {
        return Err(Wrong::Words);
    };
    let others = others.iter().map(|name| name.parse());
    let wanted = Wanted {
        bridge: bridge.parse()?,
        nic: nic.parse()?,
        others: others.collect::<Result<_, _>>()?,
        bond: given.value("--bond").map(str::parse).transpose()?,
        vlan: given.value("--vlan").map(str::parse).transpose()?,
        confirm: match given.value("--confirm-within") {
            Some(time) => time.parse()?,
            None => ConfirmWithin::Seconds(CONFIRM_SECONDS),
        },
        managed: match given.has("--force") {
            true => Managed::Forced,
            false => Managed::Refused,
        },
        lifetimes: match given.has("--keep-lifetimes") {
            true => Finite::Moved,
            false => Finite::Refused,
        },
    };
    let mode = match given.value("--print-config") {
        Some(kind) => Mode::Configuration(kind.parse()?),
        None if given.has("--dry-run") => Mode::Preview,
        None => Mode::Make,
    };
    Ok((wanted, mode))
}

fn host() -> Result<Host, Error> {
    let store = Store::open(Path::new(DIRECTORY))?;
    Ok(Host::open(store, Deadline::after(TIME))?)
}

/// Runs `work`, and first what another run could not end.
fn settled<T>(work: impl AsyncFnOnce(&Host) -> Result<T, UplinkError>) -> Result<T, Error> {
    let host = host()?;
    uplink::settle(&host)?;
    let done = block_on(work(&host)).map_err(Error::Socket)?;
    Ok(done?)
}

fn add(wanted: &Wanted, mode: &Mode) -> Result<String, Error> {
    // They may name another database than the usual one, and to ask that of the
    // bridge would be to change what nobody meant.
    Config::load().map_err(InspectError::Config)?;
    match mode {
        Mode::Make => {
            let mut added = settled(async |host| uplink::add(host, wanted).await)?;
            added.notices.extend(carry_vlans(&added));
            Ok(made(&added))
        }
        Mode::Preview => settled(async |host| uplink::preview(host, wanted).await).map(|preview| {
            let notices = preview.notices.iter().map(|n| format!("note: {n}\n"));
            numbered(&preview.steps) + &notices.collect::<String>()
        }),
        Mode::Configuration(kind) => settled(async |host| uplink::facts(host, wanted).await)
            .map(|facts| snippet::text(*kind, &facts)),
    }
}

/// Lets the new port carry the VLANs of containers that came before it; why not, if
/// it cannot.
fn carry_vlans(added: &Added) -> Option<String> {
    let bridge = added.known.record.bridge.device.ifindex;
    let told = with_collector(Deadline::after(TIME), Duration::ZERO, async |collector| {
        collector.refresh_memberships(bridge).await
    });
    match told {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(error) => Some(error.to_string()),
    }
}

fn numbered(steps: &[String]) -> String {
    let lines = steps.iter().enumerate();
    lines
        .map(|(place, step)| format!("{:3}. {step}\n", place + 1))
        .collect()
}

fn made(added: &Added) -> String {
    let record = &added.known.record;
    let (bridge, nic) = (&record.bridge.device.name, &record.nic.name);
    let mut text = match record.moved {
        true => format!("{bridge} has the place of {nic}\n"),
        false => format!("{} is a port of {bridge}\n", record.port_device().name),
    };
    for notice in &added.notices {
        text.push_str(&format!("note: {notice}\n"));
    }
    if record.confirm_within > 0 {
        let seconds = record.confirm_within;
        text.push_str(&format!(
            "In {seconds} s it goes back, unless you say: pipework uplink confirm {bridge}\n"
        ));
    }
    text.push_str(&format!(
        "It lasts until the machine starts anew. What makes it again: pipework uplink snippet {bridge} KIND, \
         with KIND networkd, networkmanager, ifupdown or netplan\n"
    ));
    text
}

fn confirm(bridge: Option<&IfName>) -> Result<String, Error> {
    let host = host()?;
    let bridge = uplink::confirm(&host, bridge)?;
    Ok(format!("{bridge} stays as it is\n"))
}

fn delete(bridge: &IfName) -> Result<String, Error> {
    let nic = settled(async |host| uplink::delete(host, bridge).await)?;
    Ok(format!("{nic} has its place back\n"))
}

fn preview_delete(bridge: &IfName) -> Result<String, Error> {
    let preview = settled(async |host| uplink::preview_delete(host, bridge).await)?;
    Ok(numbered(&preview.steps))
}

fn configuration(bridge: &IfName, kind: Kind) -> Result<String, Error> {
    let facts = settled(async |host| uplink::facts_of(host, bridge).await)?;
    Ok(snippet::text(kind, &facts))
}

fn list() -> Result<String, Error> {
    let known = settled(async |host| host.known())?;
    Ok(known.iter().map(|known| line(&known.record)).collect())
}

/// `br0  eth0  confirmed`.
fn line(record: &UplinkRecord) -> String {
    let bridge = &record.bridge.device.name;
    let port = match &record.port {
        PortPart::Nic => record.nic.name.clone(),
        PortPart::Vlan { device, .. } => device.name.clone(),
        PortPart::Bond { device, others, .. } => {
            let others = others.iter().map(|other| other.name.as_str());
            let members: Vec<&str> = std::iter::once(record.nic.name.as_str())
                .chain(others)
                .collect();
            format!("{} ({})", device.name, members.join(", "))
        }
    };
    let state = match record.phase {
        Phase::Applying => "being made".to_owned(),
        Phase::GoingBack => "going back; what is left is in the system's log".to_owned(),
        Phase::Confirmed => "confirmed".to_owned(),
        Phase::Unconfirmed { until } => format!(
            "goes back in {} s; to keep it: pipework uplink confirm {bridge}",
            until.saturating_sub(seconds_since_boot())
        ),
    };
    format!("{bridge}  {port}  {state}\n")
}

/// The guard's own process.
fn watch(id: &str) -> u8 {
    logging::start();
    let Some(id) = UplinkId::parse(id) else {
        return refuse(&usage_of("uplink"));
    };
    let watched = Store::open(Path::new(DIRECTORY))
        .map_err(UplinkError::from)
        .and_then(|store| guard::watch(&store, &id));
    match watched {
        Ok(()) => 0,
        Err(error) => {
            let error = Error::from(error);
            logging::to_system_log(tracing::Level::ERROR, &report(&error, None));
            error.exit_code() as u8
        }
    }
}
