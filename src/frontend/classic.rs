//! The command line of pipework, the shell script: `pipework br1 web
//! 10.0.0.5/24@10.0.0.1`.
//!
//! `request::classic` knows the words and turns them into the fields that annotations
//! have, `uplink` looks what the first one means; from there on it is the same
//! attachment as any other. What
//! the script says, and the codes that it exits with, are kept where scripts may
//! rely on them (`words`); its errors are not.

mod inside;
mod uplink;
mod wait;
mod words;

use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::error::{Error, report};
use crate::frontend::attach::{TIME, fields, notices, to_target};
use crate::frontend::cli::print;
use crate::frontend::commands::suggest;
use crate::frontend::target::{self, Target};
use crate::frontend::{plan, read};
use crate::logging::{self, to_stderr};
use crate::policy::Caller;
use crate::record::{DIRECTORY, Store};
use crate::request::classic::{self, Address, Attach, Command, Kind, Tool};
use crate::sys::block_on;
use crate::sys::rtnl::{LinkFacts, Rtnl};
use uplink::Unknown;
use words::Refusal;

/// How long the script asks for the first process of a container.
const START_TIME: Duration = Duration::from_secs(3);
/// And how often we do.
const START_PAUSE: Duration = Duration::from_millis(100);

/// Runs what `words` ask for, the program's own name left out.
pub fn run(words: &[&str]) -> u8 {
    logging::start();
    let done = match words {
        [tool, rest @ ..] => match Tool::named(tool).filter(|_| !is_device(tool)) {
            Some(tool) => inside::run(tool, rest),
            None => plain(words),
        },
        [] => Err(Refusal::Syntax),
    };
    match done {
        Ok(code) => code,
        Err(refusal) => {
            let code = refusal.tell();
            // A word that is nearly a command was hardly meant for a device.
            let meant = words.first().and_then(|word| suggest(word));
            match (meant, &refusal) {
                (Some(meant), Refusal::Syntax | Refusal::Interface(_)) => {
                    to_stderr(&format!("pipework: did you mean pipework {meant}?"));
                }
                (None, Refusal::Syntax) => {
                    to_stderr("pipework: --help lists the commands");
                }
                (_, _) => {}
            }
            code
        }
    }
}

fn plain(words: &[&str]) -> Result<u8, Refusal> {
    match classic::parse(words) {
        Command::Attach(attach) => plug_in(&attach),
        Command::Wait { ifname, timeout } => wait::until_served(&ifname, timeout),
        Command::Syntax => Err(Refusal::Syntax),
        Command::Timeout(text) => Err(Refusal::Timeout(text)),
    }
}

fn is_device(name: &str) -> bool {
    let Ok(host) = Rtnl::open(Deadline::after(TIME)) else {
        return false;
    };
    matches!(block_on(host.link_by_name(name)), Ok(Ok(Some(_))))
}

/// Whether a container has the NIC that the word means.
fn is_away(word: &str) -> bool {
    let folder = Path::new(DIRECTORY);
    let (Ok(device), true) = (word.parse(), folder.exists()) else {
        return false;
    };
    let claims = Store::open(folder).and_then(|store| store.nic_claims());
    claims.is_ok_and(|claims| claims.iter().any(|claim| claim.is_meant_by(&device, &[])))
}

/// As the script does it: the first word is looked at, then the container, then
/// the address.
fn plug_in(attach: &Attach) -> Result<u8, Refusal> {
    let deadline = Deadline::after(TIME);
    let host = Rtnl::open(deadline).map_err(Error::Socket)?;
    let kind = block_on(uplink::kind_of(&attach.uplink, &host, deadline)).map_err(Error::Socket)?;
    let kind = match kind {
        // Who hands NICs out says who has it, or brings it back.
        Err(Unknown::Interface | Unknown::Mac) if is_away(&attach.uplink) => {
            Ok((Kind::Nic, attach.uplink.clone()))
        }
        other => other,
    };
    let (kind, uplink) = kind.map_err(|unknown| Refusal::uplink(unknown, &attach.uplink))?;
    let attach = &Attach {
        uplink,
        ..attach.clone()
    };
    if kind == Kind::Infiniband && attach.mac.is_some() {
        return Err(Refusal::InfinibandMac);
    }
    if kind == Kind::Port && attach.direct {
        to_stderr("pipework: --direct-phys means nothing for a bridge, which is never moved");
    }
    let target = started(&attach.guest, deadline)?;
    let address = Address::parse(attach)?;
    tell_ignored(&address);
    let hostif = (kind == Kind::Port).then(|| classic::hostif(attach, target.sandbox.init.pid));
    let name = hostif.flatten();
    let pairs = classic::pairs(attach, kind, &address, name.as_deref());
    // What is wrong in itself costs nobody a device.
    read::request(fields(&pairs), &Caller::Person)?;
    let leftover = match name {
        Some(name) => block_on(leftover(&name, attach, &host)).map_err(Error::Socket)??,
        None => None,
    };
    if let Some(link) = leftover {
        // Whoever is refused has changed nothing.
        plan::rehearse(&target, &pairs, &link, deadline)?;
        block_on(delete(&link, &host)).map_err(Error::Socket)??;
    }
    give(attach, &target, &pairs, deadline)
}

fn tell_ignored(address: &Address) {
    let Address::Asked { client, .. } = address else {
        return;
    };
    for option in &client.ignored {
        let name = client.name;
        to_stderr(&format!("pipework: {name}'s option {option} is ignored"));
    }
}

/// A container that is only being started is waited for, as long as the script does.
fn started(guest: &str, deadline: Deadline) -> Result<Target, Error> {
    let patience = Deadline::after(START_TIME);
    loop {
        match target::open(guest, deadline) {
            Err(Error::Stopped { .. }) if !patience.has_passed() => thread::sleep(START_PAUSE),
            other => return other,
        }
    }
}

/// What of the host bears the name that the end on the host will have, and may
/// be deleted: one that is down is what is left of somebody.
async fn leftover(name: &str, attach: &Attach, host: &Rtnl) -> Result<Option<LinkFacts>, Refusal> {
    let link = host.link_by_name(name).await.map_err(Refusal::kernel)?;
    let is_veth = |link: &LinkFacts| link.kind.as_deref() == Some("veth");
    match link {
        None => Ok(None),
        Some(link) if !link.up && is_veth(&link) => Ok(Some(link)),
        // Whether it is ours, and as it should be, the record will tell.
        Some(_) if attach.ensure => Ok(None),
        Some(_) => Err(Refusal::Exists(name.to_owned())),
    }
}

async fn delete(link: &LinkFacts, host: &Rtnl) -> Result<(), Refusal> {
    let text = format!("{} is down and in the way, and is deleted", link.name);
    logging::to_system_log(tracing::Level::WARN, &text);
    let deleted = host.delete_link(link.ifindex).await;
    deleted.map_err(Refusal::kernel)
}

fn give(
    attach: &Attach,
    target: &Target,
    pairs: &[(String, String)],
    deadline: Deadline,
) -> Result<u8, Refusal> {
    let attached = to_target(target, pairs, &Caller::Person, deadline)?;
    // A success says nothing, as there: whoever has this in a script may read
    // stderr as a failure.
    for notice in notices(&attached) {
        logging::to_system_log(tracing::Level::INFO, &format!("{}: {notice}", target.name));
    }
    // The script makes nothing twice, and says so by its exit code.
    let there = attached.interfaces.iter().find(|(_, was_there)| *was_there);
    match there {
        Some((ifname, _)) if !attach.ensure => Err(Refusal::Exists(ifname.to_string())),
        Some(_) | None => Ok(0),
    }
}

impl Refusal {
    /// Says why, and what the process exits with.
    fn tell(&self) -> u8 {
        match self {
            Self::Syntax => {
                print(words::SYNTAX);
            }
            Self::Exists(name) => {
                print(&format!("Link {name} exists and is up\n"));
            }
            Self::Failed(error) => match words::of_the_script(error) {
                Some(text) => to_stderr(&text),
                None => to_stderr(&report(error, None)),
            },
            Self::Interface(_)
            | Self::Mac(_)
            | Self::NoOvs
            | Self::InfinibandMac
            | Self::NoNetmask(_)
            | Self::Family { .. }
            | Self::NoTool(_)
            | Self::Tool { .. }
            | Self::Timeout(_)
            | Self::NotServed(_) => to_stderr(&self.to_string()),
        }
        self.code()
    }
}
