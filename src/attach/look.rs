//! The look at the host, under the locks that keep bridges of ours from
//! changing, and virtual functions from being chosen twice, until what was planned
//! is there.

use super::nics;
use crate::apply::{ApplyError, Cause, Kernel};
use crate::error::Error;
use crate::host::bundle::Config;
use crate::host::container::Sandbox;
use crate::host::inspect::{self, InspectError, inspect};
use crate::host::view::{AttachmentView, Grant, HostView, PortsView, UplinkView, VlanView};
use crate::plan::{self, Plan, Step};
use crate::policy::PolicyError;
use crate::record::{BridgeRecord, Lock, Mode, Store};
use crate::request::{Attachment, IfName, Request};
use crate::sys::rtnl::Rtnl;

/// What is kept from changing, by name, until this goes.
pub(super) struct Locks(#[expect(dead_code)] Vec<(IfName, Mode, Lock)>);

/// Looks at the host, and keeps bridges of ours from changing under us: one
/// that is to be made is locked exclusively, one that we made is shared.
///
/// `judge` sees every view, also the first, for which nothing is locked yet: who
/// may not have a bridge cannot hold it up either.
pub(super) async fn look(
    request: &Request,
    wanted: &Request,
    kernel: &Kernel<'_>,
    store: &Store,
    judge: impl Fn(&HostView) -> Result<Vec<Grant>, PolicyError>,
) -> Result<(HostView, Locks), Error> {
    let mut locks: Vec<(IfName, Mode, Lock)> = Vec::new();
    loop {
        let choice = nics::choice(wanted, kernel)?;
        let mut view = inspect(
            &request.attachments,
            &kernel.host,
            Some(&kernel.guest),
            &choice,
        )
        .await?;
        view.namespace.taken.retain(|(name, _)| {
            wanted
                .attachments
                .iter()
                .any(|attachment| attachment.ifname.value == *name)
        });
        view.enter(judge(&view)?);
        let needed = bridges_to_lock(request, &view, store);
        let missing = needed.iter().any(|(name, mode)| {
            !locks
                .iter()
                .any(|(held, how, _)| held == name && (how == mode || *how == Mode::Exclusive))
        });
        if !missing {
            look_at_ports(request, &mut view, &kernel.host, store).await?;
            return Ok((view, Locks(locks)));
        }
        // All of them anew and in order of name, so that no two runs wait for
        // each other.
        locks.clear();
        for (name, mode) in needed {
            let lock = store.lock_bridge(&name, mode, kernel.deadline)?;
            locks.push((name, mode, lock));
        }
    }
}

fn bridges_to_lock(request: &Request, view: &HostView, store: &Store) -> Vec<(IfName, Mode)> {
    let mut needed: Vec<(IfName, Mode)> = Vec::new();
    for (attachment, view) in request.attachments.iter().zip(&view.uplinks) {
        if let Some(name) = view.ovs_bridge(&attachment.uplink.value) {
            let mode = match view.ovs_to_make() {
                Some(_) => Mode::Exclusive,
                None => Mode::Shared,
            };
            needed.push((name.clone(), mode));
            continue;
        }
        // Two starts must not take the same virtual function, however each names it.
        let card = view.nic.as_deref().and_then(|nic| nic.vf.as_ref());
        needed.extend(card.map(|card| (card.function_name.clone(), Mode::Exclusive)));
        let bridge = match &view.uplink {
            UplinkView::Present(device) => filtering_mode(attachment, view)
                .or(store.has_bridge(device.ifindex).then_some(Mode::Shared))
                .map(|mode| (device.name.clone(), mode)),
            UplinkView::Absent => plan::bridge_to_make(&attachment.uplink.value)
                .map(|name| (name.clone(), Mode::Exclusive)),
        };
        needed.extend(bridge);
    }
    // The stronger one first where two of the request need the same bridge.
    needed.sort_by(|a, b| (&a.0, a.1 == Mode::Shared).cmp(&(&b.0, b.1 == Mode::Shared)));
    needed.dedup_by(|a, b| a.0 == b.0);
    needed
}

/// Who switches the filtering of a bridge on may have to switch it off again:
/// nobody who relies on it comes in between.
fn filtering_mode(attachment: &Attachment, view: &AttachmentView) -> Option<Mode> {
    plan::membership(attachment, view)?;
    match &view.vlan {
        Some(VlanView::Bridge(bridge)) => match bridge.filtering {
            Some(true) => Some(Mode::Shared),
            Some(false) => view.grant.vlan_filtering.then_some(Mode::Exclusive),
            None => None,
        },
        Some(VlanView::Device(_)) | None => None,
    }
}

/// Looks at the ports of bridges whose VLANs nobody of ours uses yet, or whose
/// filtering may be switched on.
async fn look_at_ports(
    request: &Request,
    view: &mut HostView,
    host: &Rtnl,
    store: &Store,
) -> Result<(), Error> {
    for (attachment, view) in request.attachments.iter().zip(&mut view.uplinks) {
        let Some(object) = plan::membership(attachment, view) else {
            continue;
        };
        let AttachmentView {
            uplink: UplinkView::Present(device),
            vlan: Some(VlanView::Bridge(bridge)),
            ..
        } = view
        else {
            continue;
        };
        match store.joined(&object.key())? {
            Some(ports) if bridge.filtering == Some(true) && !ports.is_empty() => {
                bridge.ports = PortsView::Joined(ports);
            }
            Some(_) | None => inspect::look_at_ports(device.ifindex, bridge, host).await?,
        }
    }
    Ok(())
}

/// The view of those interfaces that are still wanted.
pub(super) fn only_of(mut view: HostView, request: &Request, wanted: &Request) -> HostView {
    let mut asked = request.attachments.iter();
    view.uplinks.retain(|_| {
        asked
            .next()
            .is_some_and(|attachment| wanted.attachments.contains(attachment))
    });
    view
}

/// Whether the container's engine gives it a network of its own behind us, and
/// has not done so yet.
pub(super) async fn engine_follows(
    config: Option<&Config>,
    sandbox: &Sandbox,
    kernel: &Kernel<'_>,
) -> Result<bool, Error> {
    if !config.is_some_and(|config| config.network_follows(&sandbox.id)) {
        return Ok(false);
    }
    let made = kernel.guest.has_link(plan::ENGINES_IFNAME).await;
    Ok(!made.map_err(InspectError::from)?)
}

/// Writes down the bridges that the plan makes; none of them where the index of one is
/// that of another bridge of ours, whose record would go for it.
pub(super) fn keep_bridges(plan: &Plan, store: &Store, sandbox: &Sandbox) -> Result<(), Error> {
    let bridges = || {
        let steps = plan.steps.iter();
        steps.filter_map(|planned| match &planned.step {
            Step::CreateBridge(bridge) => Some((planned, bridge)),
            _ => None,
        })
    };
    let mut taken = bridges().filter(|(_, bridge)| store.has_bridge(bridge.ifindex));
    if let Some((planned, bridge)) = taken.next() {
        let ifindex = bridge.ifindex;
        let refused = ApplyError::before_all(planned, Cause::IndexTaken { ifindex });
        return Err(Error::from(refused));
    }
    for (_, bridge) in bridges() {
        store.keep_bridge(&BridgeRecord {
            version: crate::record::VERSION,
            boot_id: sandbox.key.boot_id.clone(),
            ifindex: bridge.ifindex,
            name: bridge.name.clone(),
            mac: bridge.mac,
            empty_since: None,
        })?;
    }
    Ok(())
}
