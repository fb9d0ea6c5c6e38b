//! Name servers of DHCPv6: of a lease, and where a router says that there is
//! more.

use pipework::dhcp::v6::options::code;
use pipework::dhcp::v6::wire::MessageType;

use crate::six::alone;
use crate::support::dhcp6_server::{GIVEN, HOUR, Scripted6, lan6, ordinary};
use crate::support::lab::router::{Router, prefix};
use crate::support::lab::{Container, Lab, bundle_with_root, ip, lab};

/// O (RFC 4861 §4.2).
const OTHER: u8 = 0x40;

/// A bundle with a root of its own, and its resolv.conf.
fn root_of(container: &Container) -> std::path::PathBuf {
    bundle_with_root(&container.id).join("root/etc/resolv.conf")
}

fn resolv_of(lab: &Lab, id: &str, asked: &[&str]) -> Option<String> {
    let container = lab.container(id);
    let file = root_of(&container);
    lab.attach(&container, asked).ok();
    let text = std::fs::read_to_string(&file).ok()?;
    Some(text.split_once('\n').unwrap().1.to_owned())
}

#[test]
fn where_a_router_says_that_there_is_more_it_is_asked_for() {
    lab!(|lab| {
        let machine = lan6(lab);
        let server = Scripted6::ordinary(lab, &machine);
        let asked = ["pipework.bridge=br0", "pipework.ip=slaac"];
        let router = Router::start(lab, &machine, 0, &[prefix("fd00::")]);
        assert_eq!(resolv_of(lab, "without", &asked), None);
        assert_eq!(server.kinds(), []);
        drop(router);
        lab.inside(&machine, || ip("-6 addr del fe80::1/64 dev wire"));
        let _router = Router::start(lab, &machine, OTHER, &[prefix("fd00::")]);
        let text = resolv_of(lab, "with", &asked);
        assert_eq!(text.as_deref(), Some("search lan\nnameserver fd00::53\n"));
        assert_eq!(server.kinds(), [MessageType::InformationRequest]);
        // Nobody wants to know.
        let keep = [
            "pipework.bridge=br0",
            "pipework.ip=slaac",
            "pipework.dns=keep",
        ];
        assert_eq!(resolv_of(lab, "keeps", &keep), None);
        assert_eq!(server.heard().len(), 1);
    });
}

#[test]
fn the_name_servers_of_an_ipv6_lease_reach_the_container() {
    lab!(|lab| {
        let machine = lan6(lab);
        let _server = Scripted6::on(lab, &machine, |message, _| {
            let mut answers = ordinary(message, GIVEN, HOUR);
            for answer in &mut answers {
                let dns: std::net::Ipv6Addr = "fd00::53".parse().unwrap();
                answer.options.push(code::DNS_SERVERS, dns.octets());
            }
            answers
        });
        let asked = alone(&["pipework.default=false", "pipework.dns=lease"]);
        let text = resolv_of(lab, "web", &asked);
        assert_eq!(text.as_deref(), Some("nameserver fd00::53\n"));
    });
}
