//! What an interface is on its card: the mode of a macvlan or an ipvlan, and what the
//! physical function was told of a virtual one.

use std::fmt;

use super::settings::kernel;
use crate::error::Error;
use crate::record::{AttachmentRecord, Setting};
use crate::request::{IpvlanMode, MacvlanMode};
use crate::rt::{VfAddress, VfSettings};
use crate::sys::rtnl::{LinkFacts, Rtnl, RtnlError, absent};

/// One thing of it that is another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnCard {
    /// The mode of a macvlan.
    Macvlan {
        /// Its index.
        ifindex: u32,
        /// The one that it had.
        was: MacvlanMode,
    },
    /// The mode of an ipvlan.
    Ipvlan {
        /// Its index.
        ifindex: u32,
        /// The one that it had.
        was: IpvlanMode,
    },
    /// What a card was told.
    Vf {
        /// Of which virtual function.
        vf: VfAddress,
        /// What does not hold any more.
        was: VfSettings,
    },
}

/// All that is another; `link` is the interface. What a card does not tell, or is not
/// there to tell, is not missed.
pub async fn lost(
    attachment: &AttachmentRecord,
    link: &LinkFacts,
    host: &Rtnl,
) -> Result<Vec<OnCard>, Error> {
    let ifindex = link.ifindex;
    let mut lost = Vec::new();
    for setting in &attachment.settings {
        match setting {
            Setting::Macvlan { mode: was } if link.macvlan_mode != Some(*was) => {
                lost.push(OnCard::Macvlan { ifindex, was: *was });
            }
            Setting::Ipvlan { mode: was } if link.ipvlan_mode != Some(*was) => {
                lost.push(OnCard::Ipvlan { ifindex, was: *was });
            }
            _ => {}
        }
    }
    if let Some((vf, told)) = told(attachment) {
        let was = forgotten(&vf, &told, host).await.map_err(kernel)?;
        lost.extend(was.map(|was| OnCard::Vf { vf, was }));
    }
    Ok(lost)
}

/// Everything that a card was told of an interface: what was told later holds.
fn told(attachment: &AttachmentRecord) -> Option<(VfAddress, VfSettings)> {
    let settings = attachment.settings.iter();
    let told = settings.filter_map(|setting| match setting {
        Setting::Vf { vf, settings } => Some((vf, settings)),
        _ => None,
    });
    told.fold(None, |before, (vf, settings)| {
        let before = before.map(|(_, before)| before).unwrap_or_default();
        Some((vf.clone(), settings.clone().or(before)))
    })
}

/// What a card has of it no more.
async fn forgotten(
    vf: &VfAddress,
    told: &VfSettings,
    host: &Rtnl,
) -> Result<Option<VfSettings>, RtnlError> {
    let Some(function) = host.nic(&vf.function).await? else {
        return Ok(None);
    };
    let now = host.virtual_function(function.ifindex, vf.number).await?;
    Ok(now.and_then(|now| told.unlike(&now)))
}

impl OnCard {
    /// Makes it what it was.
    pub async fn give_back(&self, guest: &Rtnl, host: &Rtnl) -> Result<(), RtnlError> {
        match self {
            Self::Macvlan { ifindex, was } => guest.set_macvlan_mode(*ifindex, *was).await,
            Self::Ipvlan { ifindex, was } => guest.set_ipvlan_mode(*ifindex, *was).await,
            Self::Vf { vf, was } => {
                let function = host.nic(&vf.function).await?;
                let function = function.ok_or_else(|| absent("RTM_SETLINK"))?;
                host.set_virtual_function(function.ifindex, vf.number, was)
                    .await
            }
        }
    }
}

impl fmt::Display for OnCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Macvlan { was, .. } => write!(f, "its mode as a macvlan is not {was}"),
            Self::Ipvlan { was, .. } => write!(f, "its mode as an ipvlan is not {was}"),
            Self::Vf { vf, was } => {
                let name = &vf.function_name;
                write!(f, "its card {name} does not hold it to {was}")
            }
        }
    }
}
