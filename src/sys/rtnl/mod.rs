//! rtnetlink: one socket in one namespace, and the kernel's own words when it
//! refuses.
//!
//! `link`, `vlan`, `bridge_vlan`, `address`, `route`, `rule` and `neighbour` hold the messages. Every request
//! ends by the deadline. The kernel's extended acknowledgement (`NETLINK_EXT_ACK`)
//! is kept, because it often says what errno cannot.

mod address;
mod bridge_vlan;
pub mod carriers;
mod device_routes;
mod host_links;
mod link;
mod link_facts;
mod link_settings;
mod neighbour;
mod nic;
mod nic_child;
mod nic_home;
mod nic_state;
pub(in crate::sys) mod object;
mod raw_address;
mod raw_neighbour;
mod raw_nexthop;
mod raw_route;
mod raw_rule;
mod replay;
mod route;
mod rule;
pub(in crate::sys) mod socket;
mod tc;
mod vf;
mod vlan;

use std::fmt;
use std::io;
use std::rc::Rc;

use nix::errno::Errno;
use rtnetlink::packet_core::{ErrorMessage, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};
use rtnetlink::packet_route::RouteNetlinkMessage;

pub use bridge_vlan::PortVlanFacts;
pub use host_links::{BridgePolicy, NewLink};
pub use link_facts::LinkFacts;
pub use nic::ANY_NAME;
pub use nic_home::{NicHome, absent, id_of, only_one};
pub use nic_state::{NicState, NotRestored, Setting};
pub use raw_address::{Lifetimes, RawAddress};
pub use raw_neighbour::RawNeighbour;
pub use raw_nexthop::RawNexthop;
pub use raw_route::RawRoute;
pub use raw_rule::RawRule;
pub use route::RouteFacts;
pub use tc::TcHeld;

use super::netns::Netns;
use super::raw;
use crate::deadline::Deadline;
use crate::request::IfName;
use socket::{Answer, Exchange, PromptSocket};

/// Why a request had no success.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RtnlError {
    /// The kernel refused it.
    #[error("{0}")]
    Refused(Refusal),
    /// The deadline passed before the kernel answered.
    #[error("{operation}: no answer from the kernel before the deadline")]
    TimedOut {
        /// The message that was sent.
        operation: &'static str,
    },
    /// It could not be sent, or its answer could not be read.
    #[error("{operation}: the netlink socket: {reason}")]
    Broken {
        /// The message that was to be sent.
        operation: &'static str,
        /// Why not.
        reason: String,
    },
}

/// What the kernel said when it refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The message that was sent, by its name in rtnetlink(7).
    pub operation: &'static str,
    /// The error number.
    pub errno: i32,
    /// The text of the extended acknowledgement, if there is one.
    pub kernel_says: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errno = Errno::from_raw(self.errno);
        write!(f, "{}: {} ({errno:?})", self.operation, errno.desc())
    }
}

impl RtnlError {
    /// The kernel's error number, if it was the kernel that refused.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused(refusal) => Some(refusal.errno),
            Self::TimedOut { .. } | Self::Broken { .. } => None,
        }
    }

    /// What failed before the kernel had a say.
    pub(in crate::sys) fn broken(operation: &'static str, error: &io::Error) -> Self {
        let reason = error.to_string();
        Self::Broken { operation, reason }
    }
}

/// An open rtnetlink socket; it stays in the namespace that it was opened in.
#[derive(Debug)]
pub struct Rtnl {
    socket: Rc<PromptSocket>,
    deadline: Deadline,
}

impl Rtnl {
    /// Opens a socket in our own namespace.
    pub fn open(deadline: Deadline) -> io::Result<Self> {
        let socket = Rc::new(PromptSocket::open()?);
        Ok(Self { socket, deadline })
    }

    /// Opens a socket in `netns`; it stays there, the thread does not.
    pub fn open_in(netns: &Netns, home: &Netns, deadline: Deadline) -> io::Result<Self> {
        netns.inside(home, || Self::open(deadline))?
    }

    /// The same socket with another deadline.
    pub fn until(&self, deadline: Deadline) -> Self {
        Self {
            socket: Rc::clone(&self.socket),
            deadline,
        }
    }

    /// When its requests must have ended.
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// The cookie of the namespace that the socket is in: unique until reboot.
    pub fn netns_cookie(&self) -> io::Result<u64> {
        raw::netns_cookie(self.socket.as_ref())
    }

    /// Whether `lo` is up. By ioctl (netdevice(7)), which unlike RTM_GETLINK needs no
    /// lock of the kernel.
    pub fn loopback_is_up(&self) -> io::Result<bool> {
        raw::loopback_is_up(self.socket.as_ref())
    }

    /// Lets the kernel finish a pending carrier change of `name` now.
    ///
    /// After a veth pair comes up, the kernel tells the bridge of the new
    /// carrier from a work queue (net/core/link_watch.c); until then the port
    /// forwards nothing, and the first frame of a fast workload is lost. Asking
    /// by ethtool makes it do that work before it answers. `EOPNOTSUPP` from a
    /// driver without the operation.
    pub fn settle_carrier(&self, name: &IfName) -> io::Result<()> {
        raw::ethtool_link(self.socket.as_ref(), name.as_str().as_bytes()).map(drop)
    }

    /// Sends a request that changes something and waits for its end.
    async fn change(
        &self,
        operation: &'static str,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(), RtnlError> {
        self.exchange(operation, message, NLM_F_ACK | flags)
            .await
            .map(drop)
    }

    /// Sends a request for one object; `None` when the kernel has none.
    async fn get(
        &self,
        operation: &'static str,
        message: RouteNetlinkMessage,
    ) -> Result<Option<Answer>, RtnlError> {
        match self.exchange(operation, message, 0).await {
            Ok(answers) => Ok(answers.into_iter().next()),
            Err(RtnlError::Refused(r)) if is_absence(r.errno) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Sends a request for all objects that the message's filter lets through.
    async fn dump(
        &self,
        operation: &'static str,
        message: RouteNetlinkMessage,
    ) -> Result<Vec<Answer>, RtnlError> {
        self.exchange(operation, message, NLM_F_DUMP).await
    }

    async fn exchange(
        &self,
        operation: &'static str,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<Vec<Answer>, RtnlError> {
        match self
            .socket
            .exchange(message, NLM_F_REQUEST | flags, self.deadline)
        {
            Ok(Exchange::Answered(answers)) => Ok(answers),
            Ok(Exchange::Refused(error)) => Err(refusal(operation, &error)),
            Ok(Exchange::TimedOut) => Err(RtnlError::TimedOut { operation }),
            Err(error) => Err(RtnlError::broken(operation, &error)),
        }
    }
}

/// An object that is not there, in the words of the different `RTM_GET*`.
fn is_absence(errno: i32) -> bool {
    matches!(
        Errno::from_raw(errno),
        Errno::ENODEV | Errno::ENOENT | Errno::ESRCH
    )
}

pub(in crate::sys) fn refusal(operation: &'static str, error: &ErrorMessage) -> RtnlError {
    let errno = error.raw_code().saturating_neg();
    let kernel_says = extended_text(&error.header);
    RtnlError::Refused(Refusal {
        operation,
        errno,
        kernel_says,
    })
}

/// `NLMSGERR_ATTR_MSG` of an extended acknowledgement, whose attributes follow
/// the 16 bytes of the refused request's header (include/uapi/linux/netlink.h).
fn extended_text(payload: &[u8]) -> Option<String> {
    const NLMSGERR_ATTR_MSG: u16 = 1;
    let mut rest = payload.get(16..)?;
    loop {
        let header = rest.get(..4)?;
        let length = usize::from(u16::from_ne_bytes([*header.first()?, *header.get(1)?]));
        let kind = u16::from_ne_bytes([*header.get(2)?, *header.get(3)?]) & 0x3fff;
        let value = rest.get(4..length)?;
        if kind == NLMSGERR_ATTR_MSG {
            let text = value.split(|b| *b == 0).next()?;
            return Some(String::from_utf8_lossy(text).into_owned());
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rtnetlink::packet_route::link::{LinkAttribute, LinkMessage};

    use super::*;
    use crate::sys::block_on;

    #[test]
    fn a_message_that_cannot_be_sent_says_why() {
        let rtnl = Rtnl::open(Deadline::after(Duration::from_secs(10))).unwrap();
        let mut message = LinkMessage::default();
        // More than any socket takes at once, so that the kernel sees nothing of it.
        let alias = LinkAttribute::IfAlias("x".repeat(250));
        message.attributes = vec![alias; 100_000];
        let asked = rtnl.get("RTM_GETLINK", RouteNetlinkMessage::GetLink(message));
        let error = block_on(asked).unwrap().unwrap_err();
        let reason = std::io::Error::from(nix::errno::Errno::EMSGSIZE);
        let said = format!("RTM_GETLINK: the netlink socket: {reason}");
        assert_eq!(error.to_string(), said);
    }

    #[test]
    fn the_text_of_an_extended_acknowledgement_is_found_behind_other_attributes() {
        let mut payload = vec![0; 16];
        payload.extend([8, 0, 2, 0, 1, 2, 3, 4]); // NLMSGERR_ATTR_OFFS
        payload.extend([10, 0, 1, 0]);
        payload.extend(b"wrong\0\0\0");
        assert_eq!(extended_text(&payload).as_deref(), Some("wrong"));
    }

    #[test]
    fn a_truncated_acknowledgement_has_no_text() {
        for length in 0..26 {
            let mut payload = vec![0; 16];
            payload.extend([26, 0, 1, 0, b'w']);
            payload.truncate(length);
            assert_eq!(extended_text(&payload), None);
        }
    }
}
