//! The host name that a person gave a container, by the runtime's config.json.

use std::path::Path;

use serde::Deserialize;

use super::bundle;

#[derive(Deserialize)]
struct Config {
    hostname: Option<String>,
}

/// The host name of the container `id` in `bundle`; `None` where it has none,
/// or one that an engine made of its id.
pub fn given(id: &str, bundle: &Path) -> Option<String> {
    let config: Config = bundle::read(bundle)?;
    config
        .hostname
        .filter(|name| !name.is_empty() && !id.starts_with(name.as_str()))
}
