//! `pipework networks`: which named networks there are, whether their files are
//! right, and what one of them says.

mod held;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::error::{Error, report};
use crate::frontend::cli::print;
use crate::frontend::given::Given;
use crate::logging::to_stderr;
use crate::networks::{self, DIRECTORY};
use crate::request::error::ValueError;
use crate::request::network::{OPEN_BY_DEFAULT, Open};
use crate::request::{NetworkName, Profile, RequestError};
use held::Held;

/// Lists all, or shows one; `None` when there are more words. The exit code is
/// that of the last file that is broken, and 0 if none is.
pub fn run(given: &Given) -> Option<u8> {
    let names = || networks::names(Path::new(DIRECTORY));
    match (given.words().as_slice(), given.has("--json")) {
        ([], is_json) => Some(match (names(), is_json) {
            (Err(error), _) => tell(Err(error.into())),
            (Ok(names), false) => {
                let each = names.iter().map(|name| tell(load(name).map(|p| line(&p))));
                each.fold(0, |worst, code| if code > 0 { code } else { worst })
            }
            (Ok(names), true) => all_json(&names),
        }),
        ([name], false) => Some(tell(parsed(name).and_then(|name| Ok(show(&load(&name)?))))),
        ([name], true) => {
            let network = parsed(name).and_then(|name| load(&name));
            Some(tell(network.map(|network| json_text(&[network]))))
        }
        (_, _) => None,
    }
}

/// All that can be read, in one list; the others are told of.
fn all_json(names: &[NetworkName]) -> u8 {
    let mut code = 0;
    let mut networks = Vec::new();
    for name in names {
        match load(name) {
            Ok(network) => networks.push(network),
            Err(error) => code = tell(Err(error)),
        }
    }
    let printed = print(&json_text(&networks));
    if code > 0 { code } else { printed }
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
    match held::held(profile) {
        Ok(held) => {
            for Held { claim, in_network } in held {
                let by = if in_network {
                    ""
                } else {
                    " on the same uplink"
                };
                let _ = writeln!(text, "{} is {}'s{by}", claim.address, claim.owner);
            }
        }
        Err(error) => {
            let _ = writeln!(text, "who has which address is not known: {error}");
        }
    }
    let _ = writeln!(text, "open: {}", open(profile).join(", "));
    text
}

/// What containers may say.
fn open(profile: &Profile) -> Vec<&str> {
    let usual = || OPEN_BY_DEFAULT.iter().copied();
    match &profile.open {
        Open::Usual => usual().filter(|field| profile.leaves_open(field)).collect(),
        Open::Any => vec!["any"],
        Open::Fields(fields) => fields.iter().map(String::as_str).collect(),
    }
}

fn json_text(networks: &[Profile]) -> String {
    let all: Vec<Value> = networks.iter().map(in_json).collect();
    format!("{:#}\n", Value::Array(all))
}

/// Of who has which address nothing is said where that is not known, but why.
fn in_json(profile: &Profile) -> Value {
    let fields = profile.fields.iter().chain(&profile.implied);
    let fields: BTreeMap<&str, &str> = fields.map(|f| (f.name(), f.value.as_str())).collect();
    let pools = profile.ranges.iter().map(|range| {
        json!({
            "subnet": range.subnet(),
            "range": range.to_string(),
            "gateway": range.gateway(),
        })
    });
    let (held, unknown) = match held::held(profile) {
        Ok(held) => (Some(held), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let held: Option<Vec<Value>> = held.map(|held| held.iter().map(held_in_json).collect());
    json!({
        "name": profile.name.as_str(),
        "fields": fields,
        "pools": pools.collect::<Vec<Value>>(),
        "held": held,
        "held_unknown": unknown,
        "open": open(profile),
    })
}

fn held_in_json(held: &Held) -> Value {
    let Held { claim, in_network } = held;
    json!({
        "address": claim.address,
        "engine": claim.owner.engine,
        "container": claim.owner.name,
        "interface": claim.owner.ifname,
        "in_network": in_network,
    })
}
