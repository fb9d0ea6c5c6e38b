//! What an interface shares with others on the host, held against what its record
//! says: the host's own child of the card and its routes (`host-access`), and the
//! VLANs of the ports by which its bridge leads out.

use std::fmt;

use super::seen::Seen;
use super::settings::kernel;
use crate::collect::{CollectError, Collector, Lack, Wanting};
use crate::error::Error;
use crate::plan::{SharedObject, Undo, User};
use crate::record::AttachmentRecord;

/// One of them that is not as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// It.
    object: Box<SharedObject>,
    /// Who uses it.
    user: User,
    /// How it is not.
    lack: Lack,
}

/// All of them that are not, what is made first in front.
pub async fn lost(attachment: &AttachmentRecord, host: &mut Seen<'_>) -> Result<Vec<Reach>, Error> {
    let mut lost = Vec::new();
    // The newest is taken back first.
    for undo in attachment.undo.iter().rev() {
        let Undo::Release { object, user } = undo else {
            continue;
        };
        let lack = host.reaches.lack(object).await.map_err(kernel)?;
        lost.extend(lack.map(|lack| Reach {
            object: Box::new(object.clone()),
            user: user.clone(),
            lack,
        }));
    }
    Ok(lost)
}

impl Reach {
    /// One word for it, which does not change between releases.
    pub fn word(&self) -> &'static str {
        match self.lack {
            Lack::Gone | Lack::Down | Lack::Setting(_) => "host-access",
            Lack::Vlans(_) => "uplink-vlan",
        }
    }

    /// Makes it anew.
    pub async fn give_back(&self, collector: &Collector<'_>) -> Result<(), CollectError> {
        collector.remake(&self.object, &self.user).await
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.object, &self.lack) {
            (SharedObject::Shim { .. }, Lack::Gone) => write!(f, "{}, is gone", self.object),
            (object, Lack::Gone) => write!(f, "{object} is gone"),
            (object, Lack::Down) => write!(f, "{object}, is down"),
            (object, Lack::Setting(leaf)) => {
                write!(f, "{object}, is not as it was made: its {leaf}")
            }
            (_, Lack::Vlans(wanting)) => {
                let ports = wanting.iter().map(|Wanting { name, missing, .. }| {
                    format!("the way out of its bridge, {name}, is not in VLAN {missing}")
                });
                f.write_str(&ports.collect::<Vec<_>>().join(", "))
            }
        }
    }
}
