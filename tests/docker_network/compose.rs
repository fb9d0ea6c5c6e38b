//! Compose: networks of a file with the driver pipework.

use crate::plugin::Lan;

const FILE: &str = r#"services:
  web:
    image: bb
    command: /bin/look stay
    stop_grace_period: 1s
    networks:
      lan: {ipv4_address: 10.0.0.5, mac_address: "02:42:0a:00:00:05"}
  worker:
    image: bb
    command: /bin/look stay
    stop_grace_period: 1s
    networks: [lan]
networks:
  lan:
    driver: pipework
    driver_opts: {bridge: br0}
    ipam:
      driver: pipework
      config: [{subnet: 10.0.0.0/24, gateway: 10.0.0.1, ip_range: 10.0.0.128/25, aux_addresses: {printer: 10.0.0.129}}]
"#;

pub fn services_are_on_the_lan_over_up_restart_scale_and_down(lan: &Lan) {
    lan.write("/srv/lan/compose.yaml", FILE);
    let compose = |line: &str| {
        lan.sh(&format!("cd /srv/lan && docker compose {line}"))
            .ok()
    };
    compose("up -d --scale worker=3");
    let look = || compose("exec -T web /bin/look");
    let seen = look();
    for line in [
        "link eth0 up running 02:42:0a:00:00:05 mtu 1500",
        "addr eth0 10.0.0.5/24",
        "route default via 10.0.0.1 dev eth0",
    ] {
        assert!(
            seen.lines().any(|seen| seen.starts_with(line)),
            "{line}:\n{seen}"
        );
    }
    assert_eq!(lan.kept("endpoints").len(), 4);
    let worker = compose("exec -T worker /bin/look");
    assert!(!worker.contains("10.0.0.129/"), "{worker}");
    compose("restart -t 1");
    assert_eq!(look(), seen);
    compose("up -d --scale worker=1 -t 1");
    assert_eq!(lan.kept("endpoints").len(), 2);
    compose("down -t 1");
    lan.assert_nothing_left();
    compose("up -d");
    assert_eq!(look(), seen);
    compose("down -t 1");
}
