//! What the physical function of a card is told about a virtual one, before that
//! is handed over.

use super::error::NicPlanError;
use crate::host::view::{DeviceView, VfView};
use crate::request::VfLinkState::{Auto, Disable, Enable};
use crate::request::{Attachment, Origin, VfOptions};
use crate::rt::{VfSettings, VfVlan};

/// EtherType of the usual tag (IEEE 802.1Q).
const ETH_P_8021Q: u16 = 0x8100;

/// Something that a card is told.
pub(super) struct VfChange {
    /// What is asked for.
    pub settings: VfSettings,
    /// What holds before.
    pub former: VfSettings,
    /// Where it was asked for.
    pub origin: Origin,
}

/// What the card is told, one after the other, so that a refusal names what was
/// asked for.
pub(super) fn vf_changes(
    attachment: &Attachment,
    link: &DeviceView,
    vf: Option<&VfView>,
) -> Result<Vec<VfChange>, NicPlanError> {
    let options = &attachment.device.vf;
    let Some(vf) = vf else {
        return match options.first() {
            None => Ok(Vec::new()),
            Some((field, origin)) => Err(NicPlanError::NotAVf {
                device: link.name.clone(),
                field,
                origin: origin.clone(),
            }),
        };
    };
    let now = &vf.settings;
    let none = VfSettings::default;
    let VfOptions {
        vlan,
        qos,
        trust,
        spoofchk,
        link_state,
        min_tx_rate,
        max_tx_rate,
    } = options;
    let mut changes: Vec<(VfSettings, Origin)> = Vec::new();
    if let Some(asked) = &attachment.mac {
        let mac = Some(asked.value.octets());
        changes.push((VfSettings { mac, ..none() }, asked.origin.clone()));
    }
    if let Some(asked) = vlan {
        let vlan = Some(VfVlan {
            id: asked.value.map_or(0, |vlan| vlan.get().into()),
            qos: qos.as_ref().map_or(0, |qos| qos.value.into()),
            protocol: ETH_P_8021Q,
        });
        changes.push((VfSettings { vlan, ..none() }, asked.origin.clone()));
    }
    if let Some(asked) = spoofchk {
        let spoofchk = Some(asked.value);
        changes.push((VfSettings { spoofchk, ..none() }, asked.origin.clone()));
    }
    if let Some(asked) = trust {
        let trust = Some(asked.value);
        changes.push((VfSettings { trust, ..none() }, asked.origin.clone()));
    }
    if let Some(asked) = link_state {
        let link_state = Some(match asked.value {
            Auto => 0,
            Enable => 1,
            Disable => 2,
        });
        changes.push((
            VfSettings {
                link_state,
                ..none()
            },
            asked.origin.clone(),
        ));
    }
    if let Some(asked) = max_tx_rate.as_ref().or(min_tx_rate.as_ref()) {
        let (min, max) = now.rate.unwrap_or((0, 0));
        let (least, most) = (min_tx_rate.as_ref(), max_tx_rate.as_ref());
        let least = least.map_or(min, |asked| asked.value.mbits());
        let most = most.map_or(max, |asked| asked.value.mbits());
        let rate = Some((least, most));
        changes.push((VfSettings { rate, ..none() }, asked.origin.clone()));
    }
    let with_former = |(settings, origin): (VfSettings, Origin)| {
        let former = now.of_same_kind(&settings);
        VfChange {
            settings,
            former,
            origin,
        }
    };
    Ok(changes.into_iter().map(with_former).collect())
}
