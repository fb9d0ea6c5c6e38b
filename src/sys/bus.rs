//! Whether a device of the machine still has a network device, in whichever
//! namespace, as /sys/bus says.

use std::path::{Component, Path};

/// Whether the device `device` of the bus `bus` has no network device any more:
/// it was unplugged, switched off, or lost its driver. The folder `net` is there
/// as long as one exists anywhere, though what is in it is shown only in the
/// namespace that has it.
pub fn has_no_network_device(bus: &str, device: &str) -> bool {
    let is_plain = |part: &str| {
        let mut parts = Path::new(part).components();
        matches!(
            (parts.next(), parts.next()),
            (Some(Component::Normal(_)), None)
        )
    };
    if !is_plain(bus) || !is_plain(device) {
        return false;
    }
    let path = Path::new("/sys/bus").join(bus).join("devices").join(device);
    // Without /sys nothing is known.
    Path::new("/sys/bus").exists() && !path.join("net").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_has_no_network_device_and_no_path_is_followed() {
        assert!(has_no_network_device("pci", "ffff:ff:1f.7"));
        for (bus, device) in [("..", "x"), ("pci", "../../x"), ("", "x"), ("pci", "/x")] {
            assert!(!has_no_network_device(bus, device), "{bus} {device}");
        }
    }
}
