//! The container's own name, which outlives its id.
//!
//! State and config.json of podman's containers hold only the id, and no API
//! of an engine may be called from a hook (podman would wait for itself). So
//! we read what the engine wrote down: podman's monitor, our grandparent, was
//! started with the name; podman's storage has it as well. Bare runc and crun
//! have no other name than the id that their user chose.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use super::bundle::{self, Config};
use super::find::files;
use crate::sys::proc;

/// The last part of the path of a podman container's bundle.
const PODMAN_BUNDLE: &str = "userdata";
/// How far up conmon may be: podman's conmon starts the runtime, which starts
/// us, possibly by way of a wrapper.
const ANCESTORS: usize = 4;
/// The name of Docker's namespace in containerd, below which its bundles are.
const MOBY: &str = "moby";
/// What [`EngineName::engine`] says of Docker's containers.
pub const DOCKER: &str = "docker";
/// The same of Kubernetes' pods.
pub const KUBERNETES: &str = "kubernetes";
/// The name of CRI's namespace in containerd.
const CRI: &str = "k8s.io";
/// Annotations that containerd writes, over whatever a pod says: its namespace.
pub const POD_NAMESPACE: &str = "io.kubernetes.cri.sandbox-namespace";
/// And its name in there.
pub const POD: &str = "io.kubernetes.cri.sandbox-name";
/// What Docker mounts from there.
const DOCKERS_MOUNTS: [&str; 3] = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];
/// What Docker keeps of a container is some 10 KiB.
const MAX_DOCKER_BYTES: u64 = 4 << 20;
/// Podman's list of containers is read only where its monitor is not found.
const MAX_STORAGE_BYTES: u64 = 64 << 20;

/// The name by which an engine knows a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineName {
    /// Whose name it is: part of the stable MAC.
    pub engine: &'static str,
    /// The name.
    pub name: String,
    /// There was no name, and this is the id, which changes at recreate.
    pub is_id: bool,
}

impl EngineName {
    /// The name, unless it is only the id.
    pub fn known(self) -> Option<String> {
        (!self.is_id).then_some(self.name)
    }
}

/// Finds the name of the container `id`, whose bundle is `bundle`.
pub fn name_of(id: &str, bundle: &Path) -> EngineName {
    let is_podman = bundle.file_name().is_some_and(|name| name == PODMAN_BUNDLE);
    let name = is_podman.then(|| name_by_conmon(id).or_else(|| name_by_storage(id, bundle)));
    if let Some(name) = name.flatten() {
        let engine = "podman";
        return EngineName {
            engine,
            name,
            is_id: false,
        };
    }
    let space = bundle.parent().and_then(Path::file_name);
    let (engine, name) = match space.and_then(OsStr::to_str) {
        Some(MOBY) => (DOCKER, name_by_docker(id, bundle)),
        Some(CRI) => (KUBERNETES, name_of_pod(bundle)),
        Some(_) | None => ("oci", None),
    };
    if let Some(name) = name {
        return EngineName {
            engine,
            name,
            is_id: false,
        };
    }
    EngineName {
        engine: "oci",
        name: id.to_owned(),
        is_id: is_random(id),
    }
}

/// An id that an engine drew, not one that a person chose.
fn is_random(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit())
}

/// `conmon … -c ID … -n NAME …` (containers/conmon, cli.c).
fn name_by_conmon(id: &str) -> Option<String> {
    let mut pid = nix::unistd::getppid().as_raw();
    for _ in 0..ANCESTORS {
        if pid <= 1 {
            return None;
        }
        let (program, parent) = proc::name_and_parent(pid).ok()?;
        if program == "conmon" {
            return name_in_conmon_line(&proc::command_line(pid).ok()?, id);
        }
        pid = parent;
    }
    None
}

fn name_in_conmon_line(words: &[String], id: &str) -> Option<String> {
    let value_of = |flags: [&str; 2]| {
        let place = words
            .iter()
            .position(|word| flags.contains(&word.as_str()))?;
        words.get(place.checked_add(1)?)
    };
    if value_of(["-c", "--cid"])? != id {
        return None;
    }
    value_of(["-n", "--name"])
        .filter(|name| !name.is_empty())
        .cloned()
}

/// One container in podman's storage (containers/storage, containers.json).
#[derive(Deserialize)]
struct StoredContainer {
    id: String,
    #[serde(default)]
    names: Vec<String>,
}

/// The bundle of a podman container is `STORAGE/ID/userdata`, and the list is
/// `STORAGE/containers.json`.
fn name_by_storage(id: &str, bundle: &Path) -> Option<String> {
    let list = bundle.parent()?.parent()?.join("containers.json");
    let mut bytes = Vec::new();
    File::open(list)
        .ok()?
        .take(MAX_STORAGE_BYTES)
        .read_to_end(&mut bytes)
        .ok()?;
    let stored: Vec<StoredContainer> = serde_json::from_slice(&bytes).ok()?;
    stored
        .into_iter()
        .find(|container| container.id == id)?
        .names
        .into_iter()
        .next()
}

/// What Docker keeps of a container (moby, container/container.go).
#[derive(Deserialize)]
struct DockersOwn {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Name")]
    name: String,
}

/// Wherever Docker's own directory is: what it mounts over files in the container's
/// /etc lies beside what it knows of the container, in a folder called by the id.
/// A user may have mounted something else over one or the other.
fn name_by_docker(id: &str, bundle: &Path) -> Option<String> {
    let config = Config::read(bundle)?;
    let folder = config.mounts.iter().find_map(|mount| {
        let is_dockers = DOCKERS_MOUNTS
            .iter()
            .any(|own| mount.destination == Path::new(own));
        let folder = mount.source.as_ref().filter(|_| is_dockers)?.parent()?;
        (folder.file_name()? == id).then_some(folder)
    })?;
    let bytes = files::bytes(&folder.join("config.v2.json"), MAX_DOCKER_BYTES)?;
    let own: DockersOwn = serde_json::from_slice(&bytes).ok()?;
    let name = own.name.trim_start_matches('/');
    (own.id == id && !name.is_empty()).then(|| name.to_owned())
}

/// A container's annotations.
#[derive(Deserialize)]
struct Annotated {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// `shop/web`, as the plugin calls it: the same when the pod is made anew, and
/// whoever attaches it.
fn name_of_pod(bundle: &Path) -> Option<String> {
    let Annotated { annotations } = bundle::read(bundle)?;
    let named = |key| annotations.get(key).filter(|name| !name.is_empty());
    Some(format!("{}/{}", named(POD_NAMESPACE)?, named(POD)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_name_stands_behind_n_in_the_monitors_line() {
        let line = words("/usr/bin/conmon --api-version 1 -c abc -u abc -r /usr/bin/crun -n web");
        assert_eq!(name_in_conmon_line(&line, "abc").as_deref(), Some("web"));
    }

    #[test]
    fn the_monitor_of_another_container_says_nothing() {
        let line = words("/usr/bin/conmon -c other -n web");
        assert_eq!(name_in_conmon_line(&line, "abc"), None);
    }

    #[test]
    fn an_id_that_a_person_chose_is_a_name() {
        let named = name_of("web", Path::new("/tmp/bundle"));
        assert_eq!(
            named,
            EngineName {
                engine: "oci",
                name: "web".into(),
                is_id: false
            }
        );
        assert!(name_of(&"a1".repeat(32), Path::new("/b")).is_id);
    }
}
