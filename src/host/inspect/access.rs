//! The host's own place on an uplink, for `host-access`.

use super::InspectError;
use crate::host::view::{HostAccessView, UplinkView};
use crate::request::{Attachment, Family};
use crate::sys::rtnl::Rtnl;
use crate::sys::sysctl;

/// Looks it up, for an attachment that asks for it. The kernel filters by
/// device, so that this costs what the uplink itself has.
pub(super) async fn host_access(
    attachment: &Attachment,
    uplink: &UplinkView,
    host: &Rtnl,
) -> Result<Option<HostAccessView>, InspectError> {
    let is_asked = attachment.host_access.as_ref().is_some_and(|a| a.value);
    let (true, UplinkView::Present(device)) = (is_asked, uplink) else {
        return Ok(None);
    };
    let addresses = host.global_addresses(device.ifindex).await?;
    // A kernel that does not say drops nothing.
    let reverse_path = sysctl::greatest(Family::Ipv4, &device.name, "rp_filter").unwrap_or(0);
    Ok(Some(HostAccessView {
        addresses,
        strict_reverse_path: reverse_path == 1,
    }))
}
