//! `pipework check [CONTAINER] [--repair] [--json]`: the records held against
//! what the kernel has, and what differs made good.

mod card;
mod drift;
mod lent;
mod lost;
mod reach;
mod repair;
mod routes;
mod seen;
mod settings;
mod sysctl;
mod tc;
mod way_out;

use std::time::Duration;

use serde_json::{Value, json};

use crate::collect::{Collector, NIC_PATIENCE};
use crate::deadline::Deadline;
use crate::error::{Error, report};
use crate::frontend::cli::print;
use crate::frontend::collecting::Host;
use crate::frontend::colour::{Paint, Tone};
use crate::frontend::given::Given;
use crate::frontend::known;
use crate::logging::{self, to_stderr};
use crate::record::{AttachmentRecord, Record};
use crate::reference::LeaseId;
use crate::sys::block_on;
use crate::sys::rtnl::Rtnl;
use drift::Drift;
use lent::Sandbox;
use seen::Seen;
use sysctl::Inside;

/// Hundreds of containers, each with a few questions to the kernel.
const TIME: Duration = Duration::from_secs(60);

/// What differs for one interface.
struct Finding {
    container: String,
    ifname: String,
    drift: Drift,
    /// Why no repair makes it good, where that is plain.
    obstacle: Option<String>,
    /// What came of the repair: `None` when none was asked for.
    repair: Option<Result<(), String>>,
}

/// Checks everything, or what the one word names; `None` when there are more.
/// Exits with 1 when something differs that was not made good.
pub fn run(given: &Given) -> Option<u8> {
    let names = given.words();
    if names.len() > 1 {
        return None;
    }
    logging::start();
    let repairs = given.has("--repair");
    let found = findings(names.first().copied(), repairs);
    Some(match found {
        Ok(Found {
            looked,
            findings,
            lent,
            unknown,
            unreadable,
        }) => {
            let is_json = given.has("--json");
            print(&match is_json {
                true => json_text(&findings),
                false => text((looked, lent), &findings, Paint::of_stdout()),
            });
            let is_well = |f: &Finding| matches!(f.repair, Some(Ok(())));
            for (container, error) in &unknown {
                to_stderr(&report(error, Some(container)));
            }
            let is_whole = unknown.is_empty() && unreadable == 0;
            u8::from(!is_whole || !findings.iter().all(is_well))
        }
        Err(error) => {
            to_stderr(&report(&error, names.first().copied()));
            error.exit_code() as u8
        }
    })
}

/// What was found.
struct Found {
    /// How many interfaces were looked at.
    looked: usize,
    /// Of how many that dockerd has only what is on the host was looked at.
    lent: usize,
    /// What differs.
    findings: Vec<Finding>,
    /// The containers that could not be looked at, and why.
    unknown: Vec<(String, Error)>,
    /// How many records cannot be read.
    unreadable: usize,
}

fn findings(name: Option<&str>, repairs: bool) -> Result<Found, Error> {
    let deadline = Deadline::after(TIME);
    let host = Host::open(deadline)?;
    let collector = host.collector(NIC_PATIENCE);
    let (records, unreadable) = match name {
        Some(name) => (vec![known::named(name, collector.store, deadline)?], 0),
        None => known::readable(collector.store),
    };
    let mut all = Found {
        looked: 0,
        lent: 0,
        findings: Vec::new(),
        unknown: Vec::new(),
        unreadable,
    };
    let mut seen = Seen::of(&collector);
    for record in &records {
        let mut look = Look::default();
        let looked = look.at(record, &collector, &mut seen);
        // One that cannot be looked at keeps nobody else from it.
        if let Ok(Err(error)) | Err(error) = block_on(looked).map_err(Error::Socket) {
            all.unknown.push((known::called(record), error));
        }
        all.looked += look.interfaces;
        all.lent += look.lent;
        for (ifname, drift) in look.drifts {
            let obstacle = repair::obstacle(record, &ifname, &drift);
            let repair = repairs.then(|| match &obstacle {
                Some(obstacle) => Err(obstacle.clone()),
                None => repair::repair(record, &ifname, &drift, &collector),
            });
            all.findings.push(Finding {
                container: known::called(record),
                obstacle,
                ifname,
                drift,
                repair,
            });
        }
    }
    Ok(all)
}

/// What a look at one record brought, as far as it came.
#[derive(Default)]
struct Look {
    /// How many interfaces were looked at.
    interfaces: usize,
    /// At how many, that dockerd has, on the host alone.
    lent: usize,
    /// What differs, by interface.
    drifts: Vec<(String, Drift)>,
}

impl Look {
    async fn at(
        &mut self,
        record: &Record,
        collector: &Collector<'_>,
        seen: &mut Seen<'_>,
    ) -> Result<(), Error> {
        // dockerd has moved and named them, and given them routes of its own.
        if record.lent.is_some() {
            return self.at_lent(record, collector, seen).await;
        }
        let Some(netns) = collector.open_namespace(record) else {
            self.interfaces = record.attachments.len();
            let names = record.attachments.iter().map(|a| a.ifname.to_string());
            self.drifts = names.map(|name| (name, Drift::Gone)).collect();
            return Ok(());
        };
        let guest = Rtnl::open_in(&netns, collector.home, collector.deadline);
        let guest = guest.map_err(Error::Socket)?;
        let inside = Inside {
            netns: &netns,
            home: collector.home,
        };
        let mut unseen = None;
        for attachment in &record.attachments {
            let kept = collector.store.lease(&lease_of(record, attachment))?;
            let drifts = drift::of(attachment, kept.as_ref(), (&guest, &inside), seen).await?;
            let is_there = !drifts.contains(&Drift::Missing);
            let name = attachment.ifname.to_string();
            self.interfaces += 1;
            let drifts = drifts.into_iter().map(|drift| (name.clone(), drift));
            self.drifts.extend(drifts);
            if is_there {
                // The others may be on bridges of Linux.
                unseen = self.in_ovs(attachment, seen).err().or(unseen);
            }
        }
        unseen.map_or(Ok(()), Err)
    }

    async fn at_lent(
        &mut self,
        record: &Record,
        collector: &Collector<'_>,
        seen: &mut Seen<'_>,
    ) -> Result<(), Error> {
        let sandbox = Sandbox::of(record);
        for attachment in &record.attachments {
            let mut drifts = drift::of_lent(attachment, seen).await?;
            let mut is_seen = false;
            if let Some(sandbox) = &sandbox
                && !drifts.contains(&Drift::Missing)
            {
                // Before it is handed over there, nobody has applied its lease.
                let is_there = record.lent.as_ref().is_some_and(|lent| lent.path.is_some());
                let kept = match is_there {
                    true => collector.store.lease(&lease_of(record, attachment))?,
                    false => None,
                };
                let inside = sandbox.drifts(attachment, kept.as_ref(), collector).await?;
                is_seen = inside.is_some();
                drifts.splice(..0, inside.unwrap_or_default());
            }
            match is_seen {
                true => self.interfaces += 1,
                false => self.lent += 1,
            }
            let is_there = !drifts.contains(&Drift::Missing);
            let name = attachment.ifname.to_string();
            let drifts = drifts.into_iter().map(|drift| (name.clone(), drift));
            self.drifts.extend(drifts);
            if is_there {
                self.in_ovs(attachment, seen)?;
            }
        }
        Ok(())
    }

    fn in_ovs(&mut self, attachment: &AttachmentRecord, seen: &mut Seen<'_>) -> Result<(), Error> {
        let lost = seen.lost_in_ovs(attachment)?;
        let name = attachment.ifname.to_string();
        self.drifts
            .extend(lost.map(|lost| (name, Drift::Lost(lost))));
        Ok(())
    }
}

fn lease_of(record: &Record, attachment: &AttachmentRecord) -> LeaseId {
    LeaseId {
        namespace: record.key.clone(),
        ifindex: attachment.ifindex,
    }
}

fn text((looked, lent): (usize, usize), findings: &[Finding], paint: Paint) -> String {
    let mut text = String::new();
    for Finding {
        container,
        ifname,
        drift,
        obstacle,
        repair,
    } in findings
    {
        let end = match (repair, obstacle) {
            (None, None) => String::new(),
            (None, Some(cure)) => format!(": {cure}"),
            (Some(Ok(())), _) => ": repaired".to_owned(),
            (Some(Err(reason)), _) => format!(": not repaired: {reason}"),
        };
        let tone = match repair {
            Some(Ok(())) => Tone::Good,
            None => Tone::Doubtful,
            Some(Err(_)) => Tone::Bad,
        };
        let line = format!("{container} {ifname}: {drift}{end}");
        text.push_str(&paint.dye(tone, &line));
        text.push('\n');
    }
    let summary = match (looked, findings.len()) {
        (1, 0) => "1 interface is as it was made\n".to_owned(),
        (0, 0) if lent > 0 => String::new(),
        (0, 0) => "nothing is attached\n".to_owned(),
        (_, 0) => format!("{looked} interfaces are as they were made\n"),
        (_, differ) => {
            let (looked, differ) = (
                counted(looked + lent, "interface"),
                counted(differ, "difference"),
            );
            let is_mended = |finding: &&Finding| matches!(finding.repair, Some(Ok(())));
            match findings.iter().filter(is_mended).count() {
                0 => format!("{looked}, {differ}\n"),
                mended => format!("{looked}, {differ}, {mended} repaired\n"),
            }
        }
    };
    let partly = match lent {
        0 => String::new(),
        lent => format!(
            "of {} of Docker's networks only what is on the host was looked at\n",
            counted(lent, "interface")
        ),
    };
    text + &summary + &partly + &hint(findings)
}

/// What `--repair` would do, which nobody need be told who asked for it.
fn hint(findings: &[Finding]) -> String {
    let unasked = findings.iter().filter(|f| f.repair.is_none());
    let mendable = unasked.filter(|f| f.obstacle.is_none()).count();
    match mendable {
        0 => String::new(),
        all if all == findings.len() => "--repair makes them good\n".to_owned(),
        some => format!("--repair makes {some} of them good\n"),
    }
}

/// `1 interface`, `2 interfaces`.
fn counted(number: usize, what: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{number} {what}{end}")
}

fn json_text(findings: &[Finding]) -> String {
    let findings = findings.iter().map(|finding| {
        json!({
            "container": finding.container,
            "interface": finding.ifname,
            "drift": finding.drift.word(),
            "text": finding.drift.to_string(),
            "repaired": finding.repair.as_ref().map(Result::is_ok),
        })
    });
    let findings: Vec<Value> = findings.collect();
    format!("{:#}\n", Value::Array(findings))
}
