//! Where the files are by which a container finds names, from its bundle's
//! config.json (runtime-spec, "Root" and "Mounts").
//!
//! A mount may come from anywhere its user liked, /etc/shadow included. So one
//! counts as the engine's only where the file bears the right name in a
//! directory of this container's id, which engines draw at random; `sys::files`
//! has the rest of the checks.

use std::path::{Component, Path, PathBuf};

use crate::host::bundle::{Config, Mount};
use crate::host::view::{FileView, FilesView};
use crate::rt::{ContainerFile, FilePlace};
use crate::sys::files;

/// Hexadecimal digits of an id that an engine drew: Docker, podman, containerd
/// and CRI-O have 64.
const DRAWN_DIGITS: usize = 32;

/// Looks at both files of the container `id`. `is_alone` says that it has no
/// interface but `lo` and ours.
pub fn look_at_files(
    id: &str,
    bundle: &Path,
    config: Option<&Config>,
    is_alone: bool,
) -> FilesView {
    let Some(config) = config else {
        let reason = format!("{}/config.json cannot be read", bundle.display());
        let left = FileView::LeftAlone { reason };
        return FilesView {
            resolv: left.clone(),
            hosts: left,
            is_alone,
            is_read_only: false,
            hostname: None,
        };
    };
    let of = |file| match place(file, config, id, bundle) {
        // Its root is asked about resolv.conf alone.
        Ok(FilePlace::Root { .. }) if file == ContainerFile::Hosts => FileView::LeftAlone {
            reason: "the engine keeps no such file for it".to_owned(),
        },
        Ok(place) => match files::read(file, &place) {
            Ok(text) => FileView::Writable { place, text },
            Err(fault) => FileView::LeftAlone {
                reason: fault.to_string(),
            },
        },
        Err(reason) => FileView::LeftAlone { reason },
    };
    FilesView {
        resolv: of(ContainerFile::Resolv),
        hosts: of(ContainerFile::Hosts),
        is_alone,
        is_read_only: config.root.as_ref().is_some_and(|root| root.readonly),
        hostname: config.hostname.clone().filter(|name| is_host_name(name)),
    }
}

/// What could not break a line of hosts(5).
fn is_host_name(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=253).contains(&name.len()) && name.bytes().all(is_plain)
}

fn place(
    file: ContainerFile,
    config: &Config,
    id: &str,
    bundle: &Path,
) -> Result<FilePlace, String> {
    let target = PathBuf::from(file.to_string());
    // The last mount lies on top.
    let covers = |mount: &&Mount| {
        let destination = plain(&mount.destination);
        destination != Path::new("/") && target.starts_with(destination)
    };
    let Some(mount) = config.mounts.iter().rfind(covers) else {
        let root = config.root.as_ref().ok_or("config.json names no root")?;
        return Ok(FilePlace::Root {
            root: bundle.join(&root.path),
        });
    };
    let destination = plain(&mount.destination);
    let source = mount.source.as_deref().unwrap_or(Path::new("nothing"));
    if destination != target {
        return Err(format!(
            "{} is mounted over {}",
            source.display(),
            destination.display()
        ));
    }
    match is_engines(source, file, id) {
        true => Ok(FilePlace::Engine {
            path: source.to_owned(),
        }),
        false => Err(format!(
            "{}, which is mounted there, is no file that the engine keeps for this container alone",
            source.display()
        )),
    }
}

/// `/x/../etc/` as `/etc`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(part) => plain.push(part),
            Component::ParentDir => {
                plain.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    plain
}

fn is_engines(source: &Path, file: ContainerFile, id: &str) -> bool {
    // An id that somebody chose may be the name of any directory.
    let is_drawn = id.len() >= DRAWN_DIGITS && id.bytes().all(|b| b.is_ascii_hexdigit());
    let is_plain = |component| matches!(component, Component::RootDir | Component::Normal(_));
    is_drawn
        && source.is_absolute()
        && source.components().all(is_plain)
        && source.file_name().is_some_and(|name| name == file.name())
        && source
            .parent()
            .is_some_and(|parent| parent.iter().any(|part| part == id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::bundle::Root;

    const ID: &str = "4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c";

    fn config(mounts: &[(&str, &str)]) -> Config {
        Config {
            root: Some(Root {
                path: "rootfs".into(),
                readonly: false,
            }),
            mounts: mounts
                .iter()
                .map(|(destination, source)| Mount {
                    destination: destination.into(),
                    source: Some(source.into()),
                })
                .collect(),
            ..Config::default()
        }
    }

    fn resolv(mounts: &[(&str, &str)]) -> Result<FilePlace, String> {
        place(
            ContainerFile::Resolv,
            &config(mounts),
            ID,
            Path::new("/bundle"),
        )
    }

    #[test]
    fn a_file_that_the_engine_keeps_is_found_by_the_containers_id() {
        for source in [
            "/run/containers/storage/overlay-containers/4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c/userdata/resolv.conf",
            "/var/lib/docker/containers/4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c/resolv.conf",
        ] {
            let place = resolv(&[("/etc/resolv.conf", source)]);
            let path = source.into();
            assert_eq!(place, Ok(FilePlace::Engine { path }));
        }
    }

    #[test]
    fn a_mount_of_the_users_is_left_alone() {
        for source in [
            "/etc/shadow",
            "/etc/resolv.conf",
            "/var/lib/docker/containers/other/resolv.conf",
            "/x/4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c/../../etc/resolv.conf",
            "4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c/resolv.conf",
            "/x/4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c/shadow",
        ] {
            assert!(resolv(&[("/etc/resolv.conf", source)]).is_err(), "{source}");
        }
    }

    #[test]
    fn an_id_that_somebody_chose_makes_no_file_the_engines() {
        let source = Path::new("/srv/web/resolv.conf");
        assert!(!is_engines(source, ContainerFile::Resolv, "web"));
        assert!(!is_engines(source, ContainerFile::Resolv, "srv"));
        let hex = "0123456789abcdef";
        let source = PathBuf::from(format!("/x/{hex}{hex}/resolv.conf"));
        assert!(is_engines(&source, ContainerFile::Resolv, &hex.repeat(2)));
    }

    #[test]
    fn without_a_mount_it_is_in_the_root() {
        let root = PathBuf::from("/bundle/rootfs");
        let place = resolv(&[("/proc", "proc"), ("/", "x"), ("/etc/hosts", "/h")]);
        assert_eq!(place, Ok(FilePlace::Root { root }));
    }

    #[test]
    fn what_is_mounted_over_the_directory_hides_the_root() {
        for destination in ["/etc", "/etc/", "/x/../etc", "//etc/."] {
            assert!(resolv(&[(destination, "/srv/etc")]).is_err());
        }
    }

    #[test]
    fn the_last_mount_lies_on_top() {
        let engines = "/var/lib/docker/containers/4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c/resolv.conf";
        let mounts = [
            ("/etc/resolv.conf", engines),
            ("/etc/resolv.conf", "/etc/shadow"),
        ];
        assert!(resolv(&mounts).is_err());
    }
}
