//! Lists of objects as bytes, and telling an object to the kernel again.

use nix::libc;
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};

use super::object::Object;
use super::socket::{Answer, Exchange};
use super::{Rtnl, RtnlError, refusal};

/// A list that changes each time that it is told is taken as it comes.
const ATTEMPTS: u32 = 5;

/// A message by its name in rtnetlink(7) and its number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation {
    name: &'static str,
    number: u16,
}

/// Names an [`Operation`] by the constant of rtnetlink(7).
macro_rules! operations {
    ($($name:ident = $number:literal;)*) => { $(
        pub(super) const $name: Operation = Operation {
            name: stringify!($name),
            number: $number,
        };
    )* };
}

// include/uapi/linux/rtnetlink.h.
operations! {
    RTM_SETLINK = 19;
    RTM_NEWADDR = 20;
    RTM_DELADDR = 21;
    RTM_GETADDR = 22;
    RTM_NEWROUTE = 24;
    RTM_DELROUTE = 25;
    RTM_GETROUTE = 26;
    RTM_NEWNEIGH = 28;
    RTM_DELNEIGH = 29;
    RTM_GETNEIGH = 30;
    RTM_NEWRULE = 32;
    RTM_DELRULE = 33;
    RTM_GETRULE = 34;
    RTM_GETQDISC = 38;
    RTM_GETTCLASS = 42;
    RTM_GETTFILTER = 46;
    RTM_NEWNEXTHOP = 104;
    RTM_GETNEXTHOP = 106;
}

impl Rtnl {
    /// Every object that `filter` lets through, its header `header_bytes` long.
    /// What the kernel has no support for, there is none of.
    pub(super) async fn list(
        &self,
        operation: Operation,
        filter: &Object,
        header_bytes: usize,
    ) -> Result<Vec<Object>, RtnlError> {
        let mut attempt = 0;
        loop {
            let answers = match self.send(operation, filter, NLM_F_DUMP) {
                Ok(answers) => answers,
                Err(error) if is_unsupported(&error) => return Ok(Vec::new()),
                Err(error) => return Err(error),
            };
            attempt += 1;
            if attempt < ATTEMPTS && self.socket.was_interrupted() {
                continue;
            }
            let objects = answers
                .into_iter()
                .filter_map(|answer| Object::parse(&answer.payload, header_bytes));
            return Ok(objects.collect());
        }
    }

    /// Tells an object to the kernel. A refusal whose number is in `fine` is
    /// none: the kernel has what was wanted already.
    pub(super) async fn tell(
        &self,
        operation: Operation,
        object: &Object,
        flags: u16,
        fine: &[i32],
    ) -> Result<(), RtnlError> {
        match self.send(operation, object, NLM_F_ACK | flags) {
            Err(RtnlError::Refused(refused)) if fine.contains(&refused.errno) => Ok(()),
            other => other.map(drop),
        }
    }

    /// What the kernel answers to one message.
    pub(super) fn send(
        &self,
        operation: Operation,
        object: &Object,
        flags: u16,
    ) -> Result<Vec<Answer>, RtnlError> {
        let Operation { name, number } = operation;
        let flags = NLM_F_REQUEST | flags;
        match self
            .socket
            .exchange_bytes(number, &object.emit(), flags, self.deadline)
        {
            Ok(Exchange::Answered(answers)) => Ok(answers),
            Ok(Exchange::Refused(error)) => Err(refusal(name, &error)),
            Ok(Exchange::TimedOut) => Err(RtnlError::TimedOut { operation: name }),
            Err(error) => Err(RtnlError::broken(name, &error)),
        }
    }
}

/// A kernel without IPv6, without policy routing or without nexthop objects; or
/// a table that nobody has made.
fn is_unsupported(error: &RtnlError) -> bool {
    let unsupported = [libc::EOPNOTSUPP, libc::EAFNOSUPPORT, libc::ENOENT];
    error
        .errno()
        .is_some_and(|errno| unsupported.contains(&errno))
}
