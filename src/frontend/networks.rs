//! `pipework networks`: which named networks there are, whether their files are
//! right, and what one of them says.

use std::fmt::Write as _;
use std::path::Path;

use crate::error::{Error, report};
use crate::frontend::cli::print;
use crate::logging::to_stderr;
use crate::networks::{self, DIRECTORY};
use crate::pools::Pools;
use crate::request::error::ValueError;
use crate::request::network::{OPEN_BY_DEFAULT, Open};
use crate::request::{NetworkName, Profile, RequestError};
use crate::rt::PoolName;

/// Lists all, or shows one. The exit code is that of the last file that is
/// broken, and 0 if none is.
pub fn run(name: Option<&str>) -> u8 {
    match name {
        Some(name) => tell(parsed(name).and_then(|name| Ok(show(&load(&name)?)))),
        None => match networks::names(Path::new(DIRECTORY)) {
            Ok(names) => {
                let each = names.iter().map(|name| tell(load(name).map(|p| line(&p))));
                each.fold(0, |worst, code| if code > 0 { code } else { worst })
            }
            Err(error) => tell(Err(error.into())),
        },
    }
}

fn parsed(name: &str) -> Result<NetworkName, Error> {
    name.parse().map_err(|reason| {
        Error::from(RequestError::Value {
            key: "NAME".to_owned(),
            value: crate::request::error::cut(name),
            reason: Box::new(ValueError::NetworkName(reason)),
        })
    })
}

fn load(name: &NetworkName) -> Result<Profile, Error> {
    Ok(networks::load(Path::new(DIRECTORY), name)?)
}

fn tell(text: Result<String, Error>) -> u8 {
    match text {
        Ok(text) => print(&text),
        Err(error) => {
            to_stderr(&report(&error, None));
            error.exit_code() as u8
        }
    }
}

/// A network on one line: its name and what it says.
fn line(profile: &Profile) -> String {
    let fields = profile.fields.iter();
    let said: Vec<String> = fields
        .map(|f| format!("{}={}", f.name(), f.value))
        .collect();
    format!("{}  {}\n", profile.name, said.join(" "))
}

fn show(profile: &Profile) -> String {
    let mut text = String::new();
    for field in profile.fields.iter().chain(&profile.implied) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} = {}", field.name(), field.value);
    }
    for range in &profile.ranges {
        let _ = write!(text, "pool {}: {}", range.subnet(), range);
        if let Some(gateway) = range.gateway() {
            let _ = write!(text, ", gateway {gateway}");
        }
        text.push('\n');
    }
    match Pools::of_this_host().held(&PoolName::of_network(&profile.name)) {
        Ok(held) => {
            for claim in held {
                let _ = writeln!(text, "{} is {}'s", claim.address, claim.owner);
            }
        }
        Err(error) => {
            let _ = writeln!(text, "who has which address is not known: {error}");
        }
    }
    let usual = || OPEN_BY_DEFAULT.iter().copied();
    let open: Vec<&str> = match &profile.open {
        Open::Usual => usual().filter(|field| profile.leaves_open(field)).collect(),
        Open::Any => vec!["any"],
        Open::Fields(fields) => fields.iter().map(String::as_str).collect(),
    };
    let _ = writeln!(text, "open: {}", open.join(", "));
    text
}
