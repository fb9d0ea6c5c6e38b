//! Which PCI function is part of which, as /sys/bus/pci/devices says.
//!
//! Addresses come from the kernel or from a user, but only as [`PciAddress`],
//! which holds nothing that could lead out of the directory.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::request::PciAddress;

/// More virtual functions than any card has (PCIe: TotalVFs is 16 bits, cards
/// have up to a few hundred).
const MOST_FUNCTIONS: u32 = 4096;

fn directory(address: PciAddress) -> PathBuf {
    PathBuf::from("/sys/bus/pci/devices").join(address.to_string())
}

fn function_at(link: PathBuf) -> Option<PciAddress> {
    let target = fs::read_link(link).ok()?;
    target.file_name()?.to_str()?.parse().ok()
}

/// The virtual functions of `function` that are switched on, by number.
pub fn virtual_functions(function: PciAddress) -> Vec<PciAddress> {
    let directory = directory(function);
    let at = |number| function_at(directory.join(format!("virtfn{number}")));
    (0..MOST_FUNCTIONS).map_while(at).collect()
}

/// The physical function that `function` is a virtual one of.
pub fn physical_function(function: PciAddress) -> Option<PciAddress> {
    function_at(directory(function).join("physfn"))
}

/// The names of the network devices of `function`, in the namespace that /sys was
/// mounted in.
pub fn network_devices(function: PciAddress) -> Vec<String> {
    let entries = fs::read_dir(directory(function).join("net"));
    let names = entries.into_iter().flatten().flatten();
    names
        .flat_map(|entry| entry.file_name().into_string())
        .collect()
}

/// The name of the driver that has `function`; `vfio-pci` for one that is in a
/// virtual machine.
pub fn driver(function: PciAddress) -> Option<String> {
    let target = fs::read_link(directory(function).join("driver")).ok()?;
    Some(target.file_name()?.to_str()?.to_owned())
}

/// The names by which the network devices of `function` may call their parent:
/// its own address, and the virtio devices on it (drivers/virtio/virtio.c).
pub fn parent_names(function: PciAddress) -> io::Result<Vec<String>> {
    let mut names = vec![function.to_string()];
    let entries = match fs::read_dir(directory(function)) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(names),
        Err(e) => return Err(e),
    };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let number = name.strip_prefix("virtio").unwrap_or_default();
        if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
            names.push(name);
        }
    }
    Ok(names)
}
