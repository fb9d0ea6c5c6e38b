//! Errors as the author of a pod is told them: without the names of containers
//! that are in other namespaces. The log of the node names all.

use super::Error;
use crate::apply::{ApplyError, Cause, MacInUse, NicError};
use crate::plan::{HostUse, NicPlanError, PlanError};
use crate::pools::PoolError;
use crate::rt::{MayName, hide_all, hide_one};

impl Error {
    /// Takes out of it the names of containers that may not be told.
    pub fn hide_names(&mut self, may_name: MayName<'_>) {
        match self {
            Self::MacInUse(MacInUse { holder, .. })
            | Self::SharedDiffers { holder, .. }
            | Self::NicHeld { holder, .. } => hide_one(holder, may_name),
            Self::Pool(error) => in_pool(error, may_name),
            Self::Plan(error) => in_plan(error, may_name),
            Self::Apply(error) => in_apply(error, may_name),
            // These know of nobody but who asks.
            Self::State(_)
            | Self::Request(_)
            | Self::Network(_)
            | Self::Container(_)
            | Self::Find(_)
            | Self::Stopped { .. }
            | Self::Inspect(_)
            | Self::Policy(_)
            | Self::Record(_)
            | Self::Lease(_)
            | Self::CrioPod
            | Self::SandboxNotAttached { .. }
            | Self::MachineId(_)
            | Self::Uplink(_)
            | Self::Daemon(_)
            | Self::Nri(_)
            | Self::Docker(_)
            | Self::Keeper(_)
            | Self::NoLease { .. }
            | Self::NotAttached { .. }
            | Self::NotTakenBack(_)
            | Self::Runtime(_)
            | Self::Socket(_) => {}
        }
    }
}

fn in_pool(error: &mut PoolError, may_name: MayName<'_>) {
    match error {
        PoolError::Exhausted {
            holders, unnamed, ..
        } => {
            let all = holders.len();
            holders.retain(|claim| may_name(&claim.owner.name));
            *unnamed += all - holders.len();
        }
        PoolError::Held(claim) if !may_name(&claim.owner.name) => {
            *error = PoolError::HeldUnnamed(claim.address);
        }
        PoolError::Held(_)
        | PoolError::HeldUnnamed(_)
        | PoolError::Locked { .. }
        | PoolError::Late { .. }
        | PoolError::TooMany(_)
        | PoolError::Io { .. } => {}
    }
}

fn in_plan(error: &mut PlanError, may_name: MayName<'_>) {
    let PlanError::Nic(error) = error else { return };
    let busy = match error {
        NicPlanError::UsedBy { users, .. } => return hide_all(users, may_name),
        NicPlanError::HostUses {
            host_use: HostUse::Functions(busy),
            ..
        } => busy,
        NicPlanError::NoFreeVf { busy, .. } => &mut busy.reasons,
        NicPlanError::HostUses { .. }
        | NicPlanError::EndsWithIt { .. }
        | NicPlanError::ComesBackElsewhere { .. }
        | NicPlanError::NotDistinct { .. }
        | NicPlanError::Carries { .. }
        | NicPlanError::UsedTwice { .. }
        | NicPlanError::NotAVf { .. }
        | NicPlanError::Wireless { .. }
        | NicPlanError::NotWireless { .. }
        | NicPlanError::IndexTaken { .. }
        | NicPlanError::NotInfiniband { .. }
        | NicPlanError::VlanOfFreeVf { .. } => return,
    };
    for function in busy {
        hide_all(&mut function.holders, may_name);
    }
}

fn in_apply(error: &mut ApplyError, may_name: MayName<'_>) {
    hide_all(&mut error.holders, may_name);
    match &mut error.cause {
        Cause::Pool(error) => in_pool(error, may_name),
        Cause::MacInUse(MacInUse { holder, .. }) | Cause::Nic(NicError::Held { holder, .. }) => {
            hide_one(holder, may_name);
        }
        Cause::Nic(NicError::NotBack { .. })
        | Cause::Rtnl(_)
        | Cause::Sysctl(_)
        | Cause::Record(_)
        | Cause::Shared(_)
        | Cause::Probe(_)
        | Cause::Ovs(_)
        | Cause::Config(_)
        | Cause::File(_)
        | Cause::Slaac(_)
        | Cause::Lease(_)
        | Cause::IndexTaken { .. }
        | Cause::Deadline { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::view::{BusyFunction, BusyFunctions};
    use crate::request::Origin;
    use crate::rt::{Claim, Holder, Owner, PoolName};

    const OWN: &str = "shop/web-1";
    const OTHERS: [&str; 2] = ["bank/vault-1", "bank/vault-2"];

    /// What somebody of the namespace `shop` is told.
    fn told(mut error: Error) -> String {
        error.hide_names(&|name| name.starts_with("shop/"));
        let text = super::super::report(&error, Some("shop/web"));
        assert!(!text.contains("vault"), "{text}");
        text.lines().next().unwrap().to_owned()
    }

    fn claim(name: &str, address: &str) -> Claim {
        Claim {
            pool: PoolName::of_network(&"lan".parse().unwrap()),
            address: address.parse().unwrap(),
            owner: Owner {
                engine: "nri".to_owned(),
                name: name.to_owned(),
                ifname: "net1".to_owned(),
            },
            holder: Holder::Lasting { id: String::new() },
        }
    }

    fn exhausted(holders: Vec<Claim>) -> Error {
        Error::Pool(Box::new(PoolError::Exhausted {
            pool: PoolName::of_network(&"lan".parse().unwrap()),
            range: "10.0.0.1-10.0.0.3".to_owned(),
            holders,
            unnamed: 0,
        }))
    }

    #[test]
    fn a_pool_that_is_full_names_who_is_of_the_same_namespace_and_counts_the_others() {
        let own = claim(OWN, "10.0.0.1");
        let others = OTHERS.map(|name| claim(name, "10.0.0.2"));
        let all = [vec![own], others.to_vec()].concat();
        let said = told(exhausted(all));
        let end = "10.0.0.1 is shop/web-1/net1's, and other namespaces hold 2";
        assert!(said.ends_with(end), "{said}");
        let said = told(exhausted(others.to_vec()));
        let end = "nothing left of 10.0.0.1-10.0.0.3: other namespaces hold 2";
        assert!(said.ends_with(end), "{said}");
    }

    #[test]
    fn an_address_that_is_held_is_said_to_be_whose_only_in_the_same_namespace() {
        let held = |name| {
            let claim = claim(name, "10.0.0.5");
            told(Error::Pool(Box::new(PoolError::Held(Box::new(claim)))))
        };
        let said = held(OWN);
        let end = "10.0.0.5 is held by shop/web-1/net1";
        assert!(said.ends_with(end), "{said}");
        let said = held(OTHERS[0]);
        let end = "10.0.0.5 is held by a container of another namespace";
        assert!(said.ends_with(end), "{said}");
    }

    #[test]
    fn devices_of_others_are_refused_without_their_names() {
        let nic = |error: NicPlanError| Error::from(PlanError::from(error));
        let names = || vec![OWN.to_owned(), OTHERS[0].to_owned(), OTHERS[1].to_owned()];
        let origin = || Origin::Default;
        let device = || "eth2".parse().unwrap();
        let busy = || BusyFunction {
            reason: "VF 0 (eth2v0) is claimed by".to_owned(),
            holders: vec![OTHERS[0].to_owned()],
        };
        let held = |holder: &str| Error::NicHeld {
            nic: "eth2".to_owned(),
            holder: holder.to_owned(),
            since: "now".to_owned(),
        };
        for (error, said) in [
            (
                nic(NicPlanError::UsedBy {
                    device: device(),
                    users: names(),
                    origin: origin(),
                }),
                "eth2 is the uplink of shop/web-1, 2 containers of other namespaces",
            ),
            (
                nic(NicPlanError::NoFreeVf {
                    card: device(),
                    busy: BusyFunctions {
                        count: 1,
                        reasons: vec![busy()],
                    },
                    origin: origin(),
                }),
                "VF 0 (eth2v0) is claimed by a container of another namespace",
            ),
            (
                nic(NicPlanError::HostUses {
                    device: device(),
                    host_use: HostUse::Functions(vec![busy()]),
                    origin: origin(),
                }),
                "VF 0 (eth2v0) is claimed by a container of another namespace",
            ),
            (
                held(OTHERS[0]),
                "eth2 is in a container of another namespace since now",
            ),
            (held(OWN), "eth2 is in container shop/web-1 since now"),
            (
                Error::MacInUse(MacInUse {
                    holder: OTHERS[0].to_owned(),
                    mac: "02:00:00:00:00:05".parse().unwrap(),
                }),
                "a container of another namespace is live on the same uplink",
            ),
        ] {
            let text = told(error);
            assert!(text.contains(said), "{text}");
        }
    }
}
