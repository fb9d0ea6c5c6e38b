//! Waits for addresses that the kernel makes of what routers advertise, and
//! hears what the routers say besides.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::{Cause, Kernel};
use crate::plan::SlaacStep;
use crate::request::IfName;
use crate::sys;
use crate::sys::router::{RouterAdvertisement, RouterSocket};
use crate::sys::rtnl::RawAddress;

/// Routers answer within half a second (`MAX_RA_DELAY_TIME`, RFC 4861 §10), mostly
/// at once.
const PAUSE: Duration = Duration::from_millis(2);
/// Whoever has waited for long can wait a little longer.
const LONG_PAUSE: Duration = Duration::from_millis(20);
/// Advertisements that are read at once.
const MOST_HEARD: usize = 16;
/// Name servers, or search domains, of one interface that are kept.
const MOST_NAMES: usize = 32;

/// Why there is no address.
#[derive(Debug, thiserror::Error)]
pub enum SlaacError {
    /// The socket.
    #[error("ICMPv6 socket: {0}")]
    Socket(#[from] io::Error),
    /// Nobody advertised anything.
    #[error("no router was heard within {} s", .waited.as_secs_f32())]
    NoRouter {
        /// How long was waited.
        waited: Duration,
    },
    /// What was advertised has no prefix that addresses are made of.
    #[error("the router {router} advertises no prefix to make an address of")]
    NoPrefix {
        /// Who was heard last.
        router: Ipv6Addr,
        /// It says that addresses come from DHCPv6.
        managed: bool,
    },
    /// The kernel found another host with the address.
    #[error("another host has {address}")]
    Duplicate {
        /// The address.
        address: IpAddr,
    },
    /// A prefix was advertised, and the address is not ready yet.
    #[error("{ifname} has no address that can be used after {} s, although {router} advertises a prefix", .waited.as_secs_f32())]
    NotReady {
        /// The interface.
        ifname: IfName,
        /// Who was heard last.
        router: Ipv6Addr,
        /// How long was waited.
        waited: Duration,
    },
}

impl SlaacError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Socket(_) => None,
            Self::NoRouter { .. } => Some(
                "is there a router with IPv6 on that network? `tcpdump -ni DEVICE 'icmp6[0] == 134'` shows what it says"
                    .to_owned(),
            ),
            Self::NoPrefix { managed: true, .. } => {
                Some("it leaves addresses to a server: pipework.ip=dhcp6".to_owned())
            }
            Self::NoPrefix { managed: false, .. } => {
                Some("let the router advertise a prefix with the autonomous flag, or write the address".to_owned())
            }
            Self::Duplicate { .. } => {
                Some("give the container another hardware address: pipework.mac".to_owned())
            }
            Self::NotReady { .. } => None,
        }
    }
}

/// The sockets that listen to routers, and what was heard by them.
#[derive(Debug, Default)]
pub struct Routers(RefCell<Vec<Heard>>);

#[derive(Debug)]
struct Heard {
    ifindex: u32,
    socket: RouterSocket,
    last: Option<RouterAdvertisement>,
    has_prefix: bool,
    dns: Vec<Ipv6Addr>,
    search: Vec<String>,
    other: bool,
    leads_out: bool,
}

/// What the routers of an interface said besides addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Name servers.
    pub dns: Vec<Ipv6Addr>,
    /// Search domains.
    pub search: Vec<String>,
    /// There is more to ask a server of DHCPv6 for.
    pub other: bool,
    /// One of them is a default router.
    pub leads_out: bool,
}

impl Routers {
    fn listen(&self, ifindex: u32, socket: RouterSocket) {
        self.0.borrow_mut().push(Heard {
            ifindex,
            socket,
            last: None,
            has_prefix: false,
            dns: Vec::new(),
            search: Vec::new(),
            other: false,
            leads_out: false,
        });
    }

    /// Reads what has come in.
    fn hear(&self, ifindex: u32) -> io::Result<()> {
        let mut all = self.0.borrow_mut();
        let Some(heard) = all.iter_mut().find(|heard| heard.ifindex == ifindex) else {
            return Ok(());
        };
        for _ in 0..MOST_HEARD {
            let Some(said) = heard.socket.receive_now()? else {
                break;
            };
            heard.has_prefix |= said.has_prefix;
            // Who leaves addresses to a server leaves the rest to it as well
            // (RFC 4861 §4.2).
            heard.other |= said.other || said.managed;
            heard.leads_out |= said.lifetime > 0;
            let is_new = |server: &&Ipv6Addr| !heard.dns.contains(server);
            let servers: Vec<Ipv6Addr> = said.dns.iter().filter(is_new).copied().collect();
            heard.dns.extend(servers);
            heard.dns.truncate(MOST_NAMES);
            let is_new = |domain: &&String| !heard.search.contains(domain);
            let domains: Vec<String> = said.search.iter().filter(is_new).cloned().collect();
            heard.search.extend(domains);
            heard.search.truncate(MOST_NAMES);
            heard.last = Some(said);
        }
        Ok(())
    }

    /// What was said to an interface so far.
    pub fn said(&self, ifindex: u32) -> Said {
        // What cannot be read is not said.
        let _ = self.hear(ifindex);
        let all = self.0.borrow();
        let heard = all.iter().find(|heard| heard.ifindex == ifindex);
        heard.map_or_else(Said::default, |heard| Said {
            dns: heard.dns.clone(),
            search: heard.search.clone(),
            other: heard.other,
            leads_out: heard.leads_out,
        })
    }

    /// Why there is no address by now.
    fn why_not(&self, ifindex: u32, ifname: &IfName, waited: Duration) -> SlaacError {
        let all = self.0.borrow();
        let heard = all.iter().find(|heard| heard.ifindex == ifindex);
        let said = heard.and_then(|heard| Some((heard.last.as_ref()?, heard.has_prefix)));
        match said {
            None => SlaacError::NoRouter { waited },
            Some((last, false)) => SlaacError::NoPrefix {
                router: last.router,
                managed: last.managed,
            },
            Some((last, true)) => SlaacError::NotReady {
                ifname: ifname.clone(),
                router: last.router,
                waited,
            },
        }
    }
}

/// Takes one of these steps.
pub(super) async fn once(step: &SlaacStep, kernel: &Kernel<'_>) -> Result<(), Cause> {
    match step {
        SlaacStep::Listen { ifindex, ifname } => {
            let socket = RouterSocket::open_in(kernel.netns, kernel.home, ifname);
            let socket = match socket {
                // Without IPv6 the settings that follow say so.
                Err(e) if e.raw_os_error() == Some(nix::libc::EAFNOSUPPORT) => return Ok(()),
                other => other.map_err(SlaacError::from)?,
            };
            kernel.routers.listen(*ifindex, socket);
            Ok(())
        }
        SlaacStep::Await {
            ifindex,
            ifname,
            given,
            time,
        } => {
            let begin = Instant::now();
            let time = (*time).min(kernel.deadline.remaining());
            loop {
                kernel.routers.hear(*ifindex).map_err(SlaacError::from)?;
                if has_address(*ifindex, given, kernel).await? {
                    return Ok(());
                }
                let waited = begin.elapsed();
                if waited >= time {
                    return Err(kernel.routers.why_not(*ifindex, ifname, waited).into());
                }
                kernel.check_ending(ifname).map_err(Box::new)?;
                let is_long = waited > Duration::from_secs(1);
                sys::pause(if is_long { LONG_PAUSE } else { PAUSE }).await;
            }
        }
    }
}

/// Whether the kernel has made an address that can be used.
async fn has_address(ifindex: u32, given: &[IpAddr], kernel: &Kernel<'_>) -> Result<bool, Cause> {
    let all = kernel.guest.addresses_of(ifindex).await?;
    let is_made = |address: &&RawAddress| {
        let own = address.address();
        address.is_v6() && !address.is_link_local() && own.is_some_and(|own| !given.contains(&own))
    };
    let mut made = all.iter().filter(is_made);
    if let Some(address) = made.clone().find(|address| address.is_duplicate())
        && let Some(address) = address.address()
    {
        return Err(SlaacError::Duplicate { address }.into());
    }
    Ok(made.any(RawAddress::is_usable))
}
