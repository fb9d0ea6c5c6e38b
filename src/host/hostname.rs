//! The host name that a person gave a container, by the runtime's config.json.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

/// A config.json above this is not read for a host name.
const MAX_CONFIG_BYTES: u64 = 16 << 20;

#[derive(Deserialize)]
struct Config {
    hostname: Option<String>,
}

/// The host name of the container `id` in `bundle`; `None` where it has none,
/// or one that an engine made of its id.
pub fn given(id: &str, bundle: &Path) -> Option<String> {
    let file = File::open(bundle.join("config.json")).ok()?;
    let mut bytes = Vec::new();
    file.take(MAX_CONFIG_BYTES).read_to_end(&mut bytes).ok()?;
    let config: Config = serde_json::from_slice(&bytes).ok()?;
    config
        .hostname
        .filter(|name| !name.is_empty() && !id.starts_with(name.as_str()))
}
