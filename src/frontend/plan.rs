//! `pipework plan`: what would be done, in words, without doing it.
//!
//! Takes the words of `attach`, fields alone, annotations, or a state JSON on
//! stdin; changes nothing, and needs root only to enter a container. Of one whose
//! namespace it may not enter, or that does not exist yet, it assumes that the
//! namespace is new.

#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::attach::check_leases;
use crate::attach::pools::preview;
use crate::deadline::Deadline;
use crate::error::{Error, report};
use crate::frontend::called::called;
use crate::frontend::cli::print;
use crate::frontend::given::Given;
use crate::frontend::hook::read_state;
use crate::frontend::state::State;
use crate::frontend::target::{self, Target};
use crate::frontend::{attach, hook, read};
use crate::host::container::{ContainerError, Sandbox};
use crate::host::engine::{self, EngineName};
use crate::host::inspect::{self, InspectError, VfChoice, inspect};
use crate::host::machine;
use crate::host::view::{HostView, UplinkView, VlanView};
use crate::logging::{self, to_stderr};
use crate::plan::{self, Identity, Life, Plan, PlanError};
use crate::policy::{self, Caller};
use crate::request::Request;
use crate::request::annotations::Pair;
use crate::sys::block_on;
use crate::sys::rtnl::{LinkFacts, Rtnl};

const TIME: Duration = Duration::from_secs(10);

/// Whose plan it is.
struct Asker {
    caller: Caller,
    name: EngineName,
    id: String,
    bundle: PathBuf,
    /// Its namespace, if that may be entered.
    guest: Option<Rtnl>,
}

/// Prints the plan for a container that the first word names, for the fields and
/// annotations that are given, or for the state JSON on stdin where there is
/// nothing; `None` when a word is no field.
pub fn run(given: &Given) -> Option<u8> {
    let words = given.words();
    let (container, fields) = match words.split_first() {
        Some((first, rest)) if !first.contains('=') => (Some(*first), rest),
        Some(_) | None => (None, words.as_slice()),
    };
    let fields = attach::pairs(fields.iter().copied())?;
    // A key of somebody else tells who asks.
    let annotations = attach::pairs(given.values("--annotation"))?;
    // A policy or a network that is broken is told as the hook tells it.
    logging::start();
    let deadline = Deadline::after(TIME);
    let is_empty = fields.is_empty() && annotations.is_empty();
    let done = match (container, is_empty) {
        (Some(_), true) => return None,
        (Some(container), false) => target::open(container, deadline)
            .and_then(|target| plan_for(both(&fields, of_list(&annotations)), of_target(target))),
        (None, false) => of_state(&State::imagined(annotations), &fields, deadline),
        // Nobody types a state.
        (None, true) if std::io::stdin().is_terminal() => return None,
        (None, true) => read_state(deadline)
            .map_err(Error::from)
            .and_then(|state| of_state(&state, &[], deadline)),
    };
    Some(match done {
        Ok(text) => print(&text),
        Err(error) => {
            to_stderr(&report(&error, container));
            error.exit_code() as u8
        }
    })
}

fn of_list(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    pairs
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
}

fn both<'a>(
    fields: &'a [(String, String)],
    annotations: impl Iterator<Item = (&'a str, &'a str)>,
) -> Vec<Pair<'a>> {
    let annotations = annotations.map(Pair::from);
    attach::fields(fields).chain(annotations).collect()
}

fn of_target(target: Target) -> Asker {
    Asker {
        caller: Caller::Person,
        name: target.engine_name(),
        id: target.sandbox.id,
        bundle: target.sandbox.bundle,
        guest: Some(target.sandbox.guest),
    }
}

fn of_state(
    state: &State,
    fields: &[(String, String)],
    deadline: Deadline,
) -> Result<String, Error> {
    let guest = match Sandbox::open(&state.id, &state.bundle, state.pid, deadline) {
        Ok(sandbox) => Some(sandbox.guest),
        Err(error @ ContainerError::HostNetwork) => return Err(error.into()),
        Err(_) => None,
    };
    let asker = Asker {
        caller: Caller::of(state.annotations()),
        name: engine::name_of(&state.id, &state.bundle),
        id: state.id.clone(),
        bundle: state.bundle.clone(),
        guest,
    };
    plan_for(both(fields, state.annotations()), asker)
}

fn plan_for(pairs: Vec<Pair<'_>>, asker: Asker) -> Result<String, Error> {
    let is_assumed = asker.guest.is_none();
    let Some(judged) = judged(pairs, asker, None)? else {
        return Ok("nothing: no annotation begins with pipework.\n".to_owned());
    };
    planned(&judged.request, &judged.view, &judged.identity, is_assumed)
}

/// Fails as `fields` would for `target`, were the host's device `leaving` gone, and
/// with it the interface that it is the other end of. Changes nothing.
pub(super) fn rehearse(
    target: &Target,
    fields: &[(String, String)],
    leaving: &LinkFacts,
    deadline: Deadline,
) -> Result<(), Error> {
    let began = Instant::now();
    let asker = Asker {
        caller: Caller::Person,
        name: target.engine_name(),
        id: target.sandbox.id.clone(),
        bundle: target.sandbox.bundle.clone(),
        guest: Some(target.sandbox.guest.until(deadline)),
    };
    if let Some(Judged {
        request,
        view,
        identity,
    }) = judged(both(fields, std::iter::empty()), asker, Some(leaving))?
    {
        let plan = plan_of(&request, &view, &identity)?;
        check_leases(&plan, began, deadline)?;
    }
    Ok(())
}

/// What policy allowed, with all that a plan is made of.
struct Judged {
    request: Request,
    view: HostView,
    identity: Identity,
}

/// `None` where nothing is asked for.
fn judged(
    pairs: Vec<Pair<'_>>,
    asker: Asker,
    leaving: Option<&LinkFacts>,
) -> Result<Option<Judged>, Error> {
    let Asker {
        caller,
        name: named,
        id,
        bundle,
        guest,
    } = asker;
    let called = called(&id, &bundle, || named.clone().known());
    let request = read::request_for(pairs, &caller, &called)?;
    drop(called);
    let Some(mut request) = request else {
        return Ok(None);
    };
    let mut view = block_on(view(guest.as_ref(), &mut request)).map_err(Error::Socket)??;
    if let (Some(leaving), Some(guest)) = (leaving, &guest) {
        block_on(leave(&mut view, leaving, guest)).map_err(Error::Socket)??;
    }
    let policy = hook::policy()?;
    view.enter(policy::judge(policy.as_ref(), &caller, &request, &view)?);
    block_on(look_at_ports(&request, &mut view)).map_err(Error::Socket)??;
    let identity = Identity {
        machine_id: machine::machine_id_if_kept().unwrap_or_default(),
        engine: named.engine,
        name: request
            .name
            .as_ref()
            .map_or(named.name, |asked| asked.value.clone()),
        life: Life::default(),
    };
    for attachment in &mut request.attachments {
        preview(attachment, &identity).map_err(|error| Error::Pool(Box::new(error)))?;
    }
    Ok(Some(Judged {
        request,
        view,
        identity,
    }))
}

/// Takes the name of the interface that is the other end of `leaving` for free.
async fn leave(view: &mut HostView, leaving: &LinkFacts, guest: &Rtnl) -> Result<(), Error> {
    let mut free = Vec::new();
    for (name, _) in &view.namespace.taken {
        let link = guest.link_by_name(name.as_str()).await;
        let link = link.map_err(InspectError::from)?;
        let is_other_end = |link: &LinkFacts| {
            link.peer == Some(leaving.ifindex) && leaving.peer == Some(link.ifindex)
        };
        if link.as_ref().is_some_and(is_other_end) {
            free.push(name.clone());
        }
    }
    view.namespace
        .taken
        .retain(|(name, _)| !free.contains(name));
    Ok(())
}

/// The plan in words; `assumed`, that the namespace is new, is said.
fn planned(
    request: &Request,
    view: &HostView,
    identity: &Identity,
    assumed: bool,
) -> Result<String, Error> {
    let plan = plan_of(request, view, identity)?;
    let files = plan::files_in_words(&request.attachments);
    Ok(in_words(&plan, &files, assumed))
}

fn plan_of(request: &Request, view: &HostView, identity: &Identity) -> Result<Plan, PlanError> {
    let mut next = plan::LOWEST_INDEX;
    plan::plan(request, view, identity, &mut || {
        next += 1;
        next
    })
}

/// The host as it is, which may name interfaces, and the namespace if it may be
/// entered.
async fn view(guest: Option<&Rtnl>, request: &mut Request) -> Result<HostView, Error> {
    let host = Rtnl::open(Deadline::after(TIME)).map_err(Error::Socket)?;
    inspect::name_by_uplink(request, &host).await?;
    let choice = VfChoice::for_all(&request.attachments);
    Ok(inspect(&request.attachments, &host, guest, &choice).await?)
}

/// The ports of bridges whose VLANs are asked for.
async fn look_at_ports(request: &Request, view: &mut HostView) -> Result<(), Error> {
    let host = Rtnl::open(Deadline::after(TIME)).map_err(Error::Socket)?;
    for (attachment, view) in request.attachments.iter().zip(&mut view.uplinks) {
        let is_needed = plan::membership(attachment, view).is_some();
        if let (UplinkView::Present(device), Some(VlanView::Bridge(bridge)), true) =
            (&view.uplink, &mut view.vlan, is_needed)
        {
            inspect::look_at_ports(device.ifindex, bridge, &host).await?;
        }
    }
    Ok(())
}

fn in_words(plan: &Plan, files: &[String], assumed: bool) -> String {
    let mut text = String::new();
    if assumed {
        text.push_str("for a container with a new network namespace:\n");
    }
    for (number, planned) in plan.steps.iter().enumerate() {
        text.push_str(&format!("{:3}. {}\n", number + 1, planned.step));
    }
    for line in files {
        text.push_str(&format!("  then {line}\n"));
    }
    for interface in plan
        .interfaces
        .iter()
        .filter(|i| i.announced && !i.addresses.is_empty())
    {
        text.push_str(&format!(
            "  then announcing the addresses of {}\n",
            interface.ifname
        ));
    }
    for notice in &plan.notices {
        text.push_str(&format!("note: {notice}\n"));
    }
    text
}
