//! Moving a device to another namespace, and what only a device that goes back
//! and forth needs: its name, its alternative names, its flags.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::libc;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkMessage, LinkXdp, Prop};

use super::link::message;
use super::{Rtnl, RtnlError};
use crate::sys::netns::Netns;
use crate::sys::raw;

/// A name for a device whose own is taken; the kernel fills in the number.
pub const ANY_NAME: &str = "dev%d";

impl Rtnl {
    /// Moves a device to `target` and calls it `name` there, down and without
    /// addresses; with the index `ifindex_there`, or one of the kernel's choice.
    ///
    /// The kernel moves first and names afterwards (`do_setlink`): after `EEXIST`
    /// the device may be there under its former name.
    pub async fn move_link(
        &self,
        ifindex: u32,
        target: &Netns,
        name: &str,
        ifindex_there: Option<u32>,
    ) -> Result<(), RtnlError> {
        let mut attributes = vec![
            LinkAttribute::NetNsFd(target.as_fd().as_raw_fd()),
            LinkAttribute::IfName(name.to_owned()),
        ];
        let wanted = ifindex_there.and_then(|index| i32::try_from(index).ok());
        attributes.extend(wanted.map(LinkAttribute::NewIfIndex));
        self.set(message(ifindex, attributes)).await
    }

    /// Gives a device another name. Before Linux 6.2 it has to be down.
    pub async fn set_name(&self, ifindex: u32, name: &str) -> Result<(), RtnlError> {
        let name = LinkAttribute::IfName(name.to_owned());
        self.set(message(ifindex, vec![name])).await
    }

    /// Gives the device that is called `name` one that no other has, if there is one.
    pub fn take_name_away(&self, name: &str) -> io::Result<()> {
        match raw::rename_device(self.socket.as_ref(), name.as_bytes(), ANY_NAME.as_bytes()) {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
            other => other,
        }
    }

    /// Gives a device one more name.
    pub async fn add_altname(&self, ifindex: u32, name: &str) -> Result<(), RtnlError> {
        let message = RouteNetlinkMessage::NewLinkProp(altname(ifindex, name));
        self.change("RTM_NEWLINKPROP", message, 0).await
    }

    /// Takes an alternative name away.
    pub async fn delete_altname(&self, ifindex: u32, name: &str) -> Result<(), RtnlError> {
        let message = RouteNetlinkMessage::DelLinkProp(altname(ifindex, name));
        self.change("RTM_DELLINKPROP", message, 0).await
    }

    /// Says whether somebody wants a device to receive all frames, and all
    /// multicast frames.
    pub async fn set_receives_all(
        &self,
        ifindex: u32,
        promisc: bool,
        allmulti: bool,
    ) -> Result<(), RtnlError> {
        let mut message = message(ifindex, Vec::new());
        message.header.change_mask = LinkFlags::Promisc | LinkFlags::Allmulti;
        for (wanted, flag) in [
            (promisc, LinkFlags::Promisc),
            (allmulti, LinkFlags::Allmulti),
        ] {
            message.header.flags.set(flag, wanted);
        }
        self.set(message).await
    }

    /// Takes every program of XDP off a device, in whichever mode it is.
    pub async fn detach_xdp(&self, ifindex: u32) -> Result<(), RtnlError> {
        const NO_PROGRAM: i32 = -1;
        // XDP_FLAGS_SKB_MODE, _DRV_MODE and _HW_MODE (include/uapi/linux/if_link.h).
        let mut refusal = None;
        for mode in [1 << 1, 1 << 2, 1 << 3] {
            let program = vec![LinkXdp::Fd(NO_PROGRAM), LinkXdp::Flags(mode)];
            let link = message(ifindex, vec![LinkAttribute::Xdp(program)]);
            // A driver without this mode refuses to take a program off it.
            refusal = self.set(link).await.err().or(refusal);
        }
        let now = self.link_by_index(ifindex).await?;
        match refusal.filter(|_| now.is_some_and(|now| now.has_xdp)) {
            Some(refusal) => Err(refusal),
            None => Ok(()),
        }
    }

    async fn set(&self, message: LinkMessage) -> Result<(), RtnlError> {
        self.change("RTM_SETLINK", RouteNetlinkMessage::SetLink(message), 0)
            .await
    }
}

fn altname(ifindex: u32, name: &str) -> LinkMessage {
    let name = Prop::AltIfName(name.to_owned());
    message(ifindex, vec![LinkAttribute::PropList(vec![name])])
}
