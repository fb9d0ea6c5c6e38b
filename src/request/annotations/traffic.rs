//! The fields about a port and about traffic, and the two annotations by which
//! Kubernetes limits the traffic of a pod.

use super::entry::Entry;
use super::fields::Fields;
use crate::request::error::{RequestError, ValueError, cut};
use crate::request::keys::form::boolean;
use crate::request::rate::RateError;
use crate::request::tc::TcError;
use crate::request::{Asked, Attachment, IfName, Origin, Rate, TcLine, Traffic};

/// What Kubernetes calls the traffic to a pod.
const INGRESS: &str = "kubernetes.io/ingress-bandwidth";
/// What Kubernetes calls the traffic from a pod.
const EGRESS: &str = "kubernetes.io/egress-bandwidth";

impl Fields<'_> {
    /// Reads a field of this group; false when it is none.
    pub(super) fn read_traffic(
        &mut self,
        entry: &Entry<'_>,
        name: &str,
    ) -> Result<bool, RequestError> {
        let value = entry.value;
        match name {
            "isolate" => self.port.isolate = Some(yes_or_no(entry)?),
            "hairpin" => self.port.hairpin = Some(yes_or_no(entry)?),
            "spoofcheck" => self.port.spoofcheck = Some(yes_or_no(entry)?),
            "promisc" => self.port.promisc = Some(yes_or_no(entry)?),
            "rate.in" => self.traffic.rate_in = Some(entry.ask(value.parse())?),
            "rate.out" => self.traffic.rate_out = Some(entry.ask(value.parse())?),
            "burst" => self.traffic.burst = Some(entry.ask(value.parse())?),
            "tc" => {
                let lines = entry.ask(TcLine::parse_list(value))?.value;
                self.traffic.tc = lines.into_iter().map(|line| entry.asked(line)).collect();
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn yes_or_no(entry: &Entry<'_>) -> Result<Asked<bool>, RequestError> {
    let asked = boolean(entry.value).ok_or_else(|| entry.mismatch())?;
    Ok(entry.asked(asked))
}

fn wrong(origin: &Origin, reason: impl Into<ValueError>) -> RequestError {
    let (key, value) = match origin {
        Origin::Annotation { key, value } | Origin::Network { key, value } => {
            (key.clone(), cut(value))
        }
        Origin::Default => (String::new(), String::new()),
    };
    RequestError::Value {
        key,
        value,
        reason: Box::new(reason.into()),
    }
}

/// A line of traffic control is about the interface itself, whatever it is
/// called by.
pub(super) fn check_lines(traffic: &Traffic, ifname: &IfName) -> Result<(), RequestError> {
    for Asked { value, origin } in &traffic.tc {
        if let Some(dev) = value.dev.as_ref().filter(|dev| *dev != ifname) {
            let other = TcError::OtherDevice {
                dev: dev.clone(),
                ifname: ifname.clone(),
            };
            return Err(wrong(origin, other));
        }
    }
    Ok(())
}

/// A burst is one above a rate.
fn check_burst(traffic: &Traffic) -> Result<(), RequestError> {
    match (&traffic.burst, &traffic.rate_in, &traffic.rate_out) {
        (Some(burst), None, None) => Err(wrong(&burst.origin, RateError::BurstAlone)),
        (_, _, _) => Ok(()),
    }
}

/// What Kubernetes' annotations say of the traffic of a pod.
#[derive(Debug, Default)]
pub(super) struct Bandwidth<'a> {
    ingress: Option<&'a str>,
    egress: Option<&'a str>,
}

impl<'a> Bandwidth<'a> {
    /// Takes note of an annotation, if it is one of the two.
    pub(super) fn note(&mut self, key: &str, value: &'a str) {
        match key {
            INGRESS => self.ingress = Some(value),
            EGRESS => self.egress = Some(value),
            _ => {}
        }
    }

    /// Limits each interface that has no limit of its own for a direction.
    pub(super) fn limit(&self, attachments: &mut [Attachment]) -> Result<(), RequestError> {
        let to_pod = self.ingress.map(|value| quantity(INGRESS, value));
        let from_pod = self.egress.map(|value| quantity(EGRESS, value));
        let (to_pod, from_pod) = (to_pod.transpose()?, from_pod.transpose()?);
        for Attachment { traffic, .. } in attachments {
            if traffic.rate_in.is_none() {
                traffic.rate_in.clone_from(&to_pod);
            }
            if traffic.rate_out.is_none() {
                traffic.rate_out.clone_from(&from_pod);
            }
            check_burst(traffic)?;
        }
        Ok(())
    }
}

fn quantity(key: &str, value: &str) -> Result<Asked<Rate>, RequestError> {
    let value = value.trim();
    let origin = Origin::Annotation {
        key: key.to_owned(),
        value: value.to_owned(),
    };
    match Rate::from_quantity(value) {
        Ok(value) => Ok(Asked { value, origin }),
        Err(reason) => Err(wrong(&origin, reason)),
    }
}
