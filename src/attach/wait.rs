//! Waiting for what is not there yet: an uplink that is made at boot beside us,
//! a carrier that a switch gives late (`pipework.wait`).

use std::time::{Duration, Instant};

use crate::apply::{Kernel, LeaseError};
use crate::error::Error;
use crate::host::inspect::{VfChoice, inspect};
use crate::host::view::UplinkView;
use crate::plan::{self, Plan};
use crate::request::{Attachment, Dynamic, Request};
use crate::sys;

/// How often a carrier is asked for, and an uplink at first.
const PAUSE: Duration = Duration::from_millis(20);
/// How long after the last time an uplink is asked for again, at most: that may take a
/// look at every device.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

fn patience(attachment: &Attachment) -> Duration {
    let wait = attachment.wait.as_ref();
    wait.map_or(Duration::ZERO, |asked| asked.value)
}

/// Waits until each uplink is there that may be waited for, or its time has
/// passed. Fails at once when the run would end before.
pub(super) async fn for_uplinks(
    request: &Request,
    kernel: &Kernel<'_>,
    began: Instant,
    may_wait: impl Fn(&Attachment) -> bool,
) -> Result<(), Error> {
    for attachment in &request.attachments {
        let (wanted, left) = (patience(attachment), kernel.deadline.remaining());
        if wanted.saturating_sub(began.elapsed()) > left {
            let ifname = attachment.ifname.value.clone();
            return Err(Error::from(LeaseError::TooLong {
                ifname,
                wanted,
                left,
            }));
        }
        // A bridge that we would make is not waited for.
        let is_made = plan::bridge_to_make(&attachment.uplink.value).is_some();
        let waits = !is_made && may_wait(attachment);
        let mut pause = PAUSE;
        while waits && began.elapsed() < wanted {
            kernel.check_ending(&attachment.ifname.value)?;
            let one = std::slice::from_ref(attachment);
            let view = inspect(one, &kernel.host, None, &VfChoice::for_all(one)).await?;
            let is_absent = |view: &crate::host::view::AttachmentView| {
                view.uplink == UplinkView::Absent && view.ovs_to_make().is_none()
            };
            if !view.uplinks.iter().any(is_absent) {
                break;
            }
            sys::pause(pause.min(wanted.saturating_sub(began.elapsed()))).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
    Ok(())
}

/// Waits until each interface has a carrier that may be waited for, or its time
/// has passed. Who asks for a lease waits by himself. One that cannot be asked
/// for its carrier is not waited for: the interface is what was asked for anyway.
///
/// The time that an uplink took is part of it, which `began` then.
pub(super) async fn for_carriers(
    plan: &Plan,
    request: &Request,
    kernel: &Kernel<'_>,
    began: Instant,
) {
    for attachment in &request.attachments {
        let asks = |way| attachment.addressing.asks(way).is_some();
        let asks = asks(Dynamic::Dhcp4) || asks(Dynamic::Dhcp6);
        let ifname = &attachment.ifname.value;
        let interface = plan.interfaces.iter().find(|i| i.ifname == *ifname);
        let Some(interface) = interface.filter(|_| !asks) else {
            continue;
        };
        let goes_on = || !kernel.deadline.has_passed() && kernel.check_ending(ifname).is_ok();
        while began.elapsed() < patience(attachment) && goes_on() {
            match kernel.guest.link_by_index(interface.ifindex).await {
                Ok(Some(link)) if !link.carrier => {}
                Ok(Some(_) | None) | Err(_) => break,
            }
            sys::pause(PAUSE).await;
        }
    }
}
