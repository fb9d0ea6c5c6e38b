//! The name of an interface on InfiniBand that nobody named: ib0 and upwards.
//!
//! For `ipoib=` the key says it; `link=` may name anything, so that it is known
//! once the host was looked at.

use super::{IfName, Origin, Request, Uplink};

impl Request {
    /// The places of those interfaces whose name depends on what their uplink is.
    pub fn named_by_uplink(&self) -> Vec<usize> {
        let attachments = self.attachments.iter().enumerate();
        let depends = attachments.filter(|(_, attachment)| {
            let is_link = matches!(attachment.uplink.value, Uplink::Link { .. });
            let is_open = attachment.ifname.origin == Origin::Default;
            is_link && is_open && infiniband_name(&attachment.ifname.value).is_some()
        });
        depends.map(|(place, _)| place).collect()
    }

    /// Names the interface at `place` as one on InfiniBand: ib0 for eth1. What was
    /// named by somebody, or as a pod's, keeps its name, and so does everything
    /// where another of the request has that one.
    pub fn name_as_infiniband(&mut self, place: usize) {
        let Some(attachment) = self.attachments.get(place) else {
            return;
        };
        let name = infiniband_name(&attachment.ifname.value);
        let Some(name) = name.filter(|_| attachment.ifname.origin == Origin::Default) else {
            return;
        };
        if self.attachments.iter().all(|a| a.ifname.value != name)
            && let Some(attachment) = self.attachments.get_mut(place)
        {
            attachment.rename(&name);
        }
    }
}

fn infiniband_name(name: &IfName) -> Option<IfName> {
    let number: u32 = name.as_str().strip_prefix("eth")?.parse().ok()?;
    format!("ib{}", number.checked_sub(1)?).parse().ok()
}

#[cfg(test)]
mod tests {
    use crate::request::{Request, annotations};

    /// The request, each of whose uplinks turned out to be InfiniBand.
    fn on_infiniband(pairs: &[(&str, &str)], is_pod: bool) -> Request {
        let request = annotations::parse(pairs.iter().copied());
        let mut request = request.unwrap().unwrap();
        if is_pod {
            request.for_pod();
        }
        for place in request.named_by_uplink() {
            request.name_as_infiniband(place);
        }
        request
    }

    fn names(pairs: &[(&str, &str)], is_pod: bool) -> Vec<String> {
        let request = on_infiniband(pairs, is_pod);
        let attachments = request.attachments.iter();
        attachments.map(|a| a.ifname.value.to_string()).collect()
    }

    #[test]
    fn an_interface_on_infiniband_is_ib0_and_upwards_unless_it_is_named() {
        let link = ("pipework.link", "ib0");
        assert_eq!(names(&[link], false), ["ib0"]);
        let third = ("pipework.2.link", "ib0");
        assert_eq!(names(&[third], false), ["ib2"]);
        assert_eq!(names(&[("pipework.eth1.link", "ib0")], false), ["eth1"]);
        assert_eq!(names(&[link, ("pipework.ifname", "eth1")], false), ["eth1"]);
        assert_eq!(names(&[link], true), ["net1"]);
        // Another key says what it is, whatever it is on.
        assert_eq!(names(&[("pipework.parent", "ib0")], false), ["eth1"]);
    }

    #[test]
    fn a_name_that_another_interface_of_the_request_has_is_not_given_twice() {
        let asked = [
            ("pipework.0.link", "ib0"),
            ("pipework.1.bridge", "br0"),
            ("pipework.1.ifname", "ib0"),
        ];
        assert_eq!(names(&asked, false), ["eth1", "ib0"]);
    }

    #[test]
    fn a_rule_goes_with_the_name() {
        let rule = ("pipework.rule", "iif eth1 table 100");
        let request = on_infiniband(&[("pipework.link", "ib0"), rule], false);
        let selector = &request.attachments[0].routing.rules[0].value.selector;
        assert_eq!(selector.iif.as_ref().unwrap().as_str(), "ib0");
    }
}
