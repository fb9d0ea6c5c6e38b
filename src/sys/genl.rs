//! Generic netlink: families that are asked for by name (genetlink(7)).

use std::io;

use nix::libc;
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};

use super::netns::Netns;
use super::rtnl::object::Object;
use super::rtnl::socket::{Exchange, PromptSocket};
use super::rtnl::{RtnlError, refusal};
use crate::deadline::Deadline;

/// `NETLINK_GENERIC` (include/uapi/linux/netlink.h).
const NETLINK_GENERIC: isize = 16;
/// The one family whose number is fixed (include/uapi/linux/genetlink.h).
const GENL_ID_CTRL: u16 = 0x10;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
/// struct genlmsghdr: command, version and two bytes of nothing.
const HEADER_BYTES: usize = 4;

/// A command of a family, by the family's header and for error messages.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// Its number.
    pub number: u8,
}

/// How much is to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// That it is done.
    Nothing,
    /// One object.
    One,
    /// All objects.
    All,
}

/// An open socket; it stays in the namespace that it was opened in.
#[derive(Debug)]
pub struct Genl {
    socket: PromptSocket,
    deadline: Deadline,
}

impl Genl {
    /// Opens a socket in our own namespace.
    pub fn open(deadline: Deadline) -> io::Result<Self> {
        let socket = PromptSocket::open_for(NETLINK_GENERIC)?;
        Ok(Self { socket, deadline })
    }

    /// Opens a socket in `netns`.
    pub fn open_in(netns: &Netns, home: &Netns, deadline: Deadline) -> io::Result<Self> {
        netns.inside(home, || Self::open(deadline))?
    }

    /// The number of a family; `None` when the kernel has no such family.
    pub(super) fn family(&self, name: &str) -> Result<Option<u16>, RtnlError> {
        let command = Command {
            name: "CTRL_CMD_GETFAMILY",
            number: CTRL_CMD_GETFAMILY,
        };
        let mut asked = message(command);
        asked.set_text(CTRL_ATTR_FAMILY_NAME, name);
        let answers = match self.exchange(GENL_ID_CTRL, command, &asked, Wanted::One) {
            Err(RtnlError::Refused(r)) if r.errno == libc::ENOENT => return Ok(None),
            other => other?,
        };
        let id = answers.first().and_then(|answer| {
            let id = answer.value(CTRL_ATTR_FAMILY_ID)?;
            Some(u16::from_ne_bytes(*id.first_chunk()?))
        });
        Ok(id)
    }

    /// Sends a command to a family and reads what is answered.
    pub(super) fn exchange(
        &self,
        family: u16,
        command: Command,
        message: &Object,
        wanted: Wanted,
    ) -> Result<Vec<Object>, RtnlError> {
        let operation = command.name;
        let flags = NLM_F_REQUEST
            | match wanted {
                Wanted::Nothing => NLM_F_ACK,
                Wanted::One => 0,
                Wanted::All => NLM_F_DUMP,
            };
        let sent = self
            .socket
            .exchange_bytes(family, &message.emit(), flags, self.deadline);
        match sent {
            Ok(Exchange::Answered(answers)) => Ok(answers
                .into_iter()
                .filter_map(|answer| Object::parse(&answer.payload, HEADER_BYTES))
                .collect()),
            Ok(Exchange::Refused(error)) => Err(refusal(operation, &error)),
            Ok(Exchange::TimedOut) => Err(RtnlError::TimedOut { operation }),
            Err(error) => Err(RtnlError::broken(operation, &error)),
        }
    }
}

/// A message of `command` without attributes.
pub(super) fn message(command: Command) -> Object {
    Object::new(&[command.number, 0, 0, 0])
}
