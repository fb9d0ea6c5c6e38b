//! How an interface was asked for: by the annotations in its container's bundle,
//! or by a person, whose words the record keeps.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::host::bundle;
use crate::policy::Caller;
use crate::record::Record;
use crate::request::annotations;

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// The pairs that asked for the interface, with whatever they asked for besides,
/// and on whose behalf; `None` when nothing says.
pub(super) fn pairs(record: &Record, ifname: &str) -> Option<(Vec<(String, String)>, Caller)> {
    let attachment = record
        .attachments
        .iter()
        .find(|a| a.ifname.as_str() == ifname)?;
    let caller = attachment.caller.clone();
    if !attachment.asked.is_empty() {
        let pairs = attachment.asked.clone();
        return Some((pairs, caller.unwrap_or(Caller::Person)));
    }
    // What a pod asks for is judged by whose it is, which only its start can say.
    let caller = caller.unwrap_or(Caller::Runtime);
    if caller.is_guarded() {
        return None;
    }
    let mut bundles = attachment.references.iter().map(|r| Path::new(&r.bundle));
    Some((bundles.find_map(of_bundle)?, caller))
}

fn of_bundle(bundle: &Path) -> Option<Vec<(String, String)>> {
    let config: Config = bundle::read(bundle)?;
    let annotations = config.annotations?;
    // Of a former release, whose records do not say on whose behalf.
    if Caller::of(annotations.iter().map(|(k, v)| (k.as_str(), v.as_str()))).is_guarded() {
        return None;
    }
    let pairs = annotations.into_iter();
    let ours: Vec<(String, String)> = pairs.filter(|(key, _)| annotations::is_ours(key)).collect();
    (!ours.is_empty()).then_some(ours)
}
