//! Waiting for what is not there yet: an uplink that is made at boot beside us,
//! a carrier that a switch gives late (`pipework.wait`).

use std::time::{Duration, Instant};

use crate::apply::{Kernel, LeaseError};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::host::inspect::inspect;
use crate::host::view::UplinkView;
use crate::plan::{self, Plan};
use crate::request::{Attachment, Dynamic, Request};
use crate::sys;

/// How often an uplink or a carrier is asked for.
const PAUSE: Duration = Duration::from_millis(20);

fn patience(attachment: &Attachment) -> Duration {
    let wait = attachment.wait.as_ref();
    wait.map_or(Duration::ZERO, |asked| asked.value)
}

/// Waits until each uplink is there that may be waited for, or its time has
/// passed. Fails at once when the run would end before.
pub(super) async fn for_uplinks(
    request: &Request,
    kernel: &Kernel<'_>,
    deadline: Deadline,
) -> Result<(), Error> {
    let begin = Instant::now();
    for attachment in &request.attachments {
        let (wanted, left) = (patience(attachment), deadline.remaining());
        if wanted > left {
            let ifname = attachment.ifname.value.clone();
            return Err(Error::from(LeaseError::TooLong {
                ifname,
                wanted,
                left,
            }));
        }
        // A bridge that we would make is not waited for.
        let is_made = plan::bridge_to_make(&attachment.uplink.value).is_some();
        while !is_made && begin.elapsed() < wanted {
            let one = std::slice::from_ref(attachment);
            let view = inspect(one, &kernel.host, None).await?;
            let is_absent = |view: &crate::host::view::AttachmentView| {
                view.uplink == UplinkView::Absent && view.ovs_to_make().is_none()
            };
            if !view.uplinks.iter().any(is_absent) {
                break;
            }
            sys::pause(PAUSE).await;
        }
    }
    Ok(())
}

/// Waits until each interface has a carrier that may be waited for, or its time
/// has passed. Who asks for a lease waits by himself. One that cannot be asked
/// for its carrier is not waited for: the interface is what was asked for anyway.
pub(super) async fn for_carriers(plan: &Plan, request: &Request, kernel: &Kernel<'_>) {
    let begin = Instant::now();
    for attachment in &request.attachments {
        let asks = |way| attachment.addressing.asks(way).is_some();
        let asks = asks(Dynamic::Dhcp4) || asks(Dynamic::Dhcp6);
        let ifname = &attachment.ifname.value;
        let interface = plan.interfaces.iter().find(|i| i.ifname == *ifname);
        let Some(interface) = interface.filter(|_| !asks) else {
            continue;
        };
        while begin.elapsed() < patience(attachment) && !kernel.deadline.has_passed() {
            match kernel.guest.link_by_index(interface.ifindex).await {
                Ok(Some(link)) if !link.carrier => {}
                Ok(Some(_) | None) | Err(_) => break,
            }
            sys::pause(PAUSE).await;
        }
    }
}
