//! The table of contents: how an attachment is made, and how it ends.
//!
//! [`attach`] and [`detach`] are what every frontend calls. Each line of
//! `attach` is one stage, in the order of the sentence in the crate's root;
//! nothing is changed before policy allowed it and the record is on disk.

use std::path::{Path, PathBuf};

use crate::announce::{AnnounceError, announce};
use crate::apply::{self, ApplyError, Kernel, LeftOut, Sides};
use crate::collect::{CollectError, Collector, namespace_path, no_left};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::host::container::Sandbox;
use crate::host::inspect::{InspectError, inspect};
use crate::host::view::{HostView, UplinkView};
use crate::host::{engine, machine};
use crate::plan::{self, Identity, LOWEST_INDEX, Plan, Step, Undo};
use crate::policy::{self, Caller, Policy};
use crate::record::{BridgeRecord, Lock, Mode, Record, RecordError, Store, fingerprint};
use crate::reference::Reference;
use crate::request::{Attachment, IfName, Request};
use crate::sys::rtnl::Rtnl;
use crate::sys::{proc, raw};

/// Everything that an attachment needs to know of its surroundings.
#[derive(Debug)]
pub struct Context<'a> {
    /// The records.
    pub store: &'a Store,
    /// Policy, if there is a file.
    pub policy: Option<&'a Policy>,
    /// On whose behalf.
    pub caller: &'a Caller,
    /// When it must have ended.
    pub deadline: Deadline,
}

/// What came of an attachment that had success.
#[derive(Debug, Default)]
pub struct Attached {
    /// The interfaces that are there now, and whether each was there before.
    pub interfaces: Vec<(IfName, bool)>,
    /// What the user should know although nothing is wrong.
    pub notices: Vec<String>,
    /// Optional interfaces that could not be made.
    pub left_out: Vec<ApplyError>,
    /// Addresses that could not be announced.
    pub unannounced: Vec<AnnounceError>,
}

/// Gives `sandbox` everything that `request` asks for, or nothing.
pub async fn attach(
    sandbox: &Sandbox,
    request: &Request,
    context: &Context<'_>,
) -> Result<Attached, Error> {
    let Context {
        store,
        policy,
        caller,
        deadline,
    } = *context;
    let identity = identify(sandbox, request)?;
    let reference = sandbox.reference(&identity.name);
    let _namespace = store.lock_namespace(&sandbox.key, deadline)?;
    let kernel = open(sandbox, deadline)?;
    let collector = collector(context, sandbox, &kernel);
    end_former_life(&collector, sandbox).await;
    let mut record = present_record(&collector, sandbox).await?;
    let (shared, wanted) = split(request, &mut record, &kernel).await?;

    let (view, _bridges) = look(request, &wanted, &kernel, store).await?;
    policy::judge(policy, caller, request, &view)?;
    let view = only_of(view, request, &wanted);
    let plan = plan::plan(&wanted, &view, &identity, &mut random_index)?;

    let fingerprints: Vec<String> = wanted.attachments.iter().map(fingerprint).collect();
    record.enter(&plan, &fingerprints, &reference);
    record.share(&shared, &reference);
    keep_bridges(&plan, store, sandbox)?;
    store.begin(&record)?;
    if let Err(error) = claim_macs(&plan, &collector, sandbox).await {
        store.abandon(&record)?;
        return Err(error);
    }

    let left_out = match apply::apply(&plan, &kernel).await {
        Ok(left_out) => left_out,
        Err(error) => return Err(abandon(&record, error, &collector).await),
    };
    let mut attached = Attached::default();
    for (place, interface) in plan.interfaces.iter().enumerate() {
        if left_out.iter().any(|out| out.interface == place) {
            continue;
        }
        attached
            .unannounced
            .extend(announce(interface, &kernel).await);
        attached.interfaces.push((interface.ifname.clone(), false));
    }
    forget_left_out(&mut record, &plan, &left_out, &collector).await?;
    if record.attachments.is_empty() {
        store.abandon(&record)?;
    } else {
        store.complete(&sandbox.key)?;
    }

    attached
        .interfaces
        .extend(shared.into_iter().map(|ifname| (ifname, true)));
    attached.notices = plan.notices;
    attached.left_out = left_out.into_iter().map(|out| out.error).collect();
    sweep(&collector).await;
    Ok(attached)
}

/// Ends what container `id` refers to. Without a record there is nothing to do.
///
/// An interface leaves with its last reference; while another process lives in
/// its namespace it stays until that ends.
pub async fn detach(
    id: &str,
    bundle: &Path,
    collector: &Collector<'_>,
) -> Result<(), CollectError> {
    let bundle_text = bundle.display().to_string();
    let Some(key) = collector.store.namespace_of(id, &bundle_text)? else {
        return Ok(());
    };
    let _namespace = collector.store.lock_namespace(&key, collector.deadline)?;
    let known = collector.store.read(&key)?;
    if let Some(mut record) = known.complete
        && let Some(mine) = reference_of(&record, id, &bundle_text)
    {
        // A runtime that says so too early would lose a running container its
        // network.
        if proc::is_same(mine.init.pid, mine.init.start_time) {
            return Ok(());
        }
        record.drop_references(id, &bundle_text);
        collector.store.rewrite(&record)?;
        collector.store.unlead(&mine, &key)?;
    }
    let paths: Vec<PathBuf> = namespace_path(bundle).into_iter().collect();
    collector.reap_locked(&key, &paths).await?;
    Ok(())
}

fn reference_of(record: &Record, id: &str, bundle: &str) -> Option<Reference> {
    record
        .references()
        .find(|r| r.id == id && r.bundle == bundle)
        .cloned()
}

/// Who the container is, over its restarts.
fn identify(sandbox: &Sandbox, request: &Request) -> Result<Identity, Error> {
    let named = engine::name_of(&sandbox.id, &sandbox.bundle);
    let given = request.name.as_ref().map(|asked| asked.value.clone());
    if named.is_id && given.is_none() {
        tracing::warn!(
            id = sandbox.id,
            "no name is known for this container: its MAC changes when it is made anew; \
             pipework.name gives it one"
        );
    }
    let machine_id = machine::machine_id().map_err(Error::MachineId)?;
    Ok(Identity {
        machine_id,
        engine: named.engine,
        name: given.unwrap_or(named.name),
    })
}

fn open(sandbox: &Sandbox, deadline: Deadline) -> Result<Kernel<'_>, Error> {
    let Sandbox { netns, home, .. } = sandbox;
    Ok(Kernel {
        host: Rtnl::open(deadline).map_err(Error::Socket)?,
        guest: Rtnl::open_in(netns, home, deadline).map_err(Error::Socket)?,
        netns,
        home,
        deadline,
    })
}

fn collector<'a>(
    context: &Context<'a>,
    sandbox: &'a Sandbox,
    kernel: &'a Kernel<'_>,
) -> Collector<'a> {
    Collector {
        store: context.store,
        host: &kernel.host,
        home: &sandbox.home,
        deadline: context.deadline,
    }
}

/// The same container may have left something behind in its former namespace,
/// whose names would be in the way.
async fn end_former_life(collector: &Collector<'_>, sandbox: &Sandbox) {
    let bundle = sandbox.bundle.display().to_string();
    if let Ok(Some(key)) = collector.store.namespace_of(&sandbox.id, &bundle)
        && key != sandbox.key
        && let Err(error) = collector.reap(&key).await
    {
        tracing::warn!(id = sandbox.id, %error, "what the container left behind stays for now");
    }
}

/// What is in the namespace already, once half-made remains are taken back.
async fn present_record(collector: &Collector<'_>, sandbox: &Sandbox) -> Result<Record, Error> {
    let known = collector.store.read(&sandbox.key)?;
    if known.applying.is_some() {
        let settled = collector.settle(&known, &sandbox.netns).await;
        settled.map_err(|error| remains(&error))?;
    }
    let (_, inode) = sandbox.netns.inode();
    Ok(known
        .complete
        .unwrap_or_else(|| Record::new(sandbox.key.clone(), inode)))
}

fn remains(error: &CollectError) -> Error {
    Error::Record(RecordError::Remains {
        reason: error.to_string(),
    })
}

/// Tells the interfaces that the namespace has already, made for the same
/// settings, from those that are still wanted.
async fn split(
    request: &Request,
    record: &mut Record,
    kernel: &Kernel<'_>,
) -> Result<(Vec<IfName>, Request), Error> {
    let mut shared = Vec::new();
    let mut wanted = Request {
        attachments: Vec::new(),
        name: request.name.clone(),
    };
    for attachment in &request.attachments {
        let ifname = &attachment.ifname.value;
        let place = record.attachments.iter().position(|a| a.ifname == *ifname);
        let is_there = match place.and_then(|place| record.attachments.get(place)) {
            None => false,
            Some(present) if present.fingerprint == fingerprint(attachment) => {
                // Somebody may have deleted it; then it is made again.
                let link = kernel.guest.link_by_index(present.ifindex).await;
                link.map_err(|e| Error::from(InspectError::from(e)))?
                    .is_some()
            }
            Some(present) => {
                let (ifname, mut lives) = (ifname.clone(), present.references.iter());
                if let Some(holder) = lives.find(|r| proc::is_same(r.init.pid, r.init.start_time)) {
                    return Err(Error::SharedDiffers {
                        ifname,
                        holder: holder.name.clone(),
                    });
                }
                let sides = Sides {
                    host: &kernel.host,
                    guest: Some(&kernel.guest),
                };
                let (_, left) = apply::take_back(&present.undo, sides).await;
                no_left(left).map_err(|error| remains(&error))?;
                false
            }
        };
        match is_there {
            true => shared.push(ifname.clone()),
            false => wanted.attachments.push(attachment.clone()),
        }
    }
    Ok((shared, wanted))
}

/// Looks at the host, and keeps bridges of ours from changing under us: one
/// that is to be made is locked exclusively, one that we made is shared.
async fn look(
    request: &Request,
    wanted: &Request,
    kernel: &Kernel<'_>,
    store: &Store,
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
    for (attachment, uplink) in request.attachments.iter().zip(&view.uplinks) {
        let bridge = match uplink {
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
fn only_of(mut view: HostView, request: &Request, wanted: &Request) -> HostView {
    let mut asked = request.attachments.iter();
    view.uplinks.retain(|_| {
        asked
            .next()
            .is_some_and(|attachment| wanted.attachments.contains(attachment))
    });
    view
}

/// A random index above all that the kernel gives out by itself.
fn random_index() -> u32 {
    let mut bytes = [0; 4];
    // Without randomness the clock still differs between any two runs.
    if raw::random(&mut bytes).is_err() {
        let clock = std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap_or_default();
        bytes = clock.subsec_nanos().to_ne_bytes();
    }
    const HIGHEST: u32 = i32::MAX as u32;
    LOWEST_INDEX + u32::from_ne_bytes(bytes) % (HIGHEST - LOWEST_INDEX)
}

/// A stable MAC is that of one live container per uplink: a second one of the
/// same name would take the first one's frames.
async fn claim_macs(
    plan: &Plan,
    collector: &Collector<'_>,
    sandbox: &Sandbox,
) -> Result<(), Error> {
    let store = collector.store;
    for interface in plan.interfaces.iter().filter(|i| i.mac_is_stable) {
        let claim = || store.claim_mac(interface.uplink, interface.mac, &sandbox.key);
        let Some(holder) = claim()? else { continue };
        // Whoever has it may be dead.
        let _ = collector.reap(&holder).await;
        let known = store.read(&holder)?;
        if let Some(record) = known.complete.or(known.applying) {
            let holder = record.references().next().map(|r| r.name.clone());
            let (holder, mac) = (holder.unwrap_or_default(), interface.mac);
            return Err(RecordError::MacInUse { holder, mac }.into());
        }
        store.release_mac(interface.uplink, interface.mac, &holder)?;
        claim()?;
    }
    Ok(())
}

/// Writes down the bridges that the plan makes.
fn keep_bridges(plan: &Plan, store: &Store, sandbox: &Sandbox) -> Result<(), Error> {
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

/// The kernel refused, and everything was taken back: so is the record.
async fn abandon(record: &Record, error: ApplyError, collector: &Collector<'_>) -> Error {
    if error.left.is_empty() {
        let undone: Vec<Undo> = record
            .attachments
            .iter()
            .flat_map(|a| a.undo.clone())
            .collect();
        let forgotten = collector.forget_bridges(&undone).await;
        let abandoned = collector.store.abandon(record).map_err(CollectError::from);
        if let Err(left) = forgotten.and(abandoned) {
            tracing::warn!(error = %left, "the record of a start that was taken back stays for now");
        }
    }
    Error::from(error)
}

/// Optional interfaces that were left out are not in the record.
async fn forget_left_out(
    record: &mut Record,
    plan: &Plan,
    left_out: &[LeftOut],
    collector: &Collector<'_>,
) -> Result<(), Error> {
    if left_out.is_empty() {
        return Ok(());
    }
    let is_left_out = |ifindex| {
        let place = plan
            .interfaces
            .iter()
            .position(|interface| interface.ifindex == ifindex);
        left_out
            .iter()
            .any(|out| Some(out.interface) == place && out.error.left.is_empty())
    };
    let (gone, stays) = std::mem::take(&mut record.attachments)
        .into_iter()
        .partition(|attachment| is_left_out(attachment.ifindex));
    record.attachments = stays;
    for attachment in gone {
        collector
            .forget_bridges(&attachment.undo)
            .await
            .map_err(|error| remains(&error))?;
        collector
            .store
            .release_mac(attachment.uplink_ifindex, attachment.mac, &record.key)?;
    }
    Ok(collector.store.begin(record)?)
}

/// Looks at a few records of others, so that what nobody told us of goes too.
async fn sweep(collector: &Collector<'_>) {
    for key in collector.store.sample_dead() {
        if let Err(error) = collector.reap(&key).await {
            tracing::warn!(%error, "a record of a container that is gone stays for now");
        }
    }
}

/// Whether every interface of `request` is there: for the containers of a pod,
/// whose sandbox was attached before.
pub async fn verify(
    sandbox: &Sandbox,
    request: &Request,
    context: &Context<'_>,
) -> Result<(), Error> {
    let kernel = open(sandbox, context.deadline)?;
    let known = context.store.read(&sandbox.key)?;
    for Attachment { ifname, .. } in &request.attachments {
        let record = known.complete.as_ref();
        let present = record.and_then(|r| r.attachments.iter().find(|a| a.ifname == ifname.value));
        let link = match present {
            Some(present) => kernel.guest.link_by_index(present.ifindex).await,
            None => Ok(None),
        };
        if link
            .map_err(|e| Error::from(InspectError::from(e)))?
            .is_none()
        {
            return Err(Error::SandboxNotAttached {
                ifname: ifname.value.clone(),
            });
        }
    }
    Ok(())
}
