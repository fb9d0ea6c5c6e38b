//! Why a call of dockerd is refused, or the plugin does not run.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use super::released;
use crate::docker::settings::{SettingsError, plugs};
use crate::docker::state::StateError;
use crate::error::ExitCode;

/// What it can be.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// Another one runs.
    #[error("another plugin holds {0}")]
    Another(&'static str),
    /// The socket cannot be had.
    #[error("listening at {}: {source}", path.display())]
    Listen {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Whoever it is, it goes on.
    #[error("listening at {}: somebody does so already", path.display())]
    Taken {
        /// Where.
        path: PathBuf,
    },
    /// An option of a network, or of a container in it.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// What is kept of networks.
    #[error(transparent)]
    State(#[from] StateError),
    /// dockerd speaks of a network of which it never told us.
    #[error("the network {} is not known here", short(id))]
    UnknownNetwork {
        /// Docker's id.
        id: String,
    },
    /// The same of an interface.
    #[error("the endpoint {} is not known here", short(id))]
    UnknownEndpoint {
        /// Docker's id.
        id: String,
    },
    /// Neither a subnet nor a gateway.
    #[error("{text} is no subnet")]
    NoSubnet {
        /// What dockerd said.
        text: String,
    },
    /// An address is to be learned, and Docker gives one besides.
    #[error("{asked} learns addresses, and Docker gives those of {subnet} besides")]
    TwoWays {
        /// The option, with its value.
        asked: String,
        /// The subnet.
        subnet: String,
    },
    /// A network whose containers would be plugged into nothing.
    #[error(
        "nothing says what the network is plugged into: one of {} is needed",
        plugs().join(", ")
    )]
    NoPlug,
    /// Two containers are to be known by one name.
    #[error("another container is known as {name}, or about to be")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// An address is given anew while the interface that had it has not ended.
    #[error("another container still has {address}")]
    AddressTaken {
        /// The address.
        address: IpAddr,
    },
    /// Another call has not come to its end.
    #[error("{name} is still being made or ended")]
    Busy {
        /// What it is known by.
        name: String,
    },
    /// No number is left for another container.
    #[error("the network has {most} containers, and no place for another")]
    Full {
        /// So many.
        most: usize,
    },
    /// A subnet is asked for, whichever.
    #[error("a network whose addresses pipework gives needs a --subnet")]
    AnySubnet,
    /// No pool is called so.
    #[error("the pool {id} is not known here")]
    UnknownPool {
        /// Its name.
        id: String,
    },
    /// An address that is not in the subnet, or none that a host has.
    #[error("{address} is no address of a host in {subnet}")]
    Outside {
        /// What was asked for.
        address: String,
        /// The subnet.
        subnet: String,
    },
    /// Options of an IPAM driver that has none.
    #[error("--ipam-opt {key} is no option")]
    IpamOption {
        /// The first of them.
        key: String,
    },
    /// Docker's routes have a destination and a router.
    #[error("route={text}: Docker gives containers no metric, table, source or onlink")]
    Route {
        /// The route.
        text: String,
    },
    /// A namespace to make the interface in cannot be had.
    #[error("{}: {source}", path.display())]
    Scratch {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The interface that was made is nowhere.
    #[error("the interface {link} is not on the host any more")]
    Gone {
        /// Its name.
        link: String,
    },
    /// A path that is none of dockerd's.
    #[error("{} is no namespace of Docker's", .0.display())]
    Sandbox(PathBuf),
    /// What was freed cannot be noted.
    #[error(
        "noting in {} that {address} was given back: {source}",
        released::DIRECTORY
    )]
    Note {
        /// The address.
        address: IpAddr,
        /// Why not.
        source: io::Error,
    },
    /// No network, or not one alone, is meant by the beginning of an id.
    #[error("{}", not_kept(text, ids))]
    NotKept {
        /// What was said to be its id.
        text: String,
        /// Those that begin so.
        ids: Vec<String>,
    },
    /// dockerd has a network that is said to be nobody's.
    #[error("dockerd has the network {}", short(id))]
    Listed {
        /// Docker's id.
        id: String,
    },
    /// dockerd does not say whether it has a network.
    #[error("whether dockerd has the network {} is not known: {why}", short(id))]
    Silent {
        /// Docker's id.
        id: String,
        /// What is wrong with it.
        why: String,
    },
    /// An interface of a network is known.
    #[error("a container is in the network {}", short(id))]
    Used {
        /// Docker's id.
        id: String,
    },
    /// A thread could not be started.
    #[error("starting a thread: {0}")]
    Thread(#[source] io::Error),
}

fn not_kept(text: &str, ids: &[String]) -> String {
    let shown: Vec<&str> = ids.iter().map(|id| short(id)).collect();
    match shown.is_empty() {
        true => format!("no network of Docker's is kept whose id begins with {text}"),
        false => format!("{text} may be {}", shown.join(" or ")),
    }
}

/// As Docker shows ids.
pub(super) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

impl DockerError {
    /// The code that the process exits with.
    pub fn exit_code(&self) -> ExitCode {
        self.meaning().0
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        self.meaning().1
    }

    fn meaning(&self) -> (ExitCode, Option<String>) {
        use ExitCode::{Host, Record, Request};
        let hint = |text: &str| Some(text.to_owned());
        match self {
            Self::Settings(error) => (Request, error.hint()),
            Self::TwoWays { .. } => (Request, hint("add --ipam-driver null, or leave it out")),
            Self::NoPlug => (
                Request,
                hint("docker network create -d pipework -o bridge=br0 …"),
            ),
            Self::NameTaken { .. } => (Request, hint("give each a name of its own")),
            Self::AddressTaken { .. } => (
                Request,
                hint("end it first: docker network inspect shows who is there"),
            ),
            Self::Route { .. } => (Request, hint("write DESTINATION via ROUTER")),
            Self::State(StateError::Newer { .. }) => {
                (Record, hint("install the release that wrote it"))
            }
            Self::State(StateError::Unreadable { .. }) => (
                Record,
                hint("move it away once the containers of its network have ended"),
            ),
            Self::State(_) => (Record, None),
            Self::UnknownNetwork { .. } => (
                Host,
                hint("dockerd tells of a network once: docker network rm it, and create it anew"),
            ),
            Self::NotKept { .. } => (
                Host,
                hint("pipework doctor records names those that dockerd does not have"),
            ),
            Self::Listed { id } => (Host, Some(format!("docker network rm {}", short(id)))),
            Self::Silent { .. } => (
                Host,
                hint("start dockerd; where there is none any more, say --force"),
            ),
            Self::Used { .. } => (
                Host,
                hint(
                    "end it; one that is gone is found within three minutes while the plugin runs",
                ),
            ),
            Self::UnknownEndpoint { .. } => (Host, hint("start the container again")),
            Self::AnySubnet => (Host, hint("docker network create --subnet 10.0.0.0/24 …")),
            Self::Taken { .. } => (
                Host,
                hint(
                    "where pipework-docker.socket is enabled systemd does, and needs no second plugin",
                ),
            ),
            Self::Another(_)
            | Self::Listen { .. }
            | Self::NoSubnet { .. }
            | Self::UnknownPool { .. }
            | Self::Busy { .. }
            | Self::Full { .. }
            | Self::Outside { .. }
            | Self::IpamOption { .. }
            | Self::Scratch { .. }
            | Self::Gone { .. }
            | Self::Sandbox(_)
            | Self::Note { .. }
            | Self::Thread(_) => (Host, None),
        }
    }
}
