//! Networks that are kept here and that dockerd does not have: its data was wiped, or
//! it dropped them before its list had ever had them.
//!
//! Whether nobody has them cannot be known: another dockerd, with a socket or data of
//! its own, may. So nothing ends them by itself (`dropped`); they are told of,
//! and end where a person says so. The plugin may run meanwhile: it reads its files
//! anew for each call.

use std::path::Path;

use super::dropped;
use super::endpoint::TIME;
use super::error::{DockerError, short};
use super::ipam;
use crate::deadline::Deadline;
use crate::docker::state::{DIRECTORY, Network, PoolFile, State};
use crate::error::Error;
use crate::host::find::{self, Networks};
use crate::request::annotations::PREFIX;

/// A network that dockerd does not list.
pub struct Orphan {
    /// The beginning of its id, as Docker shows it.
    pub id: String,
    /// What its containers are plugged into, and its subnets.
    pub what: String,
    /// Who had it, as far as that is known.
    pub whose: &'static str,
}

/// All of them; none while dockerd does not run or does not answer.
pub fn all(deadline: Deadline) -> Vec<Orphan> {
    let state = State::of_another(Path::new(DIRECTORY));
    let kept: Vec<Network> = state.all().into_iter().flatten().collect();
    if kept.is_empty() || !find::dockerd::is_running() {
        return Vec::new();
    }
    let Ok(Some(listed)) = find::networks(Path::new("/"), deadline) else {
        return Vec::new();
    };
    let orphans = kept.iter().filter(|network| {
        let is_used = dropped::is_used(&state, &network.id);
        !listed.ids.contains(&network.id) && !is_used.unwrap_or(true)
    });
    orphans.map(|network| orphan(network, &listed)).collect()
}

fn orphan(network: &Network, listed: &Networks) -> Orphan {
    let fields = network.fields.iter();
    // As behind `-o`.
    let shown = |key: &'_ str| key.strip_prefix(PREFIX).unwrap_or(key).to_owned();
    let fields = fields.map(|(key, value)| format!("{}={value}", shown(key)));
    let subnets = network.subnets.iter().map(|own| own.subnet.to_string());
    let what: Vec<String> = fields.chain(subnets).collect();
    Orphan {
        id: short(&network.id).to_owned(),
        what: what.join(" "),
        whose: match &network.listed_by {
            Some(engine) if *engine == listed.engine => "it has dropped it",
            Some(_) => "a dockerd with other data had it",
            None => "no list has had it",
        },
    }
}

/// Ends the network whose id begins with `text`, with its pools; gives back its id.
///
/// Fails where dockerd has it, where a container is in it, and, unless this `may_be_silent`,
/// where dockerd does not say.
pub fn end(text: &str, may_be_silent: bool) -> Result<String, Error> {
    end_in(Path::new(DIRECTORY), Path::new("/"), (text, may_be_silent))
}

fn end_in(
    folder: &Path,
    root: &Path,
    (text, may_be_silent): (&str, bool),
) -> Result<String, Error> {
    let state = State::of_another(folder);
    let id = meant(&state, text)?;
    let listed = find::networks(root, Deadline::after(dropped::ASK_TIME));
    match listed {
        Ok(Some(listed)) if listed.ids.contains(&id) => {
            return Err(DockerError::Listed { id }.into());
        }
        Ok(Some(_)) => {}
        Ok(None) | Err(_) if may_be_silent => {}
        Ok(None) => {
            let why = "its list has no network none".to_owned();
            return Err(DockerError::Silent { id, why }.into());
        }
        Err(error) => {
            let why = error.to_string();
            return Err(DockerError::Silent { id, why }.into());
        }
    }
    if dropped::is_used(&state, &id)? {
        return Err(DockerError::Used { id }.into());
    }
    dropped::end(&state, &id, |pool| {
        state.forget::<PoolFile>(pool).map_err(DockerError::from)?;
        ipam::end(pool, Deadline::after(TIME))
    })?;
    Ok(id)
}

/// The one network whose id begins so.
fn meant(state: &State, text: &str) -> Result<String, DockerError> {
    let (mut ids, mut broken) = (Vec::new(), None);
    for network in state.all::<Network>() {
        match network {
            Ok(network) if !text.is_empty() && network.id.starts_with(text) => ids.push(network.id),
            Ok(_) => {}
            Err(error) => broken = Some(error),
        }
    }
    match (ids.as_slice(), broken) {
        ([id], _) => Ok(id.clone()),
        ([], Some(error)) => Err(error.into()),
        ([], None) | ([_, _, ..], _) => Err(DockerError::NotKept {
            text: text.to_owned(),
            ids,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::dropped::tests::{Root, kept};
    use super::*;

    fn end_there(root: &Root, text: &str, may_be_silent: bool) -> String {
        let folder = root.0.join("state");
        match end_in(&folder, &root.0, (text, may_be_silent)) {
            Ok(id) => format!("ended {id}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_one_network_that_is_meant_ends_where_dockerd_has_it_not() {
        let root = Root::new("orphan");
        let driver = root.keeping(&["ab1", "ab2", "c"]);
        let end =
            |text, listed: &[&str]| root.listing("one", listed, || end_there(&root, text, false));
        assert_eq!(end("ab1", &["ab1", "c"]), "dockerd has the network ab1");
        assert_eq!(end("ab1", &["c"]), "ended ab1");
        assert_eq!(kept(&driver), ["ab2", "c"]);
        assert_eq!(end("a", &[]), "ended ab2");
        assert_eq!(kept(&driver), ["c"]);
    }

    #[test]
    fn who_is_meant_must_be_plain() {
        let root = Root::new("meant");
        let driver = root.keeping(&["ab1", "ab2"]);
        for (text, refused) in [
            ("a", "a may be ab1 or ab2"),
            ("x", "no network of Docker's is kept whose id begins with x"),
            ("", "no network of Docker's is kept whose id begins with "),
        ] {
            let mut told = end_there(&root, text, true);
            // In the order of the folder.
            told = told.replace("ab2 or ab1", "ab1 or ab2");
            assert_eq!(told, refused);
        }
        assert_eq!(kept(&driver).len(), 2);
    }

    #[test]
    fn a_silent_dockerd_may_have_it_unless_a_person_knows_better() {
        let root = Root::new("mute");
        let driver = root.keeping(&["a"]);
        let told = end_there(&root, "a", false);
        assert!(
            told.starts_with("whether dockerd has the network a is not known: "),
            "{told}"
        );
        assert_eq!(kept(&driver), ["a"]);
        assert_eq!(end_there(&root, "a", true), "ended a");
    }

    #[test]
    fn a_network_with_a_container_does_not_end_by_force_either() {
        let root = Root::new("held");
        let driver = root.keeping(&["a"]);
        let endpoint = root.endpoint_in("a");
        assert_eq!(
            end_there(&root, "a", true),
            "a container is in the network a"
        );
        fs::remove_file(endpoint).unwrap();
        assert_eq!(end_there(&root, "a", true), "ended a");
        assert_eq!(kept(&driver), [""; 0]);
    }
}
