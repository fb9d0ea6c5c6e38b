//! Hands a device of the host over, and brings it back: steps and undos alike
//! know it by what it is, never by a name or an index alone.

use std::io;
use std::time::{Duration, SystemTime};

use nix::errno::Errno;

use super::vf::{reset_vf, tune_vf};
use super::{Cause, Kernel, Sides};
use crate::plan::step::{NicStep, NicUndo, Traveller};
use crate::record::{NicClaim, VERSION};
use crate::request::IfName;
use crate::rt::{NicId, NicSetting, container};
use crate::sys::netns::Netns;
use crate::sys::nl80211::Nl80211;
use crate::sys::rtnl::{ANY_NAME, LinkFacts, NicHome, NotRestored, Rtnl, RtnlError, absent};
use crate::sys::{self, bus, proc};

/// Between two looks at whether the kernel has given a device back.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Why a device was not handed over, or is not back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NicError {
    /// Another container was faster.
    #[error("{name} is in {}", container(holder))]
    Held {
        /// The device.
        name: String,
        /// Who has it.
        holder: String,
    },
    /// The kernel has not given it back yet: something holds the namespace.
    #[error("{name} is not back on the host: something holds the namespace that it is in")]
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
    let wanted = NicClaim {
        version: VERSION,
        key: kernel.key().map_err(|_| absent("SO_NETNS_COOKIE"))?,
        claim,
        id: home.id.clone(),
        name: home.state.name.clone(),
        altnames: home.altnames.clone(),
        mac: home.state.mac,
        container: container.to_owned(),
        since: since.as_secs(),
    };
    let holder = store.claim_nic(&wanted, kernel.deadline)?;
    if let Some(holder) = holder {
        return Err(Cause::Nic(NicError::Held {
            name: home.state.name.clone(),
            holder: holder.container,
        }));
    }
    let taken = host.set_state(link.ifindex, false).await;
    // Why it was not taken is what a person must know, whatever comes of the claim.
    if taken.is_err()
        && let Err(error) = store.release_nic(&home.id, claim, kernel.deadline)
    {
        let nic = home.state.name.as_str();
        tracing::warn!(nic, %error, "its claim stays until records are swept");
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
        None if is_gone(&traveller.id) => Ok(()),
        None => Err(Cause::Nic(NicError::NotBack {
            name: traveller.name.clone(),
        })),
    }
}

/// Whether there is nothing that could come back: a card that was unplugged, a
/// virtual function that was switched off, a simulated radio without its module.
pub(super) fn is_gone(id: &NicId) -> bool {
    match (&id.parent_bus, &id.parent_device) {
        (Some(bus), Some(device)) => bus::has_no_network_device(bus, device),
        (None, Some(device)) => bus::has_no_simulated_radio(device),
        (_, _) => false,
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

/// Makes a device that is back what it was, and ends the claim.
///
/// What cannot be given back now, because there is no carrier yet or because
/// somebody has it by now, is told in the log: to keep the claim for it would keep
/// the device from everybody.
async fn restore(home: &NicHome, claim: u32, sides: Sides<'_>) -> Result<(), Cause> {
    if is_gone(&home.id) {
        tracing::warn!(
            nic = home.state.name,
            "a network card is gone from this machine"
        );
        return Ok(sides.store.release_nic(&home.id, claim, sides.deadline)?);
    }
    let mut waited = Duration::ZERO;
    loop {
        let missing = restore_once(home, sides).await?;
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
    Ok(sides.store.release_nic(&home.id, claim, sides.deadline)?)
}

async fn restore_once(home: &NicHome, sides: Sides<'_>) -> Result<Vec<NotRestored>, Cause> {
    let host = sides.host;
    let Some(link) = host.nic(&home.id).await? else {
        return Err(Cause::Nic(NicError::NotBack {
            name: home.state.name.clone(),
        }));
    };
    if link.name != home.state.name {
        let cleared = clear_name(&home.state.name, sides).await?;
        if let Err(error) = cleared {
            tracing::warn!(nic = home.state.name, %error, "its name is taken");
        }
    }
    Ok(home.restore(host, &link).await?)
}

/// Takes `name` from a device that the kernel has given back under the name which a
/// container had called it by. What it is called is settled by its own restoration.
async fn clear_name(name: &str, sides: Sides<'_>) -> Result<io::Result<()>, Cause> {
    let other = sides.host.link_by_name(name).await?;
    // An alternative name stays where it is.
    let Some(other) = other.filter(|other| other.name == name) else {
        return Ok(Ok(()));
    };
    let boot_id = proc::boot_id().unwrap_or_default();
    let is_on_its_way = |claim: &NicClaim| {
        let id = &claim.id;
        claim.key.boot_id == boot_id
            && claim.name != name
            && id.may_be(other.parent_device.as_deref(), other.permanent_mac)
    };
    Ok(match sides.store.nic_claims()?.iter().any(is_on_its_way) {
        true => sides.host.take_name_away(name),
        false => Ok(()),
    })
}
