//! What the physical function of a card is told about a virtual one that is
//! handed over, and that it forgets that.

use super::Cause;
use super::nic::is_gone;
use crate::plan::step::Traveller;
use crate::rt::{VfAddress, VfSettings};
use crate::sys::rtnl::{LinkFacts, Rtnl, RtnlError, absent};

/// The physical function of a virtual one.
async fn function(vf: &VfAddress, host: &Rtnl) -> Result<LinkFacts, RtnlError> {
    let function = host.nic(&vf.function).await?;
    function.ok_or_else(|| absent("RTM_SETLINK"))
}

/// Tells the card what is asked for.
///
/// An address is set by the function first: a card that was told holds it to
/// that, and some refuse it even the same address from then on.
pub(super) async fn tune_vf(
    traveller: &Traveller,
    vf: &VfAddress,
    settings: &VfSettings,
    host: &Rtnl,
) -> Result<(), Cause> {
    let function = function(vf, host).await?.ifindex;
    if let Some(mac) = &settings.mac {
        // Where the card holds it to another one, it is the card that decides.
        let _ = host.set_hardware_address(traveller.ifindex, mac).await;
    }
    host.set_virtual_function(function, vf.number, settings)
        .await?;
    match &settings.mac {
        Some(mac) => Ok(take_over(traveller.ifindex, *mac, host).await?),
        None => Ok(()),
    }
}

/// Has a driver that refused the address, or that its card did not let have it, take
/// what the card says: it asks when the function comes up (`igbvf_reset`). One that
/// does not do so is told by a later step, which fails.
async fn take_over(ifindex: u32, mac: [u8; 6], host: &Rtnl) -> Result<(), RtnlError> {
    let now = host.link_by_index(ifindex).await?;
    if now.is_some_and(|now| now.mac != Some(mac)) {
        let _ = host.set_state(ifindex, true).await;
        host.set_state(ifindex, false).await?;
    }
    Ok(())
}

/// Tells the card what held before, as far as it does not.
pub(super) async fn reset_vf(
    traveller: &Traveller,
    vf: &VfAddress,
    former: &VfSettings,
    host: &Rtnl,
) -> Result<(), Cause> {
    let function = match function(vf, host).await {
        Ok(function) => function.ifindex,
        Err(_) if is_gone(&vf.function) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    // Somebody has switched the functions off: then nothing of it is left.
    let Some(now) = host.virtual_function(function, vf.number).await? else {
        return Ok(());
    };
    if now.of_same_kind(former) == *former {
        return Ok(());
    }
    if former.mac.is_some() {
        // Held to no address, the function can have its own again.
        let none = VfSettings {
            mac: Some([0; 6]),
            ..VfSettings::default()
        };
        let freed = host.set_virtual_function(function, vf.number, &none).await;
        let link = host.nic(&traveller.id).await?;
        if let (Ok(()), Some(link), Some(mac)) = (freed, link, &traveller.mac) {
            let _ = host.set_hardware_address(link.ifindex, mac).await;
        }
        if former.mac == Some([0; 6]) {
            return Ok(());
        }
    }
    Ok(host
        .set_virtual_function(function, vf.number, former)
        .await?)
}
