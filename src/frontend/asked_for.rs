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

/// The pairs that asked for the interface, with whatever they asked for besides;
/// `None` when nothing says.
pub(super) fn pairs(record: &Record, ifname: &str) -> Option<Vec<(String, String)>> {
    let attachment = record
        .attachments
        .iter()
        .find(|a| a.ifname.as_str() == ifname)?;
    if !attachment.asked.is_empty() {
        return Some(attachment.asked.clone());
    }
    let mut bundles = attachment.references.iter().map(|r| Path::new(&r.bundle));
    bundles.find_map(of_bundle)
}

fn of_bundle(bundle: &Path) -> Option<Vec<(String, String)>> {
    let config: Config = bundle::read(bundle)?;
    let annotations = config.annotations?;
    // What a pod asks for is judged by whose it is, which only its start can say.
    if Caller::of(annotations.iter().map(|(k, v)| (k.as_str(), v.as_str()))).is_guarded() {
        return None;
    }
    let pairs = annotations.into_iter();
    let ours: Vec<(String, String)> = pairs.filter(|(key, _)| annotations::is_ours(key)).collect();
    (!ours.is_empty()).then_some(ours)
}
