//! Whether a device of the machine still has a network device, in whichever
//! namespace, and which driver it has, as /sys/bus says.

use std::path::{Component, Path, PathBuf};

/// Whether the device `device` of the bus `bus` has no network device any more:
/// it was unplugged, switched off, or lost its driver. The folder `net` is there
/// as long as one exists anywhere, though what is in it is shown only in the
/// namespace that has it.
pub fn has_no_network_device(bus: &str, device: &str) -> bool {
    let Some(path) = path_of(bus, device) else {
        return false;
    };
    // Without /sys nothing is known.
    Path::new("/sys/bus").exists() && !path.join("net").exists()
}

/// Whether the radio `device` that the kernel simulated is gone: it is on no bus,
/// and what it is part of is shown in every namespace.
pub fn has_no_simulated_radio(device: &str) -> bool {
    let number = device.strip_prefix("hwsim").unwrap_or_default();
    let is_radio = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let class = Path::new("/sys/class");
    // Without /sys nothing is known.
    is_radio && class.exists() && !class.join("mac80211_hwsim").join(device).exists()
}

/// The driver of the device `device` of the bus `bus`, as `virtio_net`; `None`
/// where it has none, or /sys does not say.
pub fn driver(bus: &str, device: &str) -> Option<String> {
    let driver = std::fs::read_link(path_of(bus, device)?.join("driver")).ok()?;
    Some(driver.file_name()?.to_str()?.to_owned())
}

/// The folder of a device; `None` for what names none.
fn path_of(bus: &str, device: &str) -> Option<PathBuf> {
    let is_plain = |part: &str| {
        let mut parts = Path::new(part).components();
        matches!(
            (parts.next(), parts.next()),
            (Some(Component::Normal(_)), None)
        )
    };
    let path = Path::new("/sys/bus").join(bus).join("devices").join(device);
    (is_plain(bus) && is_plain(device)).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_a_simulated_radio_is_looked_for_as_one() {
        assert!(has_no_simulated_radio("hwsim987654"));
        for device in ["hwsim", "hwsim0/x", "hwsimx", "phy987654", "../hwsim0"] {
            assert!(!has_no_simulated_radio(device), "{device}");
        }
    }

    #[test]
    fn a_device_that_is_not_there_has_no_network_device_and_no_path_is_followed() {
        assert!(has_no_network_device("pci", "ffff:ff:1f.7"));
        for (bus, device) in [("..", "x"), ("pci", "../../x"), ("", "x"), ("pci", "/x")] {
            assert!(!has_no_network_device(bus, device), "{bus} {device}");
        }
    }
}
