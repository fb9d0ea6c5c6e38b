//! Hands a device of the host over, and brings it back: steps and undos alike
//! know it by what it is, never by a name or an index alone.

use std::time::{Duration, SystemTime};

use nix::errno::Errno;

use super::{Cause, Kernel, Sides};
use crate::plan::step::{NicStep, NicUndo, Traveller};
use crate::record::{NicClaim, VERSION};
use crate::request::IfName;
use crate::rt::{NicId, NicSetting, VfAddress, VfSettings};
use crate::sys::netns::Netns;
use crate::sys::nl80211::Nl80211;
use crate::sys::rtnl::{LinkFacts, NicHome, NotRestored, Rtnl, RtnlError, absent};
use crate::sys::{self, proc};

/// Between two looks at whether the kernel has given a device back.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);
/// A name for a device whose own is taken; the kernel fills in the number.
const ANY_NAME: &str = "dev%d";

/// Why a device was not handed over, or is not back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NicError {
    /// Another container was faster.
    #[error("{name} is in container {holder}")]
    Held {
        /// The device.
        name: String,
        /// Who has it.
        holder: String,
    },
    /// The kernel has not given it back yet: something holds the namespace.
    #[error("{name} is not back on the host: its namespace still exists")]
    NotBack {
        /// The device.
        name: String,
    },
}

/// Takes one step.
pub(super) async fn step(step: &NicStep, kernel: &Kernel<'_>) -> Result<(), Cause> {
    match step {
        NicStep::TakeOff {
            home,
            container,
            claim,
        } => take_off(home, container, *claim, kernel).await,
        NicStep::TuneVf {
            traveller,
            vf,
            settings,
            ..
        } => tune_vf(traveller, vf, settings, &kernel.host).await,
        NicStep::Move {
            traveller,
            ifindex,
            ifname,
        } => {
            let there = Some(*ifindex);
            let moved =
                kernel
                    .host
                    .move_link(traveller.ifindex, kernel.netns, ifname.as_str(), there);
            match moved.await {
                Ok(()) => Ok(()),
                Err(error) => give_up(traveller, None, error, kernel).await,
            }
        }
        NicStep::MoveRadio {
            traveller,
            radio,
            ifname,
            ..
        } => match move_radio(traveller, *radio, ifname, kernel).await {
            Ok(()) => Ok(()),
            Err(error) => give_up(traveller, Some(*radio), error, kernel).await,
        },
        NicStep::Set {
            ifindex, setting, ..
        } => set(*ifindex, *setting, &kernel.guest).await,
        NicStep::CreateVlan { vlan, .. } => {
            Ok(kernel.host.create_vlan_child(vlan, kernel.netns).await?)
        }
        NicStep::CreateIpoib { child, .. } => {
            Ok(kernel.host.create_ipoib_child(child, kernel.netns).await?)
        }
    }
}

/// Takes one step back.
pub(super) async fn undo(undo: &NicUndo, sides: Sides<'_>) -> Result<(), Cause> {
    match undo {
        NicUndo::Fetch { traveller, radio } => {
            if is_claimed(&traveller.id, traveller.claim, sides)? {
                fetch(traveller, *radio, sides).await?;
            }
            Ok(())
        }
        NicUndo::ResetVf {
            traveller,
            vf,
            former,
        } => match is_claimed(&traveller.id, traveller.claim, sides)? {
            true => reset_vf(traveller, vf, former, sides.host).await,
            false => Ok(()),
        },
        NicUndo::Restore { home, claim } => match is_claimed(&home.id, *claim, sides)? {
            true => restore(home, *claim, sides).await,
            false => Ok(()),
        },
    }
}

fn is_claimed(id: &NicId, claim: u32, sides: Sides<'_>) -> Result<bool, Cause> {
    // Without a boot id there are no records either.
    let boot_id = proc::boot_id().unwrap_or_default();
    Ok(sides.store.has_nic_claim(id, claim, &boot_id)?)
}

async fn take_off(
    home: &NicHome,
    container: &str,
    claim: u32,
    kernel: &Kernel<'_>,
) -> Result<(), Cause> {
    let Kernel { host, store, .. } = kernel;
    let is_it = |link: &LinkFacts| {
        home.id
            .may_be(link.parent_device.as_deref(), link.permanent_mac)
    };
    let link = host.link_by_index(home.state.ifindex).await?;
    let link = link.filter(is_it).ok_or_else(|| absent("RTM_SETLINK"))?;
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let holder = store.claim_nic(&NicClaim {
        version: VERSION,
        key: kernel.key().map_err(|_| absent("SO_NETNS_COOKIE"))?,
        claim,
        id: home.id.clone(),
        name: home.state.name.clone(),
        altnames: home.altnames.clone(),
        mac: home.state.mac,
        container: container.to_owned(),
        since: since.as_secs(),
    })?;
    if let Some(holder) = holder {
        return Err(Cause::Nic(NicError::Held {
            name: home.state.name.clone(),
            holder: holder.container,
        }));
    }
    let taken = host.set_state(link.ifindex, false).await;
    if taken.is_err() {
        store.release_nic(&home.id, claim)?;
    }
    Ok(taken?)
}

/// A move that was refused may have happened all the same: the kernel names the
/// device after it has moved it.
async fn give_up(
    traveller: &Traveller,
    radio: Option<u32>,
    error: RtnlError,
    kernel: &Kernel<'_>,
) -> Result<(), Cause> {
    if kernel.guest.nic(&traveller.id).await?.is_some() {
        fetch(traveller, radio, kernel.sides()).await?;
    }
    Err(error.into())
}

async fn move_radio(
    traveller: &Traveller,
    radio: u32,
    ifname: &IfName,
    kernel: &Kernel<'_>,
) -> Result<(), RtnlError> {
    let Some(nl80211) = Nl80211::open(kernel.deadline)? else {
        return Err(absent("CTRL_CMD_GETFAMILY"));
    };
    nl80211.move_radio(radio, kernel.netns)?;
    kernel
        .guest
        .set_name(traveller.ifindex, ifname.as_str())
        .await
}

async fn set(ifindex: u32, setting: NicSetting, guest: &Rtnl) -> Result<(), Cause> {
    match setting {
        NicSetting::Mac(mac) => {
            let now = guest.link_by_index(ifindex).await?;
            // A virtual function has it already, and its card may refuse it the
            // second time.
            if now.is_none_or(|now| now.mac != Some(mac.octets())) {
                guest.set_mac(ifindex, mac).await?;
            }
        }
        NicSetting::Mtu(mtu) => guest.set_mtu(ifindex, mtu.get()).await?,
        NicSetting::Txqlen(length) => guest.set_txqlen(ifindex, length).await?,
    }
    Ok(())
}

/// The physical function of a virtual one.
async fn function(vf: &VfAddress, host: &Rtnl) -> Result<LinkFacts, RtnlError> {
    let function = host.nic(&vf.function).await?;
    function.ok_or_else(|| absent("RTM_SETLINK"))
}

/// Brings the device home, or waits until the kernel has.
async fn fetch(traveller: &Traveller, radio: Option<u32>, sides: Sides<'_>) -> Result<(), Cause> {
    let mut pause = FIRST_PAUSE;
    let mut waited = Duration::ZERO;
    loop {
        if sides.host.nic(&traveller.id).await?.is_some() {
            return Ok(());
        }
        if let (Some(guest), Some(netns)) = (sides.guest, sides.netns) {
            match radio {
                Some(radio) => bring_radio_home(radio, netns, sides)?,
                None => bring_home(traveller, guest, sides).await?,
            }
            // Where nothing is to be brought, there is nothing to wait for.
            if waited > Duration::ZERO {
                break;
            }
        }
        if waited >= sides.patience || sides.deadline.has_passed() {
            break;
        }
        sys::pause(pause).await;
        waited += pause;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    match sides.host.nic(&traveller.id).await? {
        Some(_) => Ok(()),
        None => Err(Cause::Nic(NicError::NotBack {
            name: traveller.name.clone(),
        })),
    }
}

/// Moves the device out of the container's namespace, under its own name and
/// index where both are free. Its name is settled by [`restore`].
async fn bring_home(traveller: &Traveller, guest: &Rtnl, sides: Sides<'_>) -> Result<(), Cause> {
    let Some(link) = guest.nic(&traveller.id).await? else {
        return Ok(());
    };
    let is_free = sides.host.link_by_index(traveller.ifindex).await?.is_none();
    let ifindex = is_free.then_some(traveller.ifindex);
    let moved = guest
        .move_link(link.ifindex, sides.home, &traveller.name, ifindex)
        .await;
    match moved {
        Err(error) if error.errno() == Some(Errno::EEXIST as i32) => {
            // It may have come, and only its name is taken.
            if guest.nic(&traveller.id).await?.is_some() {
                guest
                    .move_link(link.ifindex, sides.home, ANY_NAME, ifindex)
                    .await?;
            }
            Ok(())
        }
        other => Ok(other?),
    }
}

fn bring_radio_home(radio: u32, netns: &Netns, sides: Sides<'_>) -> Result<(), Cause> {
    let Some(nl80211) = Nl80211::open_in(netns, sides.home, sides.deadline)? else {
        return Ok(());
    };
    match nl80211.radio(radio)? {
        Some(_) => Ok(nl80211.move_radio(radio, sides.home)?),
        None => Ok(()),
    }
}

/// Tells the card what is asked for.
///
/// An address is set by the function first: a card that was told holds it to
/// that, and some refuse it even the same address from then on.
async fn tune_vf(
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
async fn reset_vf(
    traveller: &Traveller,
    vf: &VfAddress,
    former: &VfSettings,
    host: &Rtnl,
) -> Result<(), Cause> {
    let function = function(vf, host).await?.ifindex;
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

/// Makes a device that is back what it was, and ends the claim.
///
/// What cannot be given back now, because there is no carrier yet or because
/// somebody has it by now, is told in the log: to keep the claim for it would keep
/// the device from everybody.
async fn restore(home: &NicHome, claim: u32, sides: Sides<'_>) -> Result<(), Cause> {
    let mut waited = Duration::ZERO;
    loop {
        let missing = restore_once(home, sides.host).await?;
        if missing.is_empty() {
            break;
        }
        if waited >= sides.patience || sides.deadline.has_passed() || !home.state.up {
            for missing in missing {
                let nic = &home.state.name;
                tracing::warn!(%nic, %missing, "a network card did not get back all that it had");
            }
            break;
        }
        sys::pause(LONGEST_PAUSE).await;
        waited += LONGEST_PAUSE;
    }
    Ok(sides.store.release_nic(&home.id, claim)?)
}

async fn restore_once(home: &NicHome, host: &Rtnl) -> Result<Vec<NotRestored>, Cause> {
    let Some(link) = host.nic(&home.id).await? else {
        return Err(Cause::Nic(NicError::NotBack {
            name: home.state.name.clone(),
        }));
    };
    Ok(home.restore(host, &link).await?)
}
