//! What holds for pods where nothing is written, as under Multus: interfaces
//! are net1 and upwards, and none of them brings the default route, which is the
//! cluster's.

use super::{Asked, Attachment, DefaultRoute, IfName, Origin, Request};

/// What default names begin with, and how far their numbers are from a pod's.
const FORMS: [(&str, u32); 2] = [("eth", 0), ("ib", 1)];

impl Request {
    /// Gives a pod's defaults to everything that nobody wrote.
    pub fn for_pod(&mut self) {
        self.guard_by_default();
        for attachment in &mut self.attachments {
            attachment.addressing.default.get_or_insert(Asked {
                value: DefaultRoute {
                    v4: false,
                    v6: false,
                },
                origin: Origin::Default,
            });
            if attachment.ifname.origin != Origin::Default {
                continue;
            }
            let Some(name) = pods_name(&attachment.ifname.value) else {
                continue;
            };
            attachment.rename(&name);
        }
    }
}

impl Attachment {
    /// Gives the interface another name, and the rules that name it.
    pub(super) fn rename(&mut self, name: &IfName) {
        let former = std::mem::replace(&mut self.ifname.value, name.clone());
        let rules = self.routing.rules.iter_mut();
        for selector in rules.map(|rule| &mut rule.value.selector) {
            let named = [&mut selector.iif, &mut selector.oif].into_iter().flatten();
            named
                .filter(|named| **named == former)
                .for_each(|named| *named = name.clone());
        }
    }
}

/// net1 for eth1 and for ib0.
fn pods_name(name: &IfName) -> Option<IfName> {
    let (digits, more) = FORMS
        .iter()
        .find_map(|(form, more)| Some((name.as_str().strip_prefix(form)?, more)))?;
    let number: u32 = digits.parse().ok()?;
    format!("net{}", number + more).parse().ok()
}

#[cfg(test)]
mod tests {
    use crate::request::{Request, annotations};

    fn pod(annotations: &[(&str, &str)]) -> Request {
        let request = annotations::parse(annotations.iter().copied());
        let mut request = request.unwrap().unwrap();
        request.for_pod();
        request
    }

    fn names(request: &Request) -> Vec<&str> {
        let attachments = request.attachments.iter();
        attachments.map(|a| a.ifname.value.as_str()).collect()
    }

    #[test]
    fn interfaces_of_pods_are_net1_and_upwards_unless_they_are_named() {
        let one = pod(&[("pipework.bridge", "br0")]);
        assert_eq!(names(&one), ["net1"]);
        let two = pod(&[("pipework.0.bridge", "br0"), ("pipework.1.ipoib", "ib0")]);
        assert_eq!(names(&two), ["net1", "net2"]);
        let named = pod(&[("pipework.eth1.bridge", "br0")]);
        assert_eq!(names(&named), ["eth1"]);
    }

    #[test]
    fn the_default_route_of_a_pod_is_the_clusters_unless_it_is_asked_for() {
        let ip = ("pipework.ip", "10.0.0.5/24@10.0.0.1");
        let request = pod(&[("pipework.bridge", "br0"), ip]);
        let way = |request: &Request| {
            let route = request.attachments[0].addressing.default_route();
            (route.v4, route.v6)
        };
        assert_eq!(way(&request), (false, false));
        let asked = pod(&[("pipework.bridge", "br0"), ip, ("pipework.default", "true")]);
        assert_eq!(way(&asked), (true, false));
    }

    #[test]
    fn ports_of_pods_are_guarded() {
        let request = pod(&[("pipework.bridge", "br0")]);
        let spoofcheck = request.attachments[0].port.spoofcheck.as_ref();
        assert!(spoofcheck.unwrap().value);
    }
}
