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
    Ok(host
        .set_virtual_function(function, vf.number, settings)
        .await?)
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
