//! The exit code of every kind of failure: crun tells its caller nothing else.

use std::io;
use std::time::Duration;

use super::{Error, ExitCode};
use crate::apply::{ApplyError, Cause, LeaseError, Left, MacInUse, SlaacError};
use crate::collect::CollectError;
use crate::frontend::hook::StateError;
use crate::frontend::nri::NriError;
use crate::frontend::runtime::RuntimeError;
use crate::host::container::ContainerError;
use crate::host::find::FindError;
use crate::host::inspect::InspectError;
use crate::keeper::{DaemonError, KeeperError};
use crate::networks::NetworkError;
use crate::plan::{PlanError, Step, Undo};
use crate::policy::PolicyError;
use crate::pools::PoolError;
use crate::record::RecordError;
use crate::request::{IfName, Origin, RequestError};
use crate::sys::ovsdb::OvsdbError;
use crate::sys::ovsdb::vswitch::OvsError;
use crate::sys::rtnl::RtnlError;
use crate::uplink::error::UplinkError;

fn ifname() -> IfName {
    "eth1".parse().unwrap()
}

fn broken() -> io::Error {
    io::Error::other("broken")
}

fn of_nowhere() -> PlanError {
    PlanError::NoSuchDevice {
        device: "br0".to_owned(),
        origin: Origin::Default,
    }
}

fn locked() -> RecordError {
    RecordError::Locked {
        what: "the bridge br0".to_owned(),
    }
}

fn not_ours() -> RecordError {
    RecordError::NotOurs {
        path: "/run/pipework".to_owned(),
    }
}

fn out_of_time() -> Cause {
    let total = Duration::from_secs(45);
    Cause::Deadline { total }
}

/// A step that was refused, with all before it taken back.
fn refused(cause: Cause) -> ApplyError {
    ApplyError {
        step: Box::new(Step::RaiseLoopback),
        origin: Origin::Default,
        interface: None,
        cause,
        undone: Vec::new(),
        left: Vec::new(),
        holders: Vec::new(),
    }
}

/// The same, and something that could not be.
fn stuck(cause: Cause) -> ApplyError {
    let error = Cause::Record(not_ours());
    let undo = Undo::LowerLoopback;
    ApplyError {
        left: vec![Left { undo, error }],
        ..refused(cause)
    }
}

fn codes_are(code: ExitCode, errors: Vec<Error>) {
    for error in errors {
        assert_eq!(error.exit_code(), code, "{error:?}");
    }
}

#[test]
fn what_is_wrong_before_anything_is_looked_at_has_codes_of_its_own() {
    let key = "pipework..ip".to_owned();
    codes_are(ExitCode::State, vec![StateError::NoId.into()]);
    codes_are(
        ExitCode::Request,
        vec![
            RequestError::KeyEmptyPart { key }.into(),
            Error::SharedDiffers {
                ifname: ifname(),
                holder: "web".to_owned(),
            },
            NetworkError::Unknown {
                name: "lan".parse().unwrap(),
                path: "/etc/pipework/networks.d".into(),
                similar: None,
            }
            .into(),
        ],
    );
    codes_are(
        ExitCode::Policy,
        vec![PolicyError::CrioPod.into(), Error::CrioPod],
    );
}

#[test]
fn a_container_that_cannot_be_entered_has_a_code_by_what_is_wrong_with_it() {
    let (pid, source) = (7, broken());
    codes_are(ExitCode::Rootless, vec![ContainerError::Rootless.into()]);
    codes_are(
        ExitCode::HostNetwork,
        vec![ContainerError::HostNetwork.into()],
    );
    codes_are(
        ExitCode::NoProcess,
        vec![
            ContainerError::NoPid { pid: None }.into(),
            ContainerError::Gone { pid }.into(),
            FindError::NoName.into(),
            Error::Stopped {
                name: "web".to_owned(),
                engine: "podman".to_owned(),
            },
        ],
    );
    codes_are(
        ExitCode::Host,
        vec![ContainerError::Io { pid, source }.into()],
    );
}

#[test]
fn a_host_that_does_not_suit_is_one_code() {
    codes_are(
        ExitCode::Host,
        vec![
            of_nowhere().into(),
            InspectError::Guest(broken()).into(),
            Error::SandboxNotAttached { ifname: ifname() },
            Error::NicHeld {
                nic: "up0".to_owned(),
                holder: "web".to_owned(),
                since: "noon".to_owned(),
            },
            MacInUse {
                holder: "web".to_owned(),
                mac: "02:00:00:00:00:05".parse().unwrap(),
            }
            .into(),
            Error::MachineId(broken()),
            DaemonError::Another.into(),
            NriError::Another.into(),
            KeeperError::Absent.into(),
            Error::NoLease {
                name: "web".to_owned(),
            },
            Error::NotAttached {
                name: "web".to_owned(),
            },
            RuntimeError::None.into(),
            Error::Socket(broken()),
            UplinkError::NoDevice("up0".to_owned()).into(),
        ],
    );
}

#[test]
fn time_that_ran_out_is_one_code_wherever_it_did() {
    let operation = "looking at a link";
    let waiting = RtnlError::TimedOut { operation };
    let slow = OvsError::Database(OvsdbError::TimedOut);
    codes_are(
        ExitCode::Deadline,
        vec![
            locked().into(),
            refused(out_of_time()).into(),
            InspectError::Kernel(waiting.clone()).into(),
            refused(waiting.into()).into(),
            refused(locked().into()).into(),
            refused(slow.into()).into(),
        ],
    );
    codes_are(
        ExitCode::Record,
        vec![
            not_ours().into(),
            DaemonError::Record(not_ours()).into(),
            NriError::Lock(broken()).into(),
        ],
    );
}

#[test]
fn a_step_that_was_refused_has_a_code_by_why_and_by_what_is_left() {
    codes_are(
        ExitCode::Refused,
        vec![refused(Cause::Record(not_ours())).into()],
    );
    let held = SlaacError::Duplicate {
        address: "fd00::5".parse().unwrap(),
    };
    codes_are(ExitCode::AddressInUse, vec![refused(held.into()).into()]);
    let nobody = LeaseError::NoKeeper { ifname: ifname() };
    codes_are(
        ExitCode::NoLease,
        vec![
            refused(Box::new(nobody).into()).into(),
            LeaseError::NoKeeper { ifname: ifname() }.into(),
            Error::Pool(Box::new(PoolError::Io {
                path: "/run/pipework".into(),
                source: broken(),
            })),
        ],
    );
    // What is left counts more than why.
    codes_are(
        ExitCode::RollbackIncomplete,
        vec![
            stuck(out_of_time()).into(),
            Error::NotTakenBack(Box::new(CollectError::Enter(broken()))),
        ],
    );
}

#[test]
fn every_code_is_in_the_table_once_and_has_a_name_of_its_own() {
    let mut numbers: Vec<u8> = ExitCode::TABLE.iter().map(|row| row.0 as u8).collect();
    let mut names: Vec<&str> = ExitCode::TABLE.iter().map(|row| row.0.name()).collect();
    numbers.dedup();
    names.sort_unstable();
    names.dedup();
    assert_eq!((numbers.len(), names.len()), (14, 14));
    assert!(numbers.is_sorted(), "{numbers:?}");
}
