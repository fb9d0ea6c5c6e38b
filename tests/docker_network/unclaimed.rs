//! A dockerd that dies between its request for a subnet and the network that it is for.

use crate::dropped::{listed, look_until};
use crate::lan::eventually;
use crate::plugin::Lan;

/// A driver that is asked to make a network and never says that it has: the subnet was
/// asked for before.
const SLOW: &str = r#"
use IO::Socket::UNIX;
my $listener = IO::Socket::UNIX->new(Local => "/run/docker/plugins/slow.sock", Listen => 9)
    or die $!;
while (my $stream = $listener->accept) {
    my ($path, $length) = ("", 0);
    while (defined(my $line = <$stream>)) {
        last if $line =~ /^\r?$/;
        $path = $1 if $line =~ /^POST (\S+)/;
        $length = $1 if $line =~ /^Content-Length: (\d+)/i;
    }
    read $stream, my $body, $length;
    if ($path eq "/NetworkDriver.CreateNetwork") {
        open my $file, ">", "/tmp/slow.asked";
        close $file;
        sleep 1000;
    }
    my $answer = $path eq "/Plugin.Activate" ? '{"Implements":["NetworkDriver"]}'
        : '{"Scope":"local","ConnectivityScope":"local"}';
    print $stream "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ",
        length($answer), "\r\n\r\n$answer";
    close $stream;
}
"#;

pub fn a_pool_whose_network_was_never_made_ends_with_the_dockerd_that_asked(lan: &Lan) {
    let pools = || {
        let there = lan.sh("ls -d /var/lib/pipework/pools/docker@* 2>/dev/null");
        there.stdout.lines().count()
    };
    // Whatever dockerd was told of its files, it is known by its socket.
    lan.end("TERM");
    lan.sh("sed -i '1a \"pidfile\": \"/run/elsewhere.pid\",' /etc/docker/daemon.json")
        .ok();
    lan.start();
    lan.sh("test -s /run/elsewhere.pid && test ! -e /run/docker.pid")
        .ok();
    let ours = "-d pipework -o bridge=br0 --ipam-driver pipework --subnet";
    // Of another driver's network nobody tells us, and of what is refused dockerd does.
    lan.docker("network create -d bridge --ipam-driver pipework --subnet 10.9.1.0/24 theirs")
        .ok();
    let refused = lan.docker(&format!(
        "network create {ours} 10.9.2.0/24 -o vlan=5000 wrong"
    ));
    assert!(!refused.status.success());
    assert_eq!((lan.kept("pools").len(), pools()), (1, 1));
    lan.write("/tmp/slow.pl", SLOW);
    lan.run_in_background("slow", "perl /tmp/slow.pl");
    let listens = || {
        lan.sh("test -S /run/docker/plugins/slow.sock")
            .status
            .success()
    };
    assert!(eventually(listens), "{}", lan.said("slow"));
    lan.run_in_background(
        "lost",
        "docker network create -d slow --ipam-driver pipework --subnet 10.0.0.0/24 lost",
    );
    let is_asked = || lan.sh("test -e /tmp/slow.asked").status.success();
    assert!(eventually(is_asked), "{}", lan.said("lost"));
    assert_eq!((lan.kept("pools").len(), pools()), (2, 2));
    // A look while it is being made, which notes another last.
    lan.docker(&format!("network create {ours} 10.0.1.0/24 other"))
        .ok();
    look_until(lan, || listed(lan) == 1);
    assert_eq!((lan.kept("pools").len(), pools()), (3, 3));
    lan.end("KILL");
    lan.start();
    look_until(lan, || (lan.kept("pools").len(), pools()) == (2, 2));
    // The others are as they were, and the subnet may be asked for again.
    lan.docker(&format!("network create {ours} 10.0.0.0/24 lan"))
        .ok();
    for (network, address) in [
        ("lan", "10.0.0."),
        ("other", "10.0.1."),
        ("theirs", "10.9.1."),
    ] {
        let seen = lan.docker(&format!("run --rm --network {network} bb /bin/look"));
        let (seen, said) = (seen.stdout, seen.stderr);
        assert!(
            seen.contains(&format!("addr eth0 {address}")),
            "{seen}{said}"
        );
    }
    lan.docker("network rm lan other theirs").ok();
}
