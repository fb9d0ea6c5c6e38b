//! What the physical function of a card is told about a virtual one, before that
//! is handed over.

use super::error::NicPlanError;
use crate::host::view::{DeviceView, VfView};
use crate::request::VfLinkState::{Auto, Disable, Enable};
use crate::request::{Asked, Attachment, Origin, TxRate, VfOptions};
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
        min_tx_rate: _,
        max_tx_rate: _,
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
    for (rate, origin) in rates(options, now.rate.unwrap_or((0, 0))) {
        let rate = Some(rate);
        changes.push((VfSettings { rate, ..none() }, origin.clone()));
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

/// The rates that are asked for, one after the other: the card is always told both,
/// and only so does it become known which of them it refuses. In between, what is
/// guaranteed is never above what may be reached, which the kernel refuses.
fn rates(options: &VfOptions, (min, max): (u32, u32)) -> Vec<((u32, u32), &Origin)> {
    let asked = |asked: &Asked<TxRate>| asked.value.mbits();
    let (least, most) = (options.min_tx_rate.as_ref(), options.max_tx_rate.as_ref());
    let (new_min, new_max) = (least.map_or(min, asked), most.map_or(max, asked));
    let least = least.map(|asked| &asked.origin);
    let most = most.map(|asked| &asked.origin);
    let both = match new_max < min {
        true => [((new_min, max), least), ((new_min, new_max), most)],
        false => [((min, new_max), most), ((new_min, new_max), least)],
    };
    let both = both.into_iter();
    both.filter_map(|(rate, origin)| Some((rate, origin?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_told_one_rate_at_a_time_and_never_of_a_guarantee_above_the_highest() {
        let asked = |field: &str, rate: &str| {
            Some(Asked {
                value: rate.parse().unwrap(),
                origin: Origin::Annotation {
                    key: field.to_owned(),
                    value: rate.to_owned(),
                },
            })
        };
        let options = VfOptions {
            min_tx_rate: asked("min", "100m"),
            max_tx_rate: asked("max", "200m"),
            ..VfOptions::default()
        };
        let told = |now| {
            let told = rates(&options, now).into_iter();
            let told = told.map(|(rate, origin)| (rate, origin.to_string()));
            told.collect::<Vec<_>>()
        };
        let [min, max] = ["min=100m", "max=200m"].map(str::to_owned);
        let maximum_first = |first| vec![(first, max.clone()), ((100, 200), min.clone())];
        assert_eq!(told((50, 80)), maximum_first((50, 200)));
        // No rate holds.
        assert_eq!(told((0, 0)), maximum_first((0, 200)));
        assert_eq!(
            told((300, 400)),
            [((100, 400), min.clone()), ((100, 200), max.clone())]
        );
    }

    #[test]
    fn a_rate_that_nobody_asked_for_stays() {
        let options = VfOptions {
            max_tx_rate: Some(Asked {
                value: "200m".parse().unwrap(),
                origin: Origin::Default,
            }),
            ..VfOptions::default()
        };
        assert_eq!(rates(&options, (50, 80)), [((50, 200), &Origin::Default)]);
        assert_eq!(rates(&VfOptions::default(), (50, 80)), []);
    }
}
