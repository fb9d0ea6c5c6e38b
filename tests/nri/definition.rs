//! Our messages against the protocols' own definitions, which are in every runtime
//! that speaks them: those of the plugin, and those of the client that makes pods.

use std::path::Path;

use crate::descriptor::{Descriptor, ENUM, File, MESSAGE, Ours, camel, messages_in, packed, plain};
use crate::runtime_v1::{CALLS, MountPropagation, NamespaceMode, SERVICE};
use crate::support::skip;
use crate::support::world::{Skip, root};

const NRI: &str = "nri.pkg.api.v1alpha1";
const CRI: &str = "runtime.v1";
/// Ours, whose names stand for several of the protocol's.
const SHARED: [(&str, &[&str]); 2] = [
    (
        "PodRequest",
        &[
            "RunPodSandboxRequest",
            "StopPodSandboxRequest",
            "RemovePodSandboxRequest",
        ],
    ),
    (
        "ContainerRequest",
        &[
            "CreateContainerRequest",
            "StopContainerRequest",
            "RemoveContainerRequest",
        ],
    ),
];
/// Those of ttrpc, which are defined elsewhere.
const OF_TTRPC: [&str; 3] = ["Request", "Response", "Status"];

/// Checks a field of ours; `false` where theirs has none of that number.
#[track_caller]
fn compare(ours: &Ours, theirs: &Descriptor) -> bool {
    let found = theirs
        .fields
        .iter()
        .find(|field| field.number == ours.number);
    let Some(found) = found else { return false };
    let at = format!("{}.{}", theirs.name, ours.name);
    assert_eq!(found.name, ours.name, "{at}");
    assert_eq!(found.kind, ours.kind, "{at}");
    assert_eq!(found.label == 3, ours.is_many, "{at}");
    true
}

#[test]
fn our_messages_are_those_that_containerd_was_built_of() {
    for suite in ["trixie", "forky"] {
        let root = match root(suite) {
            Ok(root) => root,
            Err(Skip(reason)) => skip!(reason),
        };
        let theirs = plain(&Path::new(&root).join("usr/bin/containerd"), NRI);
        let mut compared = 0;
        for (name, fields) in messages_in(include_str!("../../src/nri/message.rs")) {
            if OF_TTRPC.contains(&name.as_str()) {
                continue;
            }
            let shared = SHARED.iter().find(|(ours, _)| *ours == name);
            let names = shared.map_or(vec![name.as_str()], |(_, theirs)| theirs.to_vec());
            // What is a call of its own since 0.12 is none in these.
            let known = names.iter().filter_map(|name| theirs.message(name));
            let known: Vec<&Descriptor> = known.collect();
            assert!(
                !known.is_empty() || name == "PodRequest",
                "{suite}: no {name}"
            );
            for message in known {
                for field in &fields {
                    let is_known = compare(field, message);
                    // 0.6.1 neither tells its patience nor splits a list.
                    let is_newer = field.name.ends_with("_timeout") || field.name == "more";
                    assert!(
                        is_known || is_newer && suite == "trixie",
                        "{name}: {field:?}"
                    );
                    compared += usize::from(is_known);
                }
            }
        }
        assert!(compared > 25, "{suite}: {compared}");
        let events = theirs
            .enums
            .iter()
            .find(|theirs| theirs.name == "Event")
            .unwrap();
        for value in events.values.iter().filter(|value| value.number <= 11) {
            let ours = pipework::nri::message::Event::try_from(value.number).unwrap();
            assert_eq!(format!("{ours:?}"), camel(&value.name), "{suite}");
        }
    }
}

/// Checks that an enumeration has the values of ours, and no others.
#[track_caller]
fn compare_enum(name: &str, theirs: &File, ours: impl Fn(i32) -> Option<String>) {
    let theirs = theirs.enums.iter().find(|theirs| theirs.name == name);
    for value in &theirs.unwrap().values {
        assert_eq!(ours(value.number), Some(camel(&value.name)), "{name}");
    }
}

#[test]
fn the_messages_of_the_client_that_makes_pods_are_those_that_containerd_was_built_of() {
    for suite in ["trixie", "forky"] {
        let root = match root(suite) {
            Ok(root) => root,
            Err(Skip(reason)) => skip!(reason),
        };
        let theirs = packed(&Path::new(&root).join("usr/bin/containerd"), CRI);
        let ours = messages_in(include_str!("runtime_v1.rs"));
        let mut compared = 0;
        for (name, fields) in &ours {
            let message = theirs.message(name);
            let message = message.unwrap_or_else(|| panic!("{suite}: no {name}"));
            for field in fields {
                assert!(compare(field, message), "{suite}: {name}: {field:?}");
                compared += 1;
                if let (MESSAGE | ENUM, Some(of)) = (field.kind, &field.type_name) {
                    let mut known = message.fields.iter();
                    let known = known.find(|known| known.number == field.number);
                    assert_eq!(known.unwrap().type_name, format!(".{CRI}.{of}"), "{name}");
                }
            }
        }
        assert!(compared > 40, "{suite}: {compared}");
        compare_enum("NamespaceMode", &theirs, |number| {
            Some(format!("{:?}", NamespaceMode::try_from(number).ok()?))
        });
        compare_enum("MountPropagation", &theirs, |number| {
            let ours = MountPropagation::try_from(number).ok()?;
            Some(format!("Propagation{ours:?}"))
        });
        let name = SERVICE.strip_prefix("runtime.v1.").unwrap();
        let service = theirs.services.iter().find(|service| service.name == name);
        let methods = &service.unwrap().methods;
        for [method, takes, gives] in CALLS {
            let known = methods.iter().find(|known| known.name == *method);
            let known = known.unwrap_or_else(|| panic!("{suite}: no {method}"));
            assert_eq!(known.takes, format!(".{CRI}.{takes}"));
            assert_eq!(known.gives, format!(".{CRI}.{gives}"));
        }
    }
}
