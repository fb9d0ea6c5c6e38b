//! Which network devices are near another one, as /sys/class/net says: a list of
//! all devices of a host with many containers costs more than all else that is asked
//! of a NIC.

use std::fs;
use std::path::Path;

use crate::request::IfName;

/// Names of the devices that sit on the device `name`, whose index is `ifindex`, and
/// of those of the same parent device, itself among them. `None` where /sys does not
/// show it: it was mounted in another namespace.
///
/// What the kernel links as an upper device (`netdev_adjacent_sysfs_add`) is all that
/// would lose frames: VLANs, macvlans, ipvlans, but no tunnel, which only has a way.
pub fn devices_near(name: &IfName, ifindex: u32) -> Option<Vec<String>> {
    let folder = Path::new("/sys/class/net").join(name.as_str());
    let index = fs::read_to_string(folder.join("ifindex")).ok()?;
    if index.trim().parse() != Ok(ifindex) {
        return None;
    }
    let mut names = names_in(&folder.join("device/net"))?;
    let above = names_in(&folder)?.into_iter();
    names.extend(above.filter_map(|name| Some(name.strip_prefix("upper_")?.to_owned())));
    Some(names)
}

fn names_in(folder: &Path) -> Option<Vec<String>> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    Some(
        entries
            .flat_map(|entry| entry.file_name().into_string())
            .collect(),
    )
}
