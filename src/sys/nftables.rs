//! The chains of nf_tables that frames from port to port of a bridge go through.
//!
//! Read only, and by the kernel's own words (include/uapi/linux/netfilter/nf_tables.h),
//! whoever made them: nft, or iptables as most hosts have it now.

use std::io;

use rtnetlink::packet_core::{NLM_F_DUMP, NLM_F_REQUEST};

use super::rtnl::object::Object;
use super::rtnl::socket::{Exchange, PromptSocket};
use super::rtnl::{RtnlError, refusal};
use crate::deadline::Deadline;

/// `NETLINK_NETFILTER` (include/uapi/linux/netlink.h).
const NETLINK_NETFILTER: isize = 12;
/// `NFNL_SUBSYS_NFTABLES`, and `NFT_MSG_GETCHAIN` or `NFT_MSG_GETRULE`.
const GET_CHAIN: (u16, &str) = (10 << 8 | 4, "NFT_MSG_GETCHAIN");
const GET_RULE: (u16, &str) = (10 << 8 | 7, "NFT_MSG_GETRULE");
/// struct nfgenmsg: family, version and two bytes of a resource's number.
const HEADER_BYTES: usize = 4;
const NFTA_CHAIN_TABLE: u16 = 1;
const NFTA_CHAIN_NAME: u16 = 3;
const NFTA_CHAIN_HOOK: u16 = 4;
const NFTA_CHAIN_POLICY: u16 = 5;
const NFTA_HOOK_HOOKNUM: u16 = 1;
const NFTA_RULE_TABLE: u16 = 1;
const NFTA_RULE_CHAIN: u16 = 2;
const NFTA_RULE_EXPRESSIONS: u16 = 4;
const NFTA_LIST_ELEM: u16 = 1;
const NFTA_EXPR_NAME: u16 = 1;
const NFTA_EXPR_DATA: u16 = 2;
const NFTA_CMP_OP: u16 = 2;
const NFTA_CMP_DATA: u16 = 3;
const NFTA_IMMEDIATE_DATA: u16 = 2;
const NFTA_DATA_VALUE: u16 = 1;
const NFTA_DATA_VERDICT: u16 = 2;
const NFTA_VERDICT_CODE: u16 = 1;
const NFT_CMP_EQ: u32 = 0;
const NF_ACCEPT: u32 = 1;
/// `NF_INET_FORWARD`, and `NF_BR_FORWARD` as well.
const FORWARD: u32 = 2;
const NF_DROP: u32 = 0;

/// What a chain sees (include/uapi/linux/netfilter.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `NFPROTO_INET`: both.
    Inet,
    /// `NFPROTO_IPV4`.
    Ip,
    /// `NFPROTO_IPV6`.
    Ip6,
    /// `NFPROTO_BRIDGE`: frames, whatever is in them.
    Bridge,
}

impl Family {
    fn number(self) -> u8 {
        match self {
            Self::Inet => 1,
            Self::Ip => 2,
            Self::Bridge => 7,
            Self::Ip6 => 10,
        }
    }

    fn of(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Inet),
            2 => Some(Self::Ip),
            7 => Some(Self::Bridge),
            10 => Some(Self::Ip6),
            _ => None,
        }
    }

    /// As nft writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::Ip => "ip",
            Self::Ip6 => "ip6",
            Self::Bridge => "bridge",
        }
    }
}

/// A chain that drops what no rule of it accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppingChain {
    /// What it sees.
    pub family: Family,
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
}

/// The chains at the hook `forward` whose policy is drop. `EPERM` without
/// CAP_NET_ADMIN; none where the kernel has no nf_tables.
pub fn dropping_forward_chains(deadline: Deadline) -> Result<Vec<DroppingChain>, RtnlError> {
    // NFPROTO_UNSPEC: of every family.
    let answers = dump(GET_CHAIN, &[0; HEADER_BYTES], deadline)?;
    Ok(answers.iter().filter_map(|it| dropping(it)).collect())
}

/// Whether a rule of `chain` accepts everything that comes from `bridge`, and asks
/// for nothing else.
pub fn accepts_all_of(
    chain: &DroppingChain,
    bridge: &str,
    deadline: Deadline,
) -> Result<bool, RtnlError> {
    let mut wanted = Object::new(&[chain.family.number(), 0, 0, 0]);
    wanted.set_text(NFTA_RULE_TABLE, &chain.table);
    wanted.set_text(NFTA_RULE_CHAIN, &chain.name);
    let rules = dump(GET_RULE, &wanted.emit(), deadline)?;
    // A kernel that knows no such filter tells the rules of all chains.
    let is_of_chain = |rule: &Object| {
        rule.value_text(NFTA_RULE_TABLE).as_ref() == Some(&chain.table)
            && rule.value_text(NFTA_RULE_CHAIN).as_ref() == Some(&chain.name)
            && rule.byte(0) == chain.family.number()
    };
    let mut rules = rules
        .iter()
        .filter_map(|it| Object::parse(it, HEADER_BYTES));
    Ok(rules.any(|rule| is_of_chain(&rule) && accepts(&rule, bridge).unwrap_or(false)))
}

/// Everything that the kernel tells when it is asked for a list.
fn dump(
    (request, operation): (u16, &'static str),
    message: &[u8],
    deadline: Deadline,
) -> Result<Vec<Vec<u8>>, RtnlError> {
    let broken = |error: io::Error| RtnlError::broken(operation, &error);
    let socket = match PromptSocket::open_for(NETLINK_NETFILTER) {
        Ok(socket) => socket,
        Err(error) if error.raw_os_error() == Some(nix::libc::EPROTONOSUPPORT) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(broken(error)),
    };
    let flags = NLM_F_REQUEST | NLM_F_DUMP;
    let sent = socket.exchange_bytes(request, message, flags, deadline);
    match sent.map_err(broken)? {
        Exchange::Answered(answers) => Ok(answers.into_iter().map(|it| it.payload).collect()),
        Exchange::Refused(error) if error.raw_code() == -nix::libc::EINVAL => Ok(Vec::new()),
        Exchange::Refused(error) => Err(refusal(operation, &error)),
        Exchange::TimedOut => Err(RtnlError::TimedOut { operation }),
    }
}

/// Whether a rule is "from `bridge`: accept". One that asks for more, or does
/// something else first, accepts less or is not understood.
fn accepts(rule: &Object, bridge: &str) -> Option<bool> {
    let list = Object::parse(rule.value(NFTA_RULE_EXPRESSIONS)?, 0)?;
    let (mut names_bridge, mut accepts) = (false, false);
    for expression in list.values(NFTA_LIST_ELEM) {
        let expression = Object::parse(expression, 0)?;
        let data = expression.value(NFTA_EXPR_DATA).unwrap_or_default();
        let data = Object::parse(data, 0)?;
        match expression.value_text(NFTA_EXPR_NAME)?.as_str() {
            "meta" | "counter" => {}
            "cmp" => {
                let value = Object::parse(data.value(NFTA_CMP_DATA)?, 0)?;
                let is_equal = be(data.value(NFTA_CMP_OP)?)? == NFT_CMP_EQ;
                if !is_equal || value.value_text(NFTA_DATA_VALUE)? != bridge {
                    return Some(false);
                }
                names_bridge = true;
            }
            "immediate" => {
                let value = Object::parse(data.value(NFTA_IMMEDIATE_DATA)?, 0)?;
                let verdict = Object::parse(value.value(NFTA_DATA_VERDICT)?, 0)?;
                accepts = be(verdict.value(NFTA_VERDICT_CODE)?)? == NF_ACCEPT;
            }
            _ => return Some(false),
        }
    }
    Some(names_bridge && accepts)
}

/// A number as nf_tables writes it.
fn be(value: &[u8]) -> Option<u32> {
    value.first_chunk().copied().map(u32::from_be_bytes)
}

/// The chain, if it is one of those.
fn dropping(message: &[u8]) -> Option<DroppingChain> {
    let chain = Object::parse(message, HEADER_BYTES)?;
    let hook = Object::parse(chain.value(NFTA_CHAIN_HOOK)?, 0)?;
    let is_forward = be(hook.value(NFTA_HOOK_HOOKNUM)?)? == FORWARD;
    let is_drop = be(chain.value(NFTA_CHAIN_POLICY)?)? == NF_DROP;
    if !is_forward || !is_drop {
        return None;
    }
    Some(DroppingChain {
        family: Family::of(chain.byte(0))?,
        table: chain.value_text(NFTA_CHAIN_TABLE)?,
        name: chain.value_text(NFTA_CHAIN_NAME)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(hook: u32, policy: u32) -> Vec<u8> {
        let mut place = Object::new(&[]);
        place.set(NFTA_HOOK_HOOKNUM, &hook.to_be_bytes());
        let mut chain = Object::new(&[2, 0, 0, 0]);
        chain.set_text(NFTA_CHAIN_TABLE, "filter");
        chain.set_text(NFTA_CHAIN_NAME, "FORWARD");
        chain.set(NFTA_CHAIN_HOOK, &place.emit());
        chain.set(NFTA_CHAIN_POLICY, &policy.to_be_bytes());
        chain.emit()
    }

    #[test]
    fn only_a_chain_that_drops_what_is_forwarded_counts() {
        let found = dropping(&chain(FORWARD, NF_DROP)).unwrap();
        assert_eq!((found.family, found.name.as_str()), (Family::Ip, "FORWARD"));
        assert_eq!(dropping(&chain(1, NF_DROP)), None);
        assert_eq!(dropping(&chain(FORWARD, 1)), None);
    }

    #[test]
    fn a_message_that_is_cut_anywhere_gives_no_panic() {
        let whole = chain(FORWARD, NF_DROP);
        for length in 0..whole.len() {
            let _ = dropping(&whole[..length]);
        }
    }
}
