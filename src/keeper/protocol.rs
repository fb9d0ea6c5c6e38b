//! What hooks and the daemon say to each other: one message of JSON each way.
//!
//! A request names a lease and never brings one: what it is stands in the file
//! that the hook wrote before, so that a daemon which was not there learns the
//! same at its start. The only descriptors are sockets that the daemon shall
//! close, because closing a packet socket takes longer than a hook has.

use serde::{Deserialize, Serialize};

use crate::reference::LeaseId;

/// Where the daemon listens.
pub const SOCKET: &str = "/run/pipework/daemon.sock";
/// The version of this protocol. A daemon refuses any other; the hook's lease is
/// on disk by then, and kept by the daemon that is started after an upgrade.
pub const VERSION: u32 = 1;
/// No message is longer, in bytes.
pub const MOST_BYTES: usize = 4096;

/// What the daemon is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Keep this lease, whose file is written. Asked again, the file is read
    /// again.
    Keep(LeaseId),
    /// Give this lease back and take its address away.
    Release(LeaseId),
    /// Make use of this lease once more: somebody took away what it had brought.
    Apply(LeaseId),
    /// Say that somebody is at home. A daemon of an earlier release refuses, which says
    /// it as well.
    Hello,
    /// Say when it is our turn to ask a server on this segment. The turn ends
    /// with the connection.
    Turn {
        /// Index of the uplink.
        uplink: u32,
    },
}

/// What the daemon answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is done, or it is your turn.
    Done,
    /// It is not.
    Refused(Refusal),
}

/// Why the daemon does not do what it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The message could not be read.
    #[error("it is of another release, and reads version {reads} of the protocol")]
    Version {
        /// The version that the daemon reads.
        reads: u32,
    },
    /// There is no such lease.
    #[error("there is no such lease")]
    Unknown,
    /// The container ended.
    #[error("the container is gone")]
    Gone,
    /// The file of the lease, or its namespace, cannot be used.
    #[error("{reason}")]
    Failed {
        /// Why.
        reason: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    version: u32,
    #[serde(flatten)]
    said: T,
}

#[derive(Deserialize)]
struct OnlyVersion {
    version: u32,
}

/// Why a message cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    /// It is of another version.
    #[error("it speaks version {0} of the protocol, and this release version {VERSION}")]
    Version(u32),
    /// It is none of ours.
    #[error("it cannot be understood: {0}")]
    Json(#[from] serde_json::Error),
}

/// The bytes of a message.
pub fn write(said: &impl Serialize) -> Vec<u8> {
    let version = VERSION;
    // Serialising plain data into memory has no way to go wrong.
    serde_json::to_vec(&Versioned { version, said }).unwrap_or_default()
}

/// What a message says.
pub fn read<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, ProtocolError> {
    let OnlyVersion { version } = serde_json::from_slice(bytes)?;
    if version != VERSION {
        return Err(ProtocolError::Version(version));
    }
    let message: Versioned<T> = serde_json::from_slice(bytes)?;
    Ok(message.said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::NamespaceKey;

    fn lease() -> LeaseId {
        let boot_id = "11111111-2222-3333-4444-555555555555".to_owned();
        let namespace = NamespaceKey {
            boot_id,
            cookie: u64::MAX,
        };
        LeaseId {
            namespace,
            ifindex: u32::MAX,
        }
    }

    #[test]
    fn what_is_written_is_read_and_is_short() {
        let requests = [
            Request::Keep(lease()),
            Request::Release(lease()),
            Request::Apply(lease()),
            Request::Turn { uplink: 7 },
        ];
        for request in requests {
            let bytes = write(&request);
            assert!(bytes.len() < MOST_BYTES);
            assert_eq!(read::<Request>(&bytes).unwrap(), request);
        }
        let answers = [
            Answer::Done,
            Answer::Refused(Refusal::Version { reads: 9 }),
            Answer::Refused(Refusal::Failed {
                reason: "it \"is\" so".to_owned(),
            }),
        ];
        for answer in answers {
            assert_eq!(read::<Answer>(&write(&answer)).unwrap(), answer);
        }
    }

    #[test]
    fn another_version_is_told_from_a_message_that_makes_no_sense() {
        let newer = br#"{"version":2,"something":["else"]}"#;
        assert!(matches!(
            read::<Request>(newer),
            Err(ProtocolError::Version(2))
        ));
        for text in [
            "",
            "{}",
            "[1]",
            r#"{"version":1}"#,
            r#"{"version":1,"keep":3}"#,
        ] {
            assert!(
                matches!(
                    read::<Request>(text.as_bytes()),
                    Err(ProtocolError::Json(_))
                ),
                "{text}"
            );
        }
    }
}
