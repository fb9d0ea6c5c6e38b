//! containerd and CRI-O: whether they tell us of pods, and of what pods are
//! annotated with.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::finding::{Finding, Severity};
use super::host::{Host, files, has_listener, is_socket, text};
use crate::frontend::nri::lock::is_served;

/// Where a runtime listens for plugins, unless it is told otherwise.
pub const NRI_SOCKETS: [&str; 2] = ["/run/nri/nri.sock", "/var/run/nri/nri.sock"];
/// The table of containerd's settings about NRI.
pub const NRI_PLUGIN: &str = "io.containerd.nri.v1.nri";
/// What an annotation of ours may begin with, in a list of what is handed on.
const HANDED_ON: [&str; 3] = ["pipework.*", "pipework*", "*"];

/// A runtime: what it is called, where it listens, where its settings are.
struct Runtime {
    name: &'static str,
    socket: &'static str,
    settings: &'static str,
    more: &'static str,
    service: &'static str,
}

const CONTAINERDS: [Runtime; 3] = [
    Runtime {
        name: "containerd",
        socket: "/run/containerd/containerd.sock",
        settings: "/etc/containerd/config.toml",
        more: "/etc/containerd/conf.d",
        service: "containerd",
    },
    Runtime {
        name: "k3s' containerd",
        socket: "/run/k3s/containerd/containerd.sock",
        settings: "/var/lib/rancher/k3s/agent/etc/containerd/config.toml",
        more: "/var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.d",
        service: "k3s",
    },
    Runtime {
        name: "rke2's containerd",
        socket: "/run/k3s/containerd/containerd.sock",
        settings: "/var/lib/rancher/rke2/agent/etc/containerd/config.toml",
        more: "/var/lib/rancher/rke2/agent/etc/containerd/config-v3.toml.d",
        service: "rke2-agent",
    },
];
/// Where CRI-O listens.
pub const CRIO_SOCKETS: [&str; 2] = ["/run/crio/crio.sock", "/var/run/crio/crio.sock"];

/// Whether runtimes of pods have plugins at all.
pub fn nri(host: &Host) -> Vec<Finding> {
    let is_on = NRI_SOCKETS.into_iter().any(has_listener);
    let severity = match host.has_pods() {
        true => Severity::Warning,
        false => Severity::Note,
    };
    let mut findings = Vec::new();
    for runtime in CONTAINERDS.iter().filter(|runtime| is_here(runtime)) {
        let off = settings(runtime)
            .into_iter()
            .find(|(_, table)| disables_nri(table));
        let Runtime { name, service, .. } = runtime;
        let on = format!("[plugins.\"{NRI_PLUGIN}\"] disable = false");
        let restart = format!("systemctl restart {service}");
        // Settings of k3s and rke2 are written anew at each start.
        let edit = |path: &Path| match *service {
            "containerd" => "pipework install containerd --reload".to_owned(),
            _ => format!("in {}: {on}; {restart}", path.display()),
        };
        let (cause, cure) = match (&off, is_on) {
            (Some((path, _)), false) => (
                "NRI is off, so pods get no interfaces".to_owned(),
                edit(path),
            ),
            (Some((path, _)), true) => (
                format!("{} switches NRI off at its next start", path.display()),
                format!("in that file: {on}"),
            ),
            (None, false) => (
                "it has no NRI socket, so pods get no interfaces (containerd 1.7 has NRI off)"
                    .to_owned(),
                edit(runtime.settings.as_ref()),
            ),
            (None, true) => continue,
        };
        findings.push(Finding::new(severity, name, cause, cure));
    }
    if !is_on && CRIO_SOCKETS.into_iter().any(is_socket) {
        let cause = "NRI is off, so pods get no interfaces";
        let cure = "pipework install crio --reload";
        findings.push(Finding::new(severity, "CRI-O", cause, cure));
    }
    if is_on && host.has_pods() && !is_served() {
        let cause = "NRI is on, and no plugin of ours is connected: pods get no interfaces";
        let cure = "systemctl enable --now pipework-nri, or kubectl apply -k packaging/kubernetes";
        findings.push(Finding::new(Severity::Warning, "NRI", cause, cure));
    }
    findings
}

/// Whether containerd hands our annotations on to hooks and wrappers, where that
/// is the way that we hear of pods.
pub fn annotations(_: &Host) -> Vec<Finding> {
    let is_on = NRI_SOCKETS.into_iter().any(has_listener);
    let mut findings = Vec::new();
    for runtime in CONTAINERDS.iter().filter(|runtime| is_here(runtime)) {
        for (path, table) in settings(runtime) {
            for (name, handler) in handlers(&table) {
                let is_ours = calls_us(handler);
                // With NRI nobody needs them, unless we stand in between.
                if !is_ours && is_on {
                    continue;
                }
                let missing = ["pod_annotations", "container_annotations"];
                let missing: Vec<&str> = missing
                    .into_iter()
                    .filter(|key| !hands_on(handler, key))
                    .collect();
                if missing.is_empty() {
                    continue;
                }
                let severity = match is_ours {
                    true => Severity::Error,
                    false => Severity::Note,
                };
                let cause = format!(
                    "runtime {name} has no pipework.* in {}: hooks see no annotation of ours",
                    missing.join(" and ")
                );
                let lines = missing
                    .iter()
                    .map(|key| format!("{key} = [\"pipework.*\"]"));
                let cure = format!(
                    "in its table: {}; systemctl restart {}",
                    lines.collect::<Vec<_>>().join("; "),
                    runtime.service
                );
                findings.push(Finding::new(severity, path.display(), cause, cure));
            }
        }
    }
    findings
}

fn is_here(runtime: &Runtime) -> bool {
    is_socket(runtime.socket)
        && (runtime.service == "containerd" || Path::new(runtime.settings).exists())
}

/// A runtime's settings by file. What is no TOML it tells by itself.
fn settings(runtime: &Runtime) -> Vec<(PathBuf, Table)> {
    let mut paths = vec![PathBuf::from(runtime.settings)];
    paths.extend(files(Path::new(runtime.more), "toml"));
    let read = paths.into_iter().filter_map(|path| {
        let table = text(&path).parse::<Table>().ok()?;
        Some((path, table))
    });
    read.collect()
}

fn disables_nri(settings: &Table) -> bool {
    let nri = settings.get("plugins").and_then(|all| all.get(NRI_PLUGIN));
    nri.and_then(|nri| nri.get("disable"))
        .and_then(Value::as_bool)
        == Some(true)
}

/// The runtimes that CRI knows, by name, in every version of the settings.
fn handlers(settings: &Table) -> Vec<(&String, &Table)> {
    let plugins = settings.get("plugins").and_then(Value::as_table);
    let plugins = plugins.into_iter().flat_map(Table::values);
    let runtimes =
        plugins.filter_map(|plugin| plugin.get("containerd")?.get("runtimes")?.as_table());
    let each = runtimes.flat_map(Table::iter);
    each.filter_map(|(name, table)| Some((name, table.as_table()?)))
        .collect()
}

/// Whether a runtime has us between it and runc: as a wrapper, or by a hook in
/// the specification that it begins with.
fn calls_us(handler: &Table) -> bool {
    let says = |value: &Value| value.as_str().is_some_and(|text| text.contains("pipework"));
    let wrapper = handler
        .get("options")
        .and_then(|options| options.get("BinaryName"));
    let base = handler.get("base_runtime_spec");
    let is_hooked = base
        .and_then(Value::as_str)
        .is_some_and(|path| text(path).contains("pipework"));
    is_hooked || [wrapper, base].into_iter().flatten().any(says)
}

fn hands_on(handler: &Table, key: &str) -> bool {
    let listed = handler.get(key).and_then(Value::as_array);
    let mut listed = listed.into_iter().flatten().filter_map(Value::as_str);
    listed.any(|pattern| HANDED_ON.contains(&pattern))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        text.parse().unwrap()
    }

    #[test]
    fn nri_is_off_only_where_it_is_said() {
        assert!(disables_nri(&table(
            "[plugins.\"io.containerd.nri.v1.nri\"]\ndisable = true"
        )));
        assert!(!disables_nri(&table(
            "[plugins.\"io.containerd.nri.v1.nri\"]\ndisable = false"
        )));
        assert!(!disables_nri(&table("version = 3")));
    }

    #[test]
    fn runtimes_are_found_in_both_versions_of_the_settings() {
        for plugin in ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"] {
            let text = format!(
                "[plugins.\"{plugin}\".containerd.runtimes.lan]\npod_annotations = [\"pipework.*\"]\n\
                 [plugins.\"{plugin}\".containerd.runtimes.lan.options]\nBinaryName = \"/usr/bin/pipework-runc\"\n"
            );
            let table = table(&text);
            let handlers = handlers(&table);
            let [(name, handler)] = handlers.as_slice() else {
                panic!("{handlers:?}");
            };
            assert_eq!(name.as_str(), "lan");
            assert!(calls_us(handler) && hands_on(handler, "pod_annotations"));
            assert!(!hands_on(handler, "container_annotations"));
        }
    }
}
