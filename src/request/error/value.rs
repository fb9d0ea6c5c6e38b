//! Why a value does not have the form that its key needs: one variant per type.

use thiserror::Error;

use crate::request::address::{AddressError, FormError};
use crate::request::classic::LineError;
use crate::request::dad::DadError;
use crate::request::device::{DeviceError, IpvlanModeError, MacvlanModeError};
use crate::request::dhcp::{ClientIdError, DhcpServersError, FallbackError};
use crate::request::dhcp_program::DhcpProgramError;
use crate::request::dns::DnsError;
use crate::request::ifname::IfNameError;
use crate::request::keys::FormMismatch;
use crate::request::mac::MacError;
use crate::request::mtu::MtuError;
use crate::request::neighbour::NeighbourError;
use crate::request::network::NetworkNameError;
use crate::request::ovs::ExternalIdError;
use crate::request::pkey::PkeyError;
use crate::request::rate::RateError;
use crate::request::route::RouteError;
use crate::request::rule::RuleError;
use crate::request::sysctl::SysctlError;
use crate::request::tc::TcError;
use crate::request::vf::TxRateError;
use crate::request::vlan::VlanError;

/// Why a value does not have the form that its key needs.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ValueError {
    /// Addresses or gateways.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A word such as `dhcp` or `pool`.
    #[error(transparent)]
    Form(#[from] FormError),
    /// A reference to a device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The name of an interface.
    #[error(transparent)]
    IfName(#[from] IfNameError),
    /// A hardware address.
    #[error(transparent)]
    Mac(#[from] MacError),
    /// The mode of a macvlan.
    #[error(transparent)]
    Mode(#[from] MacvlanModeError),
    /// The mode of an ipvlan.
    #[error(transparent)]
    IpvlanMode(#[from] IpvlanModeError),
    /// An MTU.
    #[error(transparent)]
    Mtu(#[from] MtuError),
    /// A rate or a size.
    #[error(transparent)]
    Rate(#[from] RateError),
    /// Lines of traffic control.
    #[error(transparent)]
    Tc(#[from] TcError),
    /// A list of routes.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// A list of rules.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A list of neighbours.
    #[error(transparent)]
    Neighbour(#[from] NeighbourError),
    /// Detection of duplicate addresses.
    #[error(transparent)]
    Dad(#[from] DadError),
    /// A kernel setting.
    #[error(transparent)]
    Sysctl(#[from] SysctlError),
    /// A VLAN, or a list of them.
    #[error(transparent)]
    Vlan(#[from] VlanError),
    /// A key of external-ids.
    #[error(transparent)]
    ExternalId(#[from] ExternalIdError),
    /// A partition of InfiniBand.
    #[error(transparent)]
    Pkey(#[from] PkeyError),
    /// A rate of a virtual function.
    #[error(transparent)]
    TxRate(#[from] TxRateError),
    /// A client identifier.
    #[error(transparent)]
    ClientId(#[from] ClientIdError),
    /// Servers of DHCP.
    #[error(transparent)]
    DhcpServers(#[from] DhcpServersError),
    /// A program that asks.
    #[error(transparent)]
    DhcpProgram(#[from] DhcpProgramError),
    /// What to do without a lease.
    #[error(transparent)]
    Fallback(#[from] FallbackError),
    /// Name servers.
    #[error(transparent)]
    Dns(#[from] DnsError),
    /// The name of a network.
    #[error(transparent)]
    NetworkName(#[from] NetworkNameError),
    /// A line of the shell script.
    #[error(transparent)]
    Line(#[from] LineError),
    /// Anything else in the table of keys.
    #[error(transparent)]
    Mismatch(#[from] FormMismatch),
}
