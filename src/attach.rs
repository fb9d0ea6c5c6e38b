//! The table of contents: how an attachment is made, and how it ends.
//!
//! [`attach`] and [`detach`] are what every frontend calls. Each line of
//! `attach` is one stage, in the order of the sentence in the crate's root;
//! nothing is changed before policy allowed it and the record is on disk.

mod begin;
mod finish;
mod ifnames;
mod index;
mod leases;
mod look;
mod macs;
mod names;
mod nics;
mod pod;
pub mod pools;
mod present;
mod unplug;
mod wait;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::announce::{AnnounceError, announce};
pub use crate::apply::UNDO_TIME;
use crate::apply::{
    self, ApplyError, Kernel, LeftOut, OnTakenIndex, OvsSession, OwnProcfs, Routers,
};
use crate::collect::{CollectError, Collector, Fate, NIC_PATIENCE};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::host::bundle;
use crate::host::container::Sandbox;
use crate::host::engine::DOCKER;
use crate::host::inspect::InspectError;
use crate::host::machine;
use crate::host::view::HostView;
use crate::plan::{self, Identity, Life, Plan};
use crate::policy::{self, Caller, Policy};
use crate::record::{Record, Store, fingerprint};
use crate::reference::Reference;
use crate::request::{Attachment, IfName, Request};
use crate::sys::clock::seconds_since_1970;
use crate::sys::proc;
use crate::sys::rtnl::Rtnl;
use begin::begin;
use finish::{abandon, await_served, finish};
use index::{Try, random_index};
use leases::Leasing;
pub use leases::check as check_leases;
use look::{engine_follows, look, only_of};
pub use pod::{has_pods_interfaces, is_attached, release};
use present::{end_former_life, present_record, split};
pub use unplug::unplug;

/// How long a container's first process may take to end once it was killed.
const END_MS: u16 = 1000;

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
    /// What the container is called.
    pub name: String,
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
    index::with_free_ones(async |this| attach_once(sandbox, request, context, this).await).await
}

async fn attach_once(
    sandbox: &Sandbox,
    request: &Request,
    context: &Context<'_>,
    this: &mut Try,
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
    let kernel = open(sandbox, context, this.on_taken_index)?;
    let collector = collector(context, sandbox, &kernel);
    end_former_life(&collector, sandbox).await;
    let mut record = present_record(&collector, sandbox).await?;
    let (mut request, is_named) = ifnames::named(request, &kernel).await?;
    let (shared, mut wanted) = split(&request, &mut record, &collector, &kernel).await?;

    let may_wait = |attachment: &_| policy::may_wait(policy, caller, attachment);
    let began = *this.began.get_or_insert_with(Instant::now);
    wait::for_uplinks(&wanted, &kernel, began, may_wait).await?;
    if !is_named {
        // What was waited for is known only now.
        ifnames::name_rest(&mut request, &mut wanted, &kernel).await?;
    }
    nics::end_former_owners(&wanted, &collector, &sandbox.key).await?;
    let judge = |view: &HostView| policy::judge(policy, caller, &request, view);
    let (view, locks) = look(&request, &wanted, &kernel, store, judge).await?;
    let mut view = only_of(view, &request, &wanted);
    let config = sandbox.config();
    view.namespace.engine_follows = engine_follows(config.as_ref(), sandbox, &kernel).await?;
    // A person has the route that was asked for, as with pipework.
    view.namespace.engine_connects = *caller == Caller::Runtime && identity.engine == DOCKER;
    let held = nics::find_holder(&mut wanted, &mut view, store)?;
    nics::note_users(&mut view, &collector).await?;
    let mut fingerprints: Vec<String> = wanted.attachments.iter().map(fingerprint).collect();
    let at = (&collector, &kernel);
    let (chosen, unserved) =
        pools::choose(&mut wanted, &mut view, &mut fingerprints, &identity, at).await?;
    let mut plan = plan::plan(&wanted, &view, &identity, &mut random_index)?;
    plan.notices.extend(held.into_iter().chain(unserved));
    let names = names::write_files(&mut plan, &wanted, sandbox, config.as_ref(), &kernel).await?;
    leases::settle_waits(&mut plan, began, deadline)?;

    record.enter(&plan, &fingerprints, &reference);
    record.note_caller(&plan, caller, seconds_since_1970());
    record.note_asked(&wanted.attachments);
    record.share(&shared, &reference);
    remember_path(&mut record, sandbox, config.as_ref());
    let rivals = begin((&record, &plan), &collector, sandbox, caller).await?;

    let left_out = macs::leave_out(rivals, &plan, &kernel).await;
    let mut left_out = match apply::apply(&plan, left_out, locks, &kernel).await {
        Ok(left_out) => left_out,
        Err(error) => return Err(abandon(&record, &plan, error, &collector).await),
    };
    wait::for_carriers(&plan, &wanted, &kernel, began).await;
    let leasing = Leasing {
        sandbox,
        kernel: &kernel,
        identity: &identity,
        names: &names,
    };
    let leases = match leases::acquire(&leasing, &mut plan, &mut record, &mut left_out).await {
        Ok(leases) => leases,
        Err(error) => return Err(abandon(&record, &plan, error, &collector).await),
    };
    let leases = leases.write_down(&leasing);
    finish(&mut record, &plan, &left_out, (&collector, &kernel)).await?;
    chosen.keep();
    let handed = leases.hand_over(&leasing);
    let mut attached = announce_made(&plan, &left_out, &kernel).await;
    let there_before = shared.into_iter().map(|ifname| (ifname, true));
    attached.interfaces.extend(there_before);
    attached.name = identity.name;
    attached.notices = plan.notices;
    attached.left_out = left_out.into_iter().map(|out| out.error).collect();
    sweep(&collector).await;
    leases::look_at_answers(&handed, sandbox);
    Ok(attached)
}

/// Keeps the path to the namespace, where it was given by one.
fn remember_path(record: &mut Record, sandbox: &Sandbox, config: Option<&bundle::Config>) {
    let bound = sandbox.path.as_deref();
    if let Some(path) = bound.or_else(|| config.and_then(bundle::Config::namespace_path)) {
        record.remember_path(path.to_owned());
    }
}

/// Announces what was made, now that nothing can fail any more.
async fn announce_made(plan: &Plan, left_out: &[LeftOut], kernel: &Kernel<'_>) -> Attached {
    let mut attached = Attached::default();
    for (place, interface) in plan.interfaces.iter().enumerate() {
        if left_out.iter().any(|out| out.interface == place) {
            continue;
        }
        let unannounced = announce(interface, kernel).await;
        attached.unannounced.extend(unannounced);
        await_served(interface, kernel).await;
        attached.interfaces.push((interface.ifname.clone(), false));
    }
    attached
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
    let ended = collector.store.read(&key)?.complete;
    let mine = ended
        .as_ref()
        .and_then(|record| reference_of(record, id, &bundle_text));
    if let (Some(record), Some(mine)) = (&ended, &mine) {
        // A runtime that says so too early would lose a running container its
        // network.
        if proc::is_same_after(mine.init.pid, mine.init.birth, END_MS) {
            return Ok(());
        }
        // The last one's goes with the record, so that whoever ends it finds the way.
        if mine.is_bound() || record.references().any(|other| other != mine) {
            let mut record = record.clone();
            record.drop_references(id, &bundle_text);
            collector.store.rewrite(&record)?;
        }
    }
    let paths: Vec<PathBuf> = bundle::namespace_path(bundle).into_iter().collect();
    let fate = collector.reap_locked(&key, &paths).await?;
    // Not before: who says so again, because this run was killed, goes on where it ended.
    collector.store.unlead_container(id, &bundle_text, &key)?;
    if let (Fate::Ended, Some(record)) = (fate, ended) {
        leases::end_leases(&record, collector.store, collector.deadline);
    }
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
    let named = sandbox.engine_name();
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
        life: Life {
            id: sandbox.id.clone(),
            pid: sandbox.init.pid,
            boot_id: sandbox.key.boot_id.clone(),
            cookie: sandbox.key.cookie,
        },
    })
}

fn open<'a>(
    sandbox: &'a Sandbox,
    context: &Context<'a>,
    on_taken_index: OnTakenIndex,
) -> Result<Kernel<'a>, Error> {
    let Context {
        store, deadline, ..
    } = *context;
    Ok(Kernel {
        host: Rtnl::open(deadline).map_err(Error::Socket)?,
        guest: sandbox.guest.until(deadline),
        netns: &sandbox.netns,
        home: &sandbox.home,
        store,
        ovs: OvsSession::default(),
        routers: Routers::default(),
        procfs: OwnProcfs::default(),
        deadline,
        ending: sandbox.ending.as_ref(),
        on_taken_index,
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
        patience: NIC_PATIENCE,
    }
}

/// Looks at a few records of others, so that what nobody told us of goes too.
/// One start in four does, drawn at random: a pattern of pids or of times could
/// leave out a record for ever.
async fn sweep(collector: &Collector<'_>) {
    if !random_index().is_multiple_of(4) {
        return;
    }
    // What is not there at once is another run's to wait for.
    let collector = Collector {
        patience: Duration::ZERO,
        ..*collector
    };
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
    let kernel = open(sandbox, context, OnTakenIndex::Refuse)?;
    let known = context.store.read(&sandbox.key)?;
    let is_needed = |a: &&Attachment| !a.is_optional();
    for Attachment { ifname, .. } in request.attachments.iter().filter(is_needed) {
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
