//! `pipework plan`: what would be done, in words, without doing it.
//!
//! Takes a state JSON on stdin or annotations as arguments, needs no root, and
//! changes nothing. Of a container whose namespace it may not enter, or that
//! does not exist yet, it assumes that the namespace is new.

use std::path::Path;
use std::time::Duration;

use crate::attach::pools::preview;
use crate::deadline::Deadline;
use crate::error::{Error, report};
use crate::frontend::cli::print;
use crate::frontend::hook::read_state;
use crate::frontend::read;
use crate::frontend::state::State;
use crate::host::container::{ContainerError, Sandbox};
use crate::host::inspect::{self, inspect};
use crate::host::view::{HostView, UplinkView, VlanView};
use crate::host::{engine, machine};
use crate::logging::to_stderr;
use crate::plan::{self, Identity, Life, Plan};
use crate::policy::{self, Caller, POLICY_PATH, Policy};
use crate::request::Request;
use crate::sys::block_on;
use crate::sys::rtnl::Rtnl;

const TIME: Duration = Duration::from_secs(10);

/// Prints the plan for the given annotations (`KEY=VALUE` each), or for the
/// state JSON on stdin where there are none.
pub fn run(given: &[String]) -> u8 {
    match state(given).and_then(|state| plan_for(&state)) {
        Ok(text) => print(&text),
        Err(error) => {
            to_stderr(&report(&error, None));
            error.exit_code() as u8
        }
    }
}

fn state(given: &[String]) -> Result<State, Error> {
    if given.is_empty() {
        return Ok(read_state(Deadline::after(TIME))?);
    }
    let pairs = given.iter().map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key.to_owned(), value.to_owned())
    });
    Ok(State::imagined(pairs))
}

fn plan_for(state: &State) -> Result<String, Error> {
    let caller = Caller::of(state.annotations());
    let Some(mut request) = read::request(state.annotations(), &caller)? else {
        return Ok("nothing: no annotation begins with pipework.\n".to_owned());
    };
    let (mut view, assumed) = block_on(view(state, &request)).map_err(Error::Socket)??;
    let policy = Policy::load(Path::new(POLICY_PATH))?;
    view.enter(policy::judge(policy.as_ref(), &caller, &request, &view)?);
    block_on(look_at_ports(&request, &mut view)).map_err(Error::Socket)??;
    let named = engine::name_of(&state.id, &state.bundle);
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
    let mut next = plan::LOWEST_INDEX;
    let plan = plan::plan(&request, &view, &identity, &mut || {
        next += 1;
        next
    })?;
    let files = plan::files_in_words(&request.attachments);
    Ok(in_words(&plan, &files, assumed))
}

/// The host as it is, and the namespace if it may be entered.
async fn view(state: &State, request: &Request) -> Result<(HostView, bool), Error> {
    let deadline = Deadline::after(TIME);
    let host = Rtnl::open(deadline).map_err(Error::Socket)?;
    let sandbox = match Sandbox::open(&state.id, &state.bundle, state.pid, deadline) {
        Ok(sandbox) => Some(sandbox),
        Err(error @ ContainerError::HostNetwork) => return Err(error.into()),
        Err(_) => None,
    };
    let guest = sandbox.map(|sandbox| sandbox.guest);
    let view = inspect(&request.attachments, &host, guest.as_ref()).await?;
    Ok((view, guest.is_none()))
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
