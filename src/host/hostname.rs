//! The host name of a container, and the one that a person gave it, by the
//! runtime's config.json.

use std::path::Path;

use serde::Deserialize;

use super::bundle;

#[derive(Deserialize)]
struct Config {
    hostname: Option<String>,
}

/// The host name in `bundle`, whoever chose it.
pub fn of(bundle: &Path) -> Option<String> {
    let config: Config = bundle::read(bundle)?;
    config.hostname.filter(|name| !name.is_empty())
}

/// The host name of the container `id` in `bundle`; `None` where it has none,
/// or one that an engine made of its id.
pub fn given(id: &str, bundle: &Path) -> Option<String> {
    of(bundle).filter(|name| !id.starts_with(name.as_str()))
}
