//! Where uplinks are made: our own network namespace, its records, and the ways
//! there and back under their lock.

use std::time::Duration;

use super::back::{back, bridge_goes};
use super::error::UplinkError;
use super::inspect::{inspect, inspect_back, random};
use super::plan::{Plan, plan};
use super::record::{Phase, UplinkRecord};
use super::run;
use super::step::Step;
use super::view::View;
use super::wanted::{ConfirmWithin, Wanted};
use crate::deadline::Deadline;
use crate::record::{BridgeRecord, Lock, Mode, Store, UplinkId, VERSION};
use crate::reference::NamespaceKey;
use crate::request::{IfName, MacAddr};
use crate::sys::clock::seconds_since_boot;
use crate::sys::netns::Netns;
use crate::sys::proc::boot_id;
use crate::sys::rtnl::Rtnl;

/// How long going back may take, whatever the way there took.
const BACK_TIME: Duration = Duration::from_secs(30);

/// Our own network namespace and its records.
#[derive(Debug)]
pub struct Host {
    /// The records.
    pub store: Store,
    /// A socket.
    pub rtnl: Rtnl,
    /// Which namespace.
    pub key: NamespaceKey,
    /// Its inode number.
    inode: u64,
    /// When the run must have ended.
    pub deadline: Deadline,
}

/// An uplink that stands in the records.
#[derive(Debug)]
pub struct Known {
    /// What it is known by.
    pub id: UplinkId,
    /// What is written.
    pub record: UplinkRecord,
}

impl Host {
    /// Opens the namespace that we run in.
    pub fn open(store: Store, deadline: Deadline) -> Result<Self, UplinkError> {
        let rtnl = Rtnl::open(deadline).map_err(UplinkError::Io)?;
        let key = NamespaceKey {
            boot_id: boot_id().map_err(UplinkError::Io)?,
            cookie: rtnl.netns_cookie().map_err(UplinkError::Io)?,
        };
        let inode = Netns::own().map_err(UplinkError::Io)?.inode().1;
        Ok(Self {
            store,
            rtnl,
            key,
            inode,
            deadline,
        })
    }

    /// What the bridge `name` is known by.
    pub fn id(&self, name: &IfName) -> UplinkId {
        UplinkId::of(&self.key, name)
    }

    /// Every uplink of this namespace. Those of another boot are forgotten.
    pub fn known(&self) -> Result<Vec<Known>, UplinkError> {
        let mut known = Vec::new();
        for id in self.store.uplinks()? {
            let Some(record) = self.store.uplink::<UplinkRecord>(&id)? else {
                continue;
            };
            if record.boot_id != self.key.boot_id {
                self.store.forget_uplink(&id)?;
            } else if record.cookie == self.key.cookie {
                known.push(Known { id, record });
            }
        }
        known.sort_by(|a, b| {
            a.record
                .bridge
                .device
                .name
                .cmp(&b.record.bridge.device.name)
        });
        Ok(known)
    }

    /// The uplink of the bridge `name`.
    pub fn find(&self, name: &IfName) -> Result<Option<Known>, UplinkError> {
        let id = self.id(name);
        let record = self.store.uplink::<UplinkRecord>(&id)?;
        Ok(record.map(|record| Known { id, record }))
    }

    /// Looks at what is wanted.
    pub async fn view(&self, wanted: &Wanted) -> Result<View, UplinkError> {
        inspect(wanted, &self.rtnl, &self.store, self.inode).await
    }

    /// Looks, judges and plans; changes nothing.
    pub async fn plan(&self, wanted: &Wanted) -> Result<(View, Plan), UplinkError> {
        if let Some(known) = self.find(&wanted.bridge)? {
            return Err(UplinkError::OtherUplink {
                bridge: wanted.bridge.to_string(),
                port: known.record.nic.name,
            });
        }
        let view = self.view(wanted).await?;
        let plan = plan(wanted, &view)?;
        Ok((view, plan))
    }

    /// Keeps every other run away from uplinks, and starts away from the bridge.
    pub fn lock(&self, bridge: &IfName) -> Result<(Lock, Lock), UplinkError> {
        let all = self.store.lock_uplinks(self.deadline)?;
        Ok((all, self.lock_bridge(bridge)?))
    }

    /// Keeps starts of containers away from the bridge.
    pub fn lock_bridge(&self, bridge: &IfName) -> Result<Lock, UplinkError> {
        let mode = Mode::Exclusive;
        Ok(self.store.lock_bridge(bridge, mode, self.deadline)?)
    }

    /// Writes down what is about to be done, before the first change.
    pub fn begin(&self, wanted: &Wanted, plan: &Plan) -> Result<Known, UplinkError> {
        let id = self.id(&wanted.bridge);
        let record = UplinkRecord {
            serial: random()?,
            boot_id: self.key.boot_id.clone(),
            cookie: self.key.cookie,
            bridge: plan.bridge.clone(),
            nic: plan.nic.clone(),
            rules: plan.rules.clone(),
            moved: plan.moved,
            port: plan.port.clone(),
            phase: Phase::Applying,
            confirm_within: wanted.confirm.seconds(),
        };
        self.store.keep_uplink(&id, &record)?;
        Ok(Known { id, record })
    }

    /// Makes it. What is refused is taken back, and forgotten if that worked.
    pub async fn make(
        &self,
        mut known: Known,
        steps: &[Step],
        confirm: ConfirmWithin,
    ) -> Result<Known, UplinkError> {
        if let Err(stopped) = run::there(steps, &self.rtnl, self.deadline).await {
            let left = match self.unmake(known).await {
                Ok(()) => Vec::new(),
                Err(UplinkError::Left { left, .. }) => left,
                Err(other) => vec![other.to_string()],
            };
            return Err(UplinkError::Refused {
                step: stopped.step.to_string(),
                reason: stopped.error.to_string(),
                errno: stopped.error.errno(),
                kernel_says: stopped.error.kernel_says(),
                left,
            });
        }
        known.record.phase = match confirm {
            ConfirmWithin::Never => Phase::Confirmed,
            ConfirmWithin::Seconds(seconds) => Phase::Unconfirmed {
                until: seconds_since_boot().saturating_add(seconds),
            },
        };
        self.store.keep_uplink(&known.id, &known.record)?;
        Ok(known)
    }

    /// The way back from what is there now.
    pub async fn plan_back(&self, record: &UplinkRecord) -> Result<(Vec<Step>, bool), UplinkError> {
        let view = inspect_back(record, &self.rtnl.until(Deadline::after(BACK_TIME))).await?;
        let elapsed = seconds_since_boot().saturating_sub(record.nic.captured_at);
        let stays = record.bridge.before.is_none() && !bridge_goes(record, &view);
        Ok((back(record, &view, elapsed), stays))
    }

    /// Goes back, and forgets the uplink if nothing was left. The caller holds
    /// the lock.
    pub async fn unmake(&self, mut known: Known) -> Result<(), UplinkError> {
        let deadline = Deadline::after(BACK_TIME);
        let rtnl = self.rtnl.until(deadline);
        known.record.phase = Phase::GoingBack;
        self.store.keep_uplink(&known.id, &known.record)?;
        let (steps, bridge_stays) = self.plan_back(&known.record).await?;
        let left = run::back(&steps, &rtnl, deadline).await;
        if !left.is_empty() {
            let left = left.iter().map(|l| format!("{}: {}", l.step, l.error));
            return Err(UplinkError::Left {
                bridge: known.record.bridge.device.name.clone(),
                left: left.collect(),
            });
        }
        if bridge_stays {
            self.hand_over(&known.record)?;
        }
        Ok(self.store.forget_uplink(&known.id)?)
    }

    /// A bridge of ours that others still use: `gc` removes it when they are
    /// gone.
    fn hand_over(&self, record: &UplinkRecord) -> Result<(), UplinkError> {
        let device = &record.bridge.device;
        let name = device.name.parse::<IfName>();
        let mac = MacAddr::try_from(record.bridge.mac);
        if let (Ok(name), Ok(mac)) = (name, mac) {
            self.store.keep_bridge(&BridgeRecord {
                version: VERSION,
                boot_id: record.boot_id.clone(),
                ifindex: device.ifindex,
                name,
                mac,
                empty_since: None,
            })?;
        }
        Ok(())
    }
}
