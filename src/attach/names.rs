//! The files by which the container finds names: looked at before anything is
//! planned, and written then, or once leases and routers have said what they
//! know.

use std::net::IpAddr;

use crate::apply::{self, ApplyError, Cause, Kernel, LeftOut};
use crate::error::Error;
use crate::host::bundle::Config;
use crate::host::container::Sandbox;
use crate::host::inspect::{InspectError, look_at_files};
use crate::host::view::{FileView, FilesView};
use crate::plan::{self, Follows, Learned, Plan, PlanError, PlannedInterface, PlannedStep};
use crate::record::Record;
use crate::request::{Attachment, Dns, Dynamic, IfName, Origin, Request};
use crate::rt::{ContainerFile, Resolver};

/// What waits for the network to say what it knows of names.
pub(super) struct Names {
    attachments: Vec<Attachment>,
    /// Nothing is written without.
    files: Option<FilesView>,
}

/// Adds the steps for the files where nothing has to be learned first.
///
/// Fails where something was asked for and the file may not be written.
pub(super) async fn write_files(
    plan: &mut Plan,
    request: &Request,
    sandbox: &Sandbox,
    config: Option<&Config>,
    kernel: &Kernel<'_>,
) -> Result<Names, Error> {
    let attachments = request.attachments.clone();
    let view = match attachments.is_empty() {
        true => None,
        false => look(request, sandbox, config, kernel).await?,
    };
    let Some(view) = view else {
        let files = None;
        return Ok(Names { attachments, files });
    };
    if let (FileView::LeftAlone { reason }, Some(origin)) = (
        &view.resolv,
        attachments.iter().find_map(plan::asks_for_names),
    ) {
        return Err(Error::from(PlanError::FileLeftAlone {
            file: ContainerFile::Resolv,
            reason: reason.clone(),
            origin: origin.clone(),
        }));
    }
    // What an interface that may be left out says is not known yet.
    let is_sure = plan.interfaces.iter().all(|interface| !interface.optional);
    let files = match is_sure && plan::knows_names(&attachments) {
        true => {
            plan.write_files(&attachments, &view)?;
            None
        }
        false => Some(view),
    };
    Ok(Names { attachments, files })
}

/// The files, where somebody asked for something in them or ours are the
/// container's only interfaces.
async fn look(
    request: &Request,
    sandbox: &Sandbox,
    config: Option<&Config>,
    kernel: &Kernel<'_>,
) -> Result<Option<FilesView>, Error> {
    let mut attachments = request.attachments.iter();
    let is_asked = attachments.any(|a| plan::asks_for_names(a).is_some());
    let mut view = look_at_files(&sandbox.id, &sandbox.bundle, config, true);
    // Without a question to the network, only hosts is written unasked.
    let is_left = matches!(view.hosts, FileView::LeftAlone { .. });
    if is_left && !is_asked && plan::knows_names(&request.attachments) {
        return Ok(None);
    }
    let is_ours = |name: &str| {
        let mut attachments = request.attachments.iter();
        attachments.any(|attachment| attachment.ifname.value.as_str() == name)
    };
    let links = kernel.guest.links().await;
    let links = links.map_err(|e| Error::from(InspectError::from(e)))?;
    // Tunnels of the kernel's own are in every namespace, and down.
    let mut others = links.iter().filter(|link| link.up && link.name != "lo");
    view.is_alone = others.all(|link| is_ours(&link.name));
    Ok((is_asked || view.is_alone).then_some(view))
}

impl Names {
    /// Whether the addresses of an interface come to it this way, and what the
    /// network knows of names beside them is used.
    pub(super) fn asks(&self, ifname: &IfName, way: Dynamic) -> bool {
        let mut attachments = self.attachments.iter();
        let found = attachments.find(|attachment| attachment.ifname.value == *ifname);
        let uses = |attachment: &Attachment| match &attachment.dns.servers {
            None => true,
            Some(asked) => match asked.value {
                Dns::Auto | Dns::Lease => true,
                Dns::Keep | Dns::Servers(_) => false,
            },
        };
        let found = found.filter(|attachment| uses(attachment));
        self.files.is_some() && found.is_some_and(|a| a.addressing.asks(way).is_some())
    }

    /// What of an interface's lease is written.
    pub(super) fn follows(&self, ifname: &IfName) -> Follows {
        plan::follows(&self.attachments, ifname, self.files.as_ref())
    }

    /// Writes what leases and routers said. Fails where somebody asked for it
    /// and it cannot be written; everything is taken back then.
    pub(super) async fn write_learned(
        &self,
        plan: &mut Plan,
        record: &mut Record,
        of_leases: &[Learned],
        left_out: &[LeftOut],
        kernel: &Kernel<'_>,
    ) -> Result<(), ApplyError> {
        let Some(view) = &self.files else {
            return Ok(());
        };
        let is_out = |place: usize| left_out.iter().any(|out| out.interface == place);
        let mut interfaces = Vec::new();
        let mut learned = Vec::new();
        for (place, interface) in plan.interfaces.iter().enumerate() {
            interfaces.push(interface.ifname.clone());
            if !is_out(place) {
                learned.push(self.learned(interface, of_leases, kernel).await);
            }
        }
        let is_there = |a: &&Attachment| learned.iter().any(|l| l.ifname == a.ifname.value);
        let attachments: Vec<Attachment> =
            self.attachments.iter().filter(is_there).cloned().collect();
        let steps = match plan::files(&attachments, &interfaces, view, &learned) {
            Ok((steps, notices)) => {
                plan.notices.extend(notices);
                steps
            }
            Err(error) => {
                plan.notices.push(error.to_string());
                return Ok(());
            }
        };
        for planned in steps {
            let Err(cause) = write(&planned, plan, record, kernel).await else {
                continue;
            };
            if planned.origin == Origin::Default {
                plan.notices.push(format!("{}: {cause}", planned.step));
                continue;
            }
            let is_in = |step: &&PlannedStep| !step.interface.is_some_and(is_out);
            let done: Vec<&PlannedStep> = plan.steps.iter().filter(is_in).collect();
            return Err(apply::give_up(&planned, cause, &done, kernel).await);
        }
        Ok(())
    }

    /// What leases and routers said to one interface.
    async fn learned(
        &self,
        interface: &PlannedInterface,
        of_leases: &[Learned],
        kernel: &Kernel<'_>,
    ) -> Learned {
        let ifname = interface.ifname.clone();
        let mut learned = Learned {
            resolver: Resolver::default(),
            addresses: interface.addresses.iter().map(ipnet::IpNet::addr).collect(),
            ifname: ifname.clone(),
        };
        for of_lease in of_leases.iter().filter(|l| l.ifname == ifname) {
            learned.resolver.add(of_lease.resolver.clone());
        }
        let said = kernel.routers.said(interface.ifindex);
        learned.resolver.add(Resolver {
            servers: said
                .dns
                .into_iter()
                .map(|server| (IpAddr::V6(server), ifname.clone()))
                .collect(),
            search: said.search,
        });
        if learned.addresses.is_empty() {
            // Made by the kernel, which has them if it told of any router.
            let made = kernel.guest.global_addresses(interface.ifindex).await;
            let made = made.unwrap_or_default();
            learned.addresses = made.iter().map(ipnet::IpNet::addr).collect();
        }
        learned
    }
}

/// Takes one step whose undo is in the record before.
async fn write(
    planned: &PlannedStep,
    plan: &mut Plan,
    record: &mut Record,
    kernel: &Kernel<'_>,
) -> Result<(), Cause> {
    let place = planned.interface.and_then(|i| plan.interfaces.get(i));
    let ifindex = place.map(|interface| interface.ifindex);
    let mut attachments = record.attachments.iter_mut();
    if let Some(attachment) = attachments.find(|a| Some(a.ifindex) == ifindex) {
        attachment.undo.splice(0..0, planned.step.undo());
    }
    kernel.store.begin_anew(record)?;
    plan.steps.push(planned.clone());
    let steps = std::slice::from_ref(planned);
    apply::go_on(steps, kernel)
        .await
        .map_err(|(_, cause)| cause)
}
