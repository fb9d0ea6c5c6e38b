//! What is written, for whom, and what is left alone.

use super::*;
use crate::request::annotations::parse;
use crate::rt::{FilePlace, is_sealed};

fn attachments(annotations: &[(&str, &str)]) -> Vec<Attachment> {
    let mut all = vec![("pipework.bridge", "br0")];
    all.extend_from_slice(annotations);
    parse(all).unwrap().unwrap().attachments
}

fn engine(file: &str, text: &str) -> FileView {
    FileView::Writable {
        place: FilePlace::Engine {
            path: format!("/run/x/{file}").into(),
        },
        text: Some(text.to_owned()),
    }
}

fn view() -> FilesView {
    FilesView {
        resolv: engine("resolv.conf", "nameserver 192.0.2.1\n"),
        hosts: engine("hosts", "127.0.0.1 localhost\n"),
        is_alone: true,
        is_read_only: false,
        hostname: Some("web".to_owned()),
    }
}

fn learned() -> Vec<Learned> {
    let ifname: IfName = "eth1".parse().unwrap();
    vec![Learned {
        resolver: Resolver {
            servers: vec![("10.0.0.1".parse().unwrap(), ifname.clone())],
            search: vec!["lan".to_owned()],
        },
        addresses: vec!["10.0.0.9".parse().unwrap()],
        ifname,
    }]
}

/// The text of the step for a file.
fn text(
    file: ContainerFile,
    attachments: &[Attachment],
    view: &FilesView,
    learned: &[Learned],
) -> Option<String> {
    let interfaces = ["eth1".parse().unwrap()];
    let (steps, _) = files(attachments, &interfaces, view, learned).unwrap();
    steps.into_iter().find_map(|planned| match planned.step {
        Step::File(step) if step.file == file => {
            assert_eq!(planned.interface, Some(0));
            assert!(is_sealed(&step.text));
            Some(step.text.split_once('\n').unwrap().1.to_owned())
        }
        _ => None,
    })
}

const RESOLV: ContainerFile = ContainerFile::Resolv;
const HOSTS: ContainerFile = ContainerFile::Hosts;

#[test]
fn servers_that_are_asked_for_are_written_whoever_else_is_there() {
    let attachments = attachments(&[("pipework.dns", "10.0.0.2"), ("pipework.dns.search", "lan")]);
    let view = FilesView {
        is_alone: false,
        ..view()
    };
    let text = text(RESOLV, &attachments, &view, &[]);
    assert_eq!(text.as_deref(), Some("search lan\nnameserver 10.0.0.2\n"));
}

#[test]
fn what_a_lease_says_is_written_unasked_only_for_a_container_that_is_alone() {
    let unasked = attachments(&[]);
    let wanted = Some("search lan\nnameserver 10.0.0.1\n");
    let alone = text(RESOLV, &unasked, &view(), &learned());
    assert_eq!(alone.as_deref(), wanted);
    let beside = FilesView {
        is_alone: false,
        ..view()
    };
    assert_eq!(text(RESOLV, &unasked, &beside, &learned()), None);
    let kept = attachments(&[("pipework.dns", "keep")]);
    assert_eq!(text(RESOLV, &kept, &view(), &learned()), None);
    assert_eq!(text(RESOLV, &unasked, &view(), &[]), None);
}

#[test]
fn a_root_that_is_read_only_is_written_to_only_when_asked() {
    let root = FileView::Writable {
        place: FilePlace::Root {
            root: "/srv/image".into(),
        },
        text: None,
    };
    let view = FilesView {
        resolv: root.clone(),
        hosts: root,
        is_read_only: true,
        ..view()
    };
    assert_eq!(text(RESOLV, &attachments(&[]), &view, &learned()), None);
    assert_eq!(text(HOSTS, &attachments(&[]), &view, &learned()), None);
    let asked = attachments(&[("pipework.dns", "10.0.0.2")]);
    let written = text(RESOLV, &asked, &view, &[]);
    assert_eq!(written.as_deref(), Some("nameserver 10.0.0.2\n"));
}

#[test]
fn a_file_that_is_left_alone_refuses_what_was_asked_and_notes_the_rest() {
    let reason = "/etc/shadow is mounted there".to_owned();
    let view = FilesView {
        resolv: FileView::LeftAlone { reason },
        ..view()
    };
    let interfaces = ["eth1".parse().unwrap()];
    let asked = attachments(&[("pipework.dns", "10.0.0.2")]);
    let error = files(&asked, &interfaces, &view, &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/etc/resolv.conf of the container cannot be written: /etc/shadow is mounted there"
    );
    let (steps, notices) = files(&attachments(&[]), &interfaces, &view, &learned()).unwrap();
    assert_eq!((steps.len(), notices.len()), (1, 1), "{steps:?}");
}

#[test]
fn a_container_that_is_alone_finds_its_own_name_at_its_address() {
    let attachments = attachments(&[("pipework.ip", "10.0.0.5/24")]);
    let written = text(HOSTS, &attachments, &view(), &[]);
    assert_eq!(
        written.as_deref(),
        Some("10.0.0.5\tweb\n127.0.0.1 localhost\n")
    );
    let learned = text(HOSTS, &super::tests::attachments(&[]), &view(), &learned());
    assert!(learned.unwrap().starts_with("10.0.0.9\tweb\n"));
    let kept = super::tests::attachments(&[("pipework.hosts", "keep")]);
    assert_eq!(text(HOSTS, &kept, &view(), &super::tests::learned()), None);
}

#[test]
fn what_somebody_wrote_does_not_follow_the_lease() {
    let follows = |annotations: &[(&str, &str)], view: &FilesView| {
        let all = [&[("pipework.ip", "dhcp")], annotations].concat();
        let attachments = attachments(&all);
        follows(&attachments, &"eth1".parse().unwrap(), Some(view))
    };
    let nothing = Follows {
        servers: None,
        search: None,
    };
    let alone = view();
    let among_others = FilesView {
        is_alone: false,
        ..view()
    };
    assert_eq!(follows(&[], &alone), Follows::default());
    assert_eq!(follows(&[], &among_others), nothing);
    let asked = [("pipework.dns", "lease")];
    assert_eq!(follows(&asked, &among_others), Follows::default());
    assert_eq!(follows(&[("pipework.dns", "10.0.0.1")], &alone), nothing);
    assert_eq!(follows(&[("pipework.dns", "keep")], &alone), nothing);
    let own_search = Follows {
        search: None,
        ..Follows::default()
    };
    assert_eq!(
        follows(&[("pipework.dns.search", "lan")], &alone),
        own_search
    );
    let attachments = attachments(&[]);
    assert_eq!(
        super::follows(&attachments, &"eth1".parse().unwrap(), None),
        nothing
    );
}

#[test]
fn what_another_interface_was_told_stays_when_the_lease_changes() {
    let asked = [
        ("pipework.eth0.bridge", "br0"),
        ("pipework.eth0.dns", "10.0.0.2"),
        ("pipework.eth0.dns.search", "corp"),
        ("pipework.eth2.bridge", "br0"),
        ("pipework.eth2.ip", "dhcp"),
        ("pipework.eth2.dns", "lease"),
    ];
    let attachments = parse(asked).unwrap().unwrap().attachments;
    let followed = follows(&attachments, &"eth2".parse().unwrap(), Some(&view()));
    assert_eq!(followed.servers, Some(vec!["10.0.0.2".parse().unwrap()]));
    assert_eq!(followed.search, Some(vec!["corp".to_owned()]));
}
