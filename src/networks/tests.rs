//! Files of networks: what they say, and what is said of slips in them.

use super::*;
use crate::request::network::Open;

fn read(text: &str) -> Result<Profile, String> {
    let name = "lan".parse().unwrap();
    parse(Path::new("/n/lan.toml"), &name, text.as_bytes()).map_err(|e| e.to_string())
}

fn said(profile: &Profile) -> Vec<(&str, &str)> {
    let fields = profile.fields.iter();
    fields.map(|f| (f.name(), f.value.as_str())).collect()
}

#[test]
fn a_file_says_fields_in_the_forms_of_toml() {
    let profile = read(
        "parent = \"eth1\"\nvlan = 100\noptional = true\nip = [\"10.0.0.5/24\", \"fd00::5/64\"]\n\
         route = [\"10.1.0.0/16 via 10.0.0.2\", \"10.2.0.0/16 via 10.0.0.2\"]\n\
         dhcp.hostname = \"web\"\nsysctl.ipv4.conf.arp_ignore = 1\n",
    )
    .unwrap();
    assert_eq!(
        said(&profile),
        [
            ("dhcp.hostname", "web"),
            ("ip", "10.0.0.5/24,fd00::5/64"),
            ("optional", "true"),
            ("parent", "eth1"),
            (
                "route",
                "10.1.0.0/16 via 10.0.0.2; 10.2.0.0/16 via 10.0.0.2"
            ),
            ("sysctl.ipv4.conf.arp_ignore", "1"),
            ("vlan", "100"),
        ]
    );
    let parent = profile.says("parent").unwrap();
    assert_eq!(parent.shown, "networks.d/lan.toml:1 parent");
}

#[test]
fn pools_are_given_unless_the_network_says_otherwise() {
    let pool = "[[pool]]\nsubnet = \"10.0.0.0/24\"\nrange = \"10.0.0.100-10.0.0.199\"\n\
                gateway = \"10.0.0.1\"\nexclude = [\"10.0.0.150\"]\n[[pool]]\nsubnet = \"fd00::/64\"\n";
    let profile = read(&format!("bridge = \"br0\"\n{pool}")).unwrap();
    let ranges: Vec<String> = profile.ranges.iter().map(ToString::to_string).collect();
    let v6 = "fd00::1-fd00::ffff:ffff:ffff:ffff";
    assert_eq!(ranges, ["10.0.0.100-10.0.0.149, 10.0.0.151-10.0.0.199", v6]);
    assert_eq!(profile.implied.unwrap().value, "pool");
    let profile = read(&format!("bridge = \"br0\"\nip = \"dhcp\"\n{pool}")).unwrap();
    assert_eq!(profile.implied, None);
}

#[test]
fn what_is_open_is_one_word_or_a_list_of_fields() {
    let open = |text: &str| read(&format!("bridge = \"br0\"\nopen = {text}\n")).map(|p| p.open);
    assert_eq!(open("\"any\""), Ok(Open::Any));
    assert_eq!(open("[\"ip\"]"), Ok(Open::Fields(vec!["ip".to_owned()])));
    assert_eq!(open("[]"), Ok(Open::Fields(Vec::new())));
    let slip = open("[\"adress\"]").unwrap_err();
    assert!(
        slip.starts_with("/n/lan.toml:2:8: \"adress\" is no field"),
        "{slip}"
    );
}

#[test]
fn slips_are_named_with_line_and_column() {
    for (text, what) in [
        (
            "bridge = \"br0\"\nvlna = 100\n",
            "2:1: \"vlna\" is no field of an annotation; did you mean vlan",
        ),
        (
            "bridge = \"br0\"\nopne = []\n",
            "2:1: \"opne\" is no field of an annotation; did you mean open",
        ),
        ("bridge = \"br0\"\n  mtu = 1.5\n", "2:9: expected a text"),
        ("bridge = \"br0\n", "1:"),
        (
            "bridge = \"br0\"\nnet = \"dmz\"\n",
            "2:1: a network cannot be made of another",
        ),
        (
            "bridge = \"br0\"\nname = \"web\"\n",
            "2:1: name is about a container",
        ),
        ("bridge = \"br0\"\nbridge = \"br1\"\n", "2:"),
        (
            "bridge = \"br0\"\n[[pool]]\nsubnet = \"10.0.0.0/24\"\nranges = \"x\"\n",
            "4:1: \"ranges\" is none of subnet, range, gateway, exclude; did you mean range",
        ),
        (
            "bridge = \"br0\"\n[[pool]]\nrange = \"x\"\n",
            "2:1: a pool needs its subnet",
        ),
        (
            "bridge = \"br0\"\n[[pool]]\nsubnet = \"10.0.0.5/24\"\n",
            "2:1: 10.0.0.5/24 is not a subnet",
        ),
        ("bridge = \"br0\"\npool = 7\n", "2:8: write [[pool]]"),
        (
            "bridge = \"br0\"\nmtu = \"big\"\n",
            "networks.d/lan.toml:2 mtu=big",
        ),
        ("mtu = 1400\n", "without an uplink"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.starts_with("/n/lan.toml:"), "{error}");
        assert!(error.contains(what), "{text}: {error}");
    }
    let name = "lan".parse().unwrap();
    let error = parse(Path::new("/n/lan.toml"), &name, b"x = \"\xff\"").unwrap_err();
    assert_eq!(error.to_string(), "/n/lan.toml:1:6: not UTF-8");
}

#[test]
fn an_absent_network_is_answered_with_one_that_is_there() {
    let directory = std::env::temp_dir().join(format!("pw-networks-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    for file in ["lan.toml", "dmz.toml", "..data", "LAN.toml", "x.toml.bak"] {
        std::fs::write(directory.join(file), "bridge = \"br0\"\n").unwrap();
    }
    let names: Vec<String> = names(&directory)
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(names, ["dmz", "lan"]);
    let error = load(&directory, &"lann".parse().unwrap()).unwrap_err();
    assert!(error.to_string().ends_with("did you mean lan"), "{error}");
    assert!(!error.is_broken());
    std::fs::remove_dir_all(&directory).unwrap();
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[a-z0-9\\[\\]{}=\"., \n-]{0,120}") {
        let _ = read(&text);
    }
}
