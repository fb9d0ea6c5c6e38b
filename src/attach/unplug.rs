//! The end of interfaces while their container goes on, because a person says so.

use std::time::Duration;

use super::leases;
use crate::collect::{CollectError, Collector};
use crate::keeper;
use crate::record::{AttachmentRecord, Record};
use crate::reference::LeaseId;
use crate::request::IfName;

/// The last message waits for the server's hardware address as long as the link
/// is there.
const FAREWELL: Duration = Duration::from_millis(60);

/// Takes back one interface of `record`, or all of them. What was leased for them
/// is given back where that was asked for (`dhcp.release`): nobody else would know
/// that they are gone. What is not is the server's to remember.
pub async fn unplug(
    record: &Record,
    only: Option<&IfName>,
    collector: &Collector<'_>,
) -> Result<Vec<AttachmentRecord>, CollectError> {
    let mut stays = Vec::new();
    let mut has_released = false;
    if keeper::is_there(collector.deadline) {
        let meant = |a: &&AttachmentRecord| only.is_none_or(|only| a.ifname == *only);
        for attachment in record.attachments.iter().filter(meant) {
            let lease = LeaseId {
                namespace: record.key.clone(),
                ifindex: attachment.ifindex,
            };
            match collector.store.lease(&lease) {
                Ok(Some(kept)) if kept.release => {}
                Ok(Some(_)) => {
                    stays.push(lease);
                    continue;
                }
                Ok(None) | Err(_) => continue,
            }
            match keeper::release(&lease) {
                Ok(_) => has_released = true,
                Err(error) => {
                    tracing::warn!(ifname = %attachment.ifname, %error, "the lease was not given back");
                }
            }
        }
    }
    if has_released {
        std::thread::sleep(FAREWELL);
    }
    let gone = collector.detach(&record.key, only).await?;
    // The daemon lets go of a lease whose file is gone.
    for lease in stays {
        collector.store.forget_lease(&lease)?;
    }
    let ended = Record {
        attachments: gone,
        ..record.clone()
    };
    leases::end_leases(&ended, collector.store, collector.deadline);
    Ok(ended.attachments)
}
