//! The host's own place on an uplink, for `host-access`.

use ipnet::IpNet;

use super::InspectError;
use crate::host::view::{HostAccessView, UplinkView, VlanDeviceView, VlanView};
use crate::request::{Attachment, Family, IfName};
use crate::sys::rtnl::Rtnl;
use crate::sys::sysctl;

const RP_FILTER: &str = "rp_filter";

/// Looks it up, for an attachment that asks for it. The kernel filters by
/// device, so that this costs what the uplink itself has.
pub(super) async fn host_access(
    attachment: &Attachment,
    uplink: &UplinkView,
    vlan: Option<&VlanView>,
    host: &Rtnl,
) -> Result<Option<HostAccessView>, InspectError> {
    let is_asked = attachment.host_access.as_ref().is_some_and(|a| a.value);
    let (true, UplinkView::Present(nic)) = (is_asked, uplink) else {
        return Ok(None);
    };
    let on_nic = host.global_addresses(nic.ifindex).await?;
    let (addresses, of_nic, reverse_path) = match vlan {
        Some(VlanView::Device(VlanDeviceView {
            present: Some(device),
            ..
        })) => {
            let own = host.global_addresses(device.ifindex).await?;
            let others = of_other_families(&own, on_nic);
            (own, others, of_interface(&device.name))
        }
        Some(VlanView::Device(_)) => {
            let reverse_path = sysctl::greatest_of_new(Family::Ipv4, RP_FILTER);
            (Vec::new(), on_nic, reverse_path)
        }
        Some(VlanView::Bridge(_)) | None => (on_nic, Vec::new(), of_interface(&nic.name)),
    };
    Ok(Some(HostAccessView {
        addresses,
        of_nic,
        // A kernel that does not say drops nothing.
        strict_reverse_path: reverse_path.unwrap_or(0) == 1,
    }))
}

fn of_interface(name: &IfName) -> std::io::Result<i64> {
    sysctl::greatest(Family::Ipv4, name, RP_FILTER)
}

fn of_other_families(own: &[IpNet], addresses: Vec<IpNet>) -> Vec<IpNet> {
    let is_v6 = |address: &IpNet| address.addr().is_ipv6();
    let mut others = addresses;
    others.retain(|other| !own.iter().any(|own| is_v6(own) == is_v6(other)));
    others
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nics_address_counts_where_the_vlan_has_none_of_that_family() {
        let parse = |texts: &[&str]| -> Vec<IpNet> {
            let parsed = texts.iter().map(|text| text.parse().unwrap());
            parsed.collect()
        };
        let of_nic = || parse(&["10.0.0.1/24", "fd00::1/64"]);
        assert_eq!(of_other_families(&[], of_nic()), of_nic());
        let own = parse(&["10.1.0.1/24"]);
        assert_eq!(of_other_families(&own, of_nic()), parse(&["fd00::1/64"]));
    }
}
