//! What of the files is known before anything is looked at, for `pipework
//! plan`: what was asked for, and on what the rest depends.

use crate::request::{Attachment, Dns, Hosts};
use crate::rt::ContainerFile;

/// Nothing is taken from anybody.
const UNASKED: &str = "if the container has no other interface and the file is its own";

/// What will be written to the container's files, a line each.
pub fn files_in_words(attachments: &[Attachment]) -> Vec<String> {
    let mut lines: Vec<String> = attachments.iter().flat_map(resolver).collect();
    let mut all = attachments.iter();
    let is_kept = all.any(|attachment| {
        let hosts = attachment.dns.hosts.as_ref();
        hosts.is_some_and(|asked| asked.value == Hosts::Keep)
    });
    let has_address = attachments.first().is_some_and(|attachment| {
        let addressing = &attachment.addressing;
        !addressing.addresses.is_empty() || !addressing.dynamic.is_empty()
    });
    if has_address && !is_kept {
        let file = ContainerFile::Hosts;
        lines.push(format!(
            "writing the container's name and address to {file}, {UNASKED}"
        ));
    }
    lines
}

fn resolver(attachment: &Attachment) -> Vec<String> {
    let (file, ifname) = (ContainerFile::Resolv, &attachment.ifname.value);
    let (mut asked, mut lines) = (Vec::new(), Vec::new());
    let learns = !attachment.addressing.dynamic.is_empty();
    match attachment.dns.servers.as_ref().map(|asked| &asked.value) {
        Some(Dns::Servers(servers)) => {
            let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
            asked.push(format!("the name servers {}", servers.join(", ")));
        }
        Some(Dns::Lease) => asked.push(format!("what {ifname} learns of names")),
        Some(Dns::Auto) | None if learns => {
            lines.push(format!(
                "writing what {ifname} learns of names to {file}, {UNASKED}"
            ));
        }
        Some(Dns::Auto | Dns::Keep) | None => {}
    }
    if let Some(search) = &attachment.dns.search {
        asked.push(format!("the search domains {}", search.value.join(", ")));
    }
    if !asked.is_empty() {
        lines.insert(0, format!("writing {} to {file}", asked.join(" and ")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::annotations::parse;

    fn words(annotations: &[(&str, &str)]) -> Vec<String> {
        let all = [&[("pipework.bridge", "br0")], annotations].concat();
        files_in_words(&parse(all).unwrap().unwrap().attachments)
    }

    #[test]
    fn what_was_asked_for_is_sure_and_the_rest_depends_on_what_is_there() {
        assert!(words(&[]).is_empty());
        let hosts = format!("writing the container's name and address to /etc/hosts, {UNASKED}");
        let learned = format!("writing what eth1 learns of names to /etc/resolv.conf, {UNASKED}");
        assert_eq!(words(&[("pipework.ip", "dhcp")]), [learned, hosts.clone()]);
        let asked = [
            ("pipework.ip", "10.0.0.5/24"),
            ("pipework.dns", "10.0.0.2,10.0.0.3"),
        ];
        let sure = "writing the name servers 10.0.0.2, 10.0.0.3 to /etc/resolv.conf".to_owned();
        assert_eq!(words(&asked), [sure, hosts]);
        let asked = [
            ("pipework.ip", "dhcp"),
            ("pipework.dns", "lease"),
            ("pipework.dns.search", "lan,corp"),
            ("pipework.hosts", "keep"),
        ];
        let sure = "writing what eth1 learns of names and the search domains lan, corp to \
                    /etc/resolv.conf";
        assert_eq!(words(&asked), [sure]);
        let kept = [
            ("pipework.ip", "dhcp"),
            ("pipework.dns", "keep"),
            ("pipework.hosts", "keep"),
        ];
        assert!(words(&kept).is_empty());
    }
}
