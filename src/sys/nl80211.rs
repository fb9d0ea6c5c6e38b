//! Radios and their wireless interfaces (include/uapi/linux/nl80211.h).
//!
//! A wireless interface cannot change its namespace by itself: the radio below
//! it does, with all interfaces that it has (`cfg80211_switch_netns`). When that
//! namespace ends, the kernel moves the radio to the initial one
//! (`cfg80211_pernet_exit`).

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use nix::libc;

use super::genl::{Command, Genl, Wanted, message};
use super::netns::Netns;
use super::rtnl::RtnlError;
use crate::deadline::Deadline;
use crate::request::IfName;

const GET_WIPHY: Command = Command {
    name: "NL80211_CMD_GET_WIPHY",
    number: 1,
};
const GET_INTERFACE: Command = Command {
    name: "NL80211_CMD_GET_INTERFACE",
    number: 5,
};
const SET_WIPHY_NETNS: Command = Command {
    name: "NL80211_CMD_SET_WIPHY_NETNS",
    number: 49,
};
const ATTR_WIPHY: u16 = 1;
const ATTR_WIPHY_NAME: u16 = 2;
const ATTR_IFINDEX: u16 = 3;
const ATTR_NETNS_FD: u16 = 219;

/// Whether the device `name` of the namespace that /sys was mounted in has a
/// radio below it: one system call, for who only wants to know that.
pub fn is_wireless(name: &IfName) -> bool {
    Path::new("/sys/class/net")
        .join(name.as_str())
        .join("phy80211")
        .exists()
}

/// A socket for radios, in one namespace.
#[derive(Debug)]
pub struct Nl80211 {
    genl: Genl,
    family: u16,
}

/// A radio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Radio {
    /// Its number, the same in every namespace.
    pub index: u32,
    /// Its name: `phy0`.
    pub name: String,
}

impl Nl80211 {
    /// A socket in our own namespace; `None` when the kernel knows no radios.
    pub fn open(deadline: Deadline) -> Result<Option<Self>, RtnlError> {
        Self::with(Genl::open(deadline))
    }

    /// A socket in `netns`.
    pub fn open_in(
        netns: &Netns,
        home: &Netns,
        deadline: Deadline,
    ) -> Result<Option<Self>, RtnlError> {
        Self::with(Genl::open_in(netns, home, deadline))
    }

    fn with(genl: io::Result<Genl>) -> Result<Option<Self>, RtnlError> {
        let genl = genl.map_err(|error| RtnlError::broken("CTRL_CMD_GETFAMILY", &error))?;
        let family = genl.family("nl80211")?;
        Ok(family.map(|family| Self { genl, family }))
    }

    /// The radio below the interface with this index; `None` when it has none.
    pub fn radio_of(&self, ifindex: u32) -> Result<Option<Radio>, RtnlError> {
        let mut asked = message(GET_INTERFACE);
        asked.set(ATTR_IFINDEX, &ifindex.to_ne_bytes());
        let answers = self
            .genl
            .exchange(self.family, GET_INTERFACE, &asked, Wanted::One);
        let answers = absent_is_none(answers)?;
        let index = answers
            .first()
            .and_then(|answer| answer.value_number(ATTR_WIPHY));
        match index {
            Some(index) => self.radio(index),
            None => Ok(None),
        }
    }

    /// The radio of this number, if it is in the namespace of the socket.
    pub fn radio(&self, index: u32) -> Result<Option<Radio>, RtnlError> {
        let mut asked = message(GET_WIPHY);
        asked.set(ATTR_WIPHY, &index.to_ne_bytes());
        let answers = self
            .genl
            .exchange(self.family, GET_WIPHY, &asked, Wanted::One);
        let answers = absent_is_none(answers)?;
        Ok(answers.first().map(|answer| Radio {
            index,
            name: answer.value_text(ATTR_WIPHY_NAME).unwrap_or_default(),
        }))
    }

    /// The indexes of all interfaces of a radio.
    pub fn interfaces_of(&self, radio: u32) -> Result<Vec<u32>, RtnlError> {
        let asked = message(GET_INTERFACE);
        let answers = self
            .genl
            .exchange(self.family, GET_INTERFACE, &asked, Wanted::All)?;
        let of_radio = answers
            .iter()
            .filter(|a| a.value_number(ATTR_WIPHY) == Some(radio));
        Ok(of_radio
            .filter_map(|a| a.value_number(ATTR_IFINDEX))
            .collect())
    }

    /// Moves a radio and all its interfaces to `target`.
    ///
    /// `EOPNOTSUPP` when its driver does not support that (`WIPHY_FLAG_NETNS_OK`).
    pub fn move_radio(&self, radio: u32, target: &Netns) -> Result<(), RtnlError> {
        let mut asked = message(SET_WIPHY_NETNS);
        asked.set(ATTR_WIPHY, &radio.to_ne_bytes());
        asked.set(ATTR_NETNS_FD, &target.as_fd().as_raw_fd().to_ne_bytes());
        let done = self
            .genl
            .exchange(self.family, SET_WIPHY_NETNS, &asked, Wanted::Nothing);
        done.map(drop)
    }
}

/// What the kernel says of an interface without a radio, and of a radio that is
/// in another namespace.
fn absent_is_none<T>(answers: Result<Vec<T>, RtnlError>) -> Result<Vec<T>, RtnlError> {
    match answers {
        Err(RtnlError::Refused(r))
            if [libc::ENODEV, libc::EINVAL, libc::ENOENT].contains(&r.errno) =>
        {
            Ok(Vec::new())
        }
        other => other,
    }
}
