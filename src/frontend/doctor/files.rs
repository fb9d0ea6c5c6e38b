//! The administrator's files, the host's name servers, and the program itself.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::finding::{Finding, Severity};
use super::host::{Host, bytes, files, text};
use crate::config::{CONFIG_PATH, Config};
use crate::networks::{self, DIRECTORY, NetworkError};
use crate::policy::{POLICY_PATH, Policy, PolicyError};
use crate::request::NetworkName;

const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Where programs are looked for besides PATH.
const USUAL: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin";

/// The policy.
pub fn policy(host: &Host) -> Vec<Finding> {
    if is_closed(POLICY_PATH) {
        return vec![Finding::needs_root(POLICY_PATH)];
    }
    let error =
        |cause: String, cure: String| vec![Finding::new(Severity::Error, POLICY_PATH, cause, cure)];
    match Policy::load(Path::new(POLICY_PATH)) {
        Ok(Some(_)) => Vec::new(),
        Ok(None) if host.has_pods() => {
            let cause = "there is no policy, so pods get nothing";
            let cure = "write one: man pipework-policy, packaging/policy.toml.example";
            vec![Finding::new(Severity::Note, POLICY_PATH, cause, cure)]
        }
        Ok(None) => Vec::new(),
        Err(e) => {
            // What else can be wrong is for who writes it.
            let cure = if let PolicyError::File(file) = &e {
                file.cure()
            } else {
                None
            };
            let cure = cure.unwrap_or_else(|| format!("edit {POLICY_PATH}; man 5 pipework-policy"));
            let then = "until then everything is refused, but by a plugin that read it before";
            error(format!("{e}; {then}"), cure)
        }
    }
}

/// Whether a file is there and not for us to read.
fn is_closed(path: impl AsRef<Path>) -> bool {
    let opened = std::fs::File::options()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(path);
    opened.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
}

/// The settings of the whole machine.
pub fn config(_: &Host) -> Vec<Finding> {
    if is_closed(CONFIG_PATH) {
        return vec![Finding::needs_root(CONFIG_PATH)];
    }
    let Err(error) = Config::load_from(Path::new(CONFIG_PATH)) else {
        return Vec::new();
    };
    let cure = error
        .hint()
        .unwrap_or_else(|| format!("edit {CONFIG_PATH}"));
    vec![Finding::new(Severity::Error, CONFIG_PATH, error, cure)]
}

/// The named networks.
pub fn networks(_: &Host) -> Vec<Finding> {
    let directory = Path::new(DIRECTORY);
    let cure_of = |error: &NetworkError| match error {
        NetworkError::File(file) => file.cure(),
        NetworkError::Unknown { .. } | NetworkError::Wrong { .. } => None,
    };
    let names = match networks::names(directory) {
        Ok(names) => names,
        Err(error) => {
            let cure = cure_of(&error).unwrap_or_else(|| format!("ls -l {DIRECTORY}"));
            let subject = directory.display();
            return vec![Finding::new(Severity::Error, subject, error, cure)];
        }
    };
    let mut findings = Vec::new();
    for name in &names {
        let subject = networks::path_of(directory, name);
        if is_closed(&subject) {
            findings.push(Finding::needs_root(subject.display()));
        } else if let Err(error) = networks::load(directory, name) {
            let cure = cure_of(&error);
            let edit = || format!("edit {}, then: pipework networks {name}", subject.display());
            let cure = cure.unwrap_or_else(edit);
            findings.push(Finding::new(
                Severity::Error,
                subject.display(),
                error,
                cure,
            ));
        }
    }
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    for path in entries.take(1024).map(|entry| entry.path()) {
        let name = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        let is_toml = path.extension().is_some_and(|ending| ending == "toml");
        if is_toml && name.parse::<NetworkName>().is_ok() {
            continue;
        }
        let cause =
            "it is not read: a network's file is called NAME.toml, NAME of a-z, 0-9, _ and -";
        findings.push(Finding::new(
            Severity::Note,
            path.display(),
            cause,
            "rename it, or move it away",
        ));
    }
    findings
}

/// Name servers that no container reaches.
pub fn dns(_: &Host) -> Vec<Finding> {
    let text = text(RESOLV_CONF);
    let servers = servers(&text);
    if servers.is_empty() || !servers.iter().all(IpAddr::is_loopback) {
        return Vec::new();
    }
    let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
    let cause = format!(
        "its name servers ({}) are this host's own: a container that is given this file resolves nothing",
        servers.join(", ")
    );
    let cure =
        "annotate with pipework.dns=ADDRESS, or pipework.dns=lease; or podman run --dns ADDRESS";
    vec![Finding::new(Severity::Note, RESOLV_CONF, cause, cure)]
}

/// The addresses of `nameserver` lines (resolv.conf(5)).
fn servers(text: &str) -> Vec<IpAddr> {
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next())?
    });
    let addresses = lines.filter_map(|word| word.split('%').next()?.parse().ok());
    addresses.collect()
}

/// Other programs that are called `pipework`: the shell script, or another
/// release.
pub fn program(_: &Host) -> Vec<Finding> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(USUAL.split(':'));
    let folders: Vec<&str> = folders.filter(|folder| folder.starts_with('/')).collect();
    let own = std::env::current_exe()
        .ok()
        .and_then(|own| own.canonicalize().ok());
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    let mut is_behind_us = false;
    for path in folders
        .iter()
        .map(|folder| Path::new(folder).join("pipework"))
    {
        let Ok(real) = path.canonicalize() else {
            continue;
        };
        if Some(&real) == own.as_ref() {
            is_behind_us = true;
        } else if seen.insert(real) {
            findings.extend(other(&path, is_behind_us));
        }
    }
    findings
}

/// What another program of that name is.
fn other(path: &Path, is_behind_us: bool) -> Option<Finding> {
    let start = bytes(path).ok().flatten()?;
    let shown = path.display();
    let cure = format!("mv {shown} {shown}.old");
    if start.starts_with(b"#!") {
        let (severity, when) = match is_behind_us {
            true => (Severity::Note, "is behind this one in PATH"),
            false => (Severity::Warning, "is what a shell starts as `pipework`"),
        };
        let cause = format!("the shell script of that name {when}");
        return Some(Finding::new(severity, shown, cause, cure));
    }
    let own = std::env::current_exe()
        .ok()
        .and_then(|own| bytes(&own).ok().flatten());
    // A copy is as good; only the beginning is compared.
    (own.as_ref() != Some(&start)).then(|| {
        let cause = "another build of pipework: hooks and shells may start different ones";
        let cure = "install one of the two over the other";
        Finding::new(Severity::Note, shown, cause, cure)
    })
}

/// Files of the systemd units that would call a daemon, for a cure that fits.
pub fn has_systemd_units() -> bool {
    let folders = [
        "/etc/systemd/system",
        "/usr/lib/systemd/system",
        "/lib/systemd/system",
    ];
    let has = |folder: &str| {
        files(Path::new(folder), "socket")
            .iter()
            .any(|path| path.ends_with("pipework.socket"))
    };
    folders.into_iter().any(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_as_the_resolver_does() {
        let text = "# nameserver 1.1.1.1\nnameserver 127.0.0.53\nnameserver\t::1%lo\nsearch lan\nnameserver x\n";
        let servers = servers(text);
        assert_eq!(servers.len(), 2);
        assert!(servers.iter().all(IpAddr::is_loopback));
    }
}
