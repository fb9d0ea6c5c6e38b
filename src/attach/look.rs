//! The look at the host, under the locks that keep bridges of ours from
//! changing, and virtual functions from being chosen twice, until the run has
//! ended.

use crate::apply::Kernel;
use crate::error::Error;
use crate::host::container::Sandbox;
use crate::host::inspect::inspect;
use crate::host::view::{HostView, UplinkView};
use crate::plan::{self, Plan, Step};
use crate::policy::PolicyError;
use crate::record::{BridgeRecord, Lock, Mode, Store};
use crate::request::{IfName, PhysicalRef, Request, Uplink};

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
    judge: impl Fn(&HostView) -> Result<(), PolicyError>,
) -> Result<(HostView, Vec<Lock>), Error> {
    let mut locks: Vec<(IfName, Mode, Lock)> = Vec::new();
    loop {
        let mut view = inspect(&request.attachments, &kernel.host, Some(&kernel.guest)).await?;
        view.namespace.taken.retain(|(name, _)| {
            wanted
                .attachments
                .iter()
                .any(|attachment| attachment.ifname.value == *name)
        });
        judge(&view)?;
        let needed = bridges_to_lock(request, &view, store);
        let missing = needed.iter().any(|(name, mode)| {
            !locks
                .iter()
                .any(|(held, how, _)| held == name && (how == mode || *how == Mode::Exclusive))
        });
        if !missing {
            return Ok((view, locks.into_iter().map(|(_, _, lock)| lock).collect()));
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
        // Two starts must not choose the same free virtual function.
        let is_free_vf = matches!(
            attachment.uplink.value,
            Uplink::Physical {
                device: PhysicalRef::FreeVf(_)
            }
        );
        let card = view.nic.as_deref().and_then(|nic| nic.vf.as_ref());
        let card = card.filter(|_| is_free_vf);
        needed.extend(card.map(|card| (card.function_name.clone(), Mode::Exclusive)));
        let bridge = match &view.uplink {
            UplinkView::Present(device) if store.has_bridge(device.ifindex) => {
                Some((device.name.clone(), Mode::Shared))
            }
            UplinkView::Present(_) => None,
            UplinkView::Absent => plan::bridge_to_make(&attachment.uplink.value)
                .map(|name| (name.clone(), Mode::Exclusive)),
        };
        needed.extend(bridge);
    }
    needed.sort_by(|a, b| a.0.cmp(&b.0));
    needed.dedup_by(|a, b| a.0 == b.0);
    needed
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

/// Writes down the bridges that the plan makes.
pub(super) fn keep_bridges(plan: &Plan, store: &Store, sandbox: &Sandbox) -> Result<(), Error> {
    for planned in &plan.steps {
        if let Step::CreateBridge(bridge) = &planned.step {
            store.keep_bridge(&BridgeRecord {
                version: crate::record::VERSION,
                boot_id: sandbox.key.boot_id.clone(),
                ifindex: bridge.ifindex,
                name: bridge.name.clone(),
                mac: bridge.mac,
                empty_since: None,
            })?;
        }
    }
    Ok(())
}
