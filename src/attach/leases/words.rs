//! How far a client got that has no lease, in words: the last thing that went
//! wrong.

use std::io;

use crate::apply::LeaseError;
use crate::dhcp::acquire::Progress;
use crate::dhcp::{v4, v6};
use crate::plan::{LeaseAsk, LeaseClient};
use crate::request::MacAddr;

/// What asked can ask no more: its link, or the program itself.
pub(super) fn broken(ask: &LeaseAsk, source: io::Error) -> LeaseError {
    let ifname = ask.ifname.clone();
    match ask.program.clone() {
        Some(program) => LeaseError::Program {
            ifname,
            program,
            source,
        },
        None => LeaseError::Link { ifname, source },
    }
}

pub(super) fn in_words(
    ask: &LeaseAsk,
    progress: Option<Progress>,
    unsent: Option<String>,
) -> LeaseError {
    match (progress, &ask.client) {
        (Some(Progress::V4(progress)), _) => in_words4(ask, progress, unsent),
        (Some(Progress::V6(progress, holder)), _) => in_words6(ask, progress, holder, unsent),
        (Some(Progress::Program), _) => {
            let waited = ask.timeout.as_secs_f32();
            let text = format!("it had none within {waited} s");
            broken(ask, io::Error::new(io::ErrorKind::TimedOut, text))
        }
        (None, LeaseClient::V4 { .. }) => in_words4(ask, v4::Progress::default(), unsent),
        (None, LeaseClient::V6 { .. }) => in_words6(ask, v6::Progress::default(), None, unsent),
    }
}

fn in_words4(ask: &LeaseAsk, progress: v4::Progress, unsent: Option<String>) -> LeaseError {
    let ifname = ask.ifname.clone();
    let waited = ask.timeout;
    let v4::Progress {
        sent,
        offer,
        nak,
        conflict,
    } = progress;
    match (conflict, nak, offer) {
        (Some((address, mac)), _, _) => LeaseError::InUse {
            ifname,
            address: address.into(),
            mac,
        },
        (None, Some((server, reason)), _) => LeaseError::Nak {
            ifname,
            server,
            reason,
        },
        (None, None, Some((server, address))) => LeaseError::NoAck {
            ifname,
            server,
            address,
            waited,
        },
        (None, None, None) => LeaseError::NoOffer {
            ifname,
            waited,
            sent,
            unsent,
        },
    }
}

fn in_words6(
    ask: &LeaseAsk,
    progress: v6::Progress,
    holder: Option<MacAddr>,
    unsent: Option<String>,
) -> LeaseError {
    let ifname = ask.ifname.clone();
    let waited = ask.timeout;
    let v6::Progress {
        sent,
        offer,
        refusal,
        conflict,
    } = progress;
    match (conflict.zip(holder), refusal, offer) {
        (Some((address, mac)), _, _) => LeaseError::InUse {
            ifname,
            address: address.into(),
            mac,
        },
        (None, Some((status, reason)), _) => LeaseError::Refused6 {
            ifname,
            status: status.to_string(),
            reason,
        },
        (None, None, Some(address)) => LeaseError::NoReply {
            ifname,
            address,
            waited,
        },
        (None, None, None) => LeaseError::NoAdvertise {
            ifname,
            waited,
            sent,
            unsent,
        },
    }
}
