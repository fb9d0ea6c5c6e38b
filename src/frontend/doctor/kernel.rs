//! The kernel: its version, and what of it each uplink and field needs.
//!
//! Nothing is tried: a try loads modules. What is there is read from /sys/module,
//! from the lists beside the modules (modules.builtin, modules.dep), and where a
//! kernel came without those from the names of its functions (/proc/kallsyms).

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::finding::{Finding, Severity};
use super::host::{Host, bytes, text};
use super::package;
use crate::sys::ovsdb;
use crate::sys::proc::read_short;
use crate::sys::rtnl::LinkFacts;

/// The oldest kernel that has what we rely on.
const OLDEST: (u32, u32) = (5, 14);

/// A part of the kernel.
struct Part {
    /// Its module.
    module: &'static str,
    /// A function of it, where it is built in.
    function: &'static str,
    /// What is not to be had without it.
    needed_for: &'static str,
    /// What a kernel is built with to have it.
    option: &'static str,
    /// How bad its absence is.
    severity: Severity,
}

const fn part(
    module: &'static str,
    function: &'static str,
    option: &'static str,
    needed_for: &'static str,
) -> Part {
    Part {
        module,
        function,
        needed_for,
        option,
        severity: Severity::Note,
    }
}

const fn basic(part: Part) -> Part {
    Part {
        severity: Severity::Warning,
        ..part
    }
}

/// Everything that may be missing.
const PARTS: &[Part] = &[
    basic(part("veth", "veth_setup", "VETH", "bridge= and ovs=")),
    basic(part("bridge", "br_dev_setup", "BRIDGE", "bridge=")),
    basic(part(
        "macvlan",
        "macvlan_common_setup",
        "MACVLAN",
        "parent=",
    )),
    part("ipvlan", "ipvlan_link_setup", "IPVLAN", "type=ipvlan"),
    part("8021q", "vlan_setup", "VLAN_8021Q", "vlan= on a card"),
    part("dummy", "dummy_setup", "DUMMY", "dummy=any"),
    part(
        "sch_tbf",
        "tbf_init",
        "NET_SCH_TBF",
        "rate.in= and rate.out=",
    ),
    part(
        "sch_ingress",
        "clsact_init",
        "NET_SCH_INGRESS",
        "rate.in=, rate.out= and spoofcheck=",
    ),
    part("cls_bpf", "cls_bpf_init", "NET_CLS_BPF", "spoofcheck="),
    part(
        "act_mirred",
        "tcf_mirred_init",
        "NET_ACT_MIRRED",
        "limits of macvlan and ipvlan",
    ),
    part("ifb", "ifb_setup", "IFB", "limits of macvlan and ipvlan"),
];
/// Asked for where Open vSwitch is installed.
const OPEN_VSWITCH: Part = basic(part("openvswitch", "ovs_vport_add", "OPENVSWITCH", "ovs="));

/// Asked for where there is an InfiniBand card.
const IPOIB: Part = part(
    "ib_ipoib",
    "ipoib_setup_common",
    "INFINIBAND_IPOIB",
    "ipoib=",
);
/// Where cards for InfiniBand are listed.
const INFINIBAND: &str = "/sys/class/infiniband";
/// A part of the bridge that is no module of its own.
const FILTERING: Part = part(
    "VLAN filtering of bridges",
    "br_vlan_filter_toggle",
    "BRIDGE_VLAN_FILTERING",
    "vlan= and trunk= on a Linux bridge",
);

/// Whether the kernel is old enough to be unknown to us.
pub fn version(_: &Host) -> Vec<Finding> {
    let release = release();
    match number(&release) {
        Some(number) if number < OLDEST => {
            let (major, minor) = OLDEST;
            let cause = format!("Linux {release} is older than {major}.{minor}");
            let cure = format!("install a kernel of Linux {major}.{minor} or newer, and reboot");
            vec![Finding::new(Severity::Error, "kernel", cause, cure)]
        }
        Some(_) | None => Vec::new(),
    }
}

fn release() -> String {
    let release = read_short("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim_end().to_owned()
}

/// The first two numbers of a release as `6.1.0-13-amd64`.
fn number(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// What the kernel lacks.
pub fn modules(host: &Host) -> Vec<Finding> {
    let release = release();
    let mut findings = missing(&release);
    if !filters_by_vlan(&release, &host.links) {
        // No package has it: it is part of the bridge.
        findings.push(lack(&FILTERING, None));
    }
    findings
}

/// The modules that there are none of.
fn missing(release: &str) -> Vec<Finding> {
    let has_modules = Path::new("/proc/modules").exists();
    let known = Known::read(release);
    if known.is_gone && has_modules {
        let cause =
            format!("the modules of the kernel that runs, {release}, are not there any more");
        let cure = "reboot into the kernel that is installed";
        return vec![Finding::new(Severity::Warning, "/lib/modules", cause, cure)];
    }
    let more = ovsdb::is_installed().then_some(&OPEN_VSWITCH);
    let more = more.into_iter().chain(has_infiniband().then_some(&IPOIB));
    let missing = PARTS.iter().chain(more).filter(|part| !known.has(part));
    let missing: Vec<&Part> = missing.collect();
    // In a container, or where whoever booted the kernel brought no modules along.
    if known.listed.is_empty() && has_modules && !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|part| part.module).collect();
        let names = names.join(", ");
        let cause = format!("not there, so whether {names} can be loaded is not known");
        let cure = "run it where the modules of the kernel are to be seen";
        return vec![Finding::new(Severity::Unseen, "/lib/modules", cause, cure)];
    }
    let package = package::command(release);
    let lack = |part| lack(part, package.as_deref());
    missing.into_iter().map(lack).collect()
}

/// `package` is a command that may bring it.
fn lack(part: &Part, package: Option<&str>) -> Finding {
    let Part {
        needed_for, option, ..
    } = part;
    let cause = format!("the kernel lacks it, and {needed_for} cannot do without");
    let kernel = format!("a kernel with CONFIG_{option}");
    let cure = match package {
        Some(package) => format!("{package}; or {kernel}"),
        None => kernel,
    };
    Finding::new(part.severity, part.module, cause, cure)
}

fn has_infiniband() -> bool {
    std::fs::read_dir(INFINIBAND).is_ok_and(|mut cards| cards.next().is_some())
}

/// Whether its bridges can filter; so long as nothing says that they cannot.
fn filters_by_vlan(release: &str, links: &[LinkFacts]) -> bool {
    let option = FILTERING.option;
    let config = format!("/boot/config-{release}");
    let beside = format!("/lib/modules/{release}/config");
    for config in [text(config), text(beside)] {
        if config.contains(&format!("CONFIG_{option}=y")) {
            return true;
        }
        if config.contains(&format!("# CONFIG_{option} is not set")) {
            return false;
        }
    }
    let mut bridges = links.iter().filter(|l| l.kind.as_deref() == Some("bridge"));
    if let Some(bridge) = bridges.next() {
        return bridge.vlan_filtering.is_some();
    }
    // A bridge that is not loaded yet has no functions.
    let wanted = ["br_dev_setup", FILTERING.function];
    let found = functions(wanted.into());
    !found.contains("br_dev_setup") || found.contains(FILTERING.function)
}

/// Whether the kernel has the module `name` already, so that to ask it for what
/// is in there loads nothing. `function` is one of it.
pub fn is_at_hand(name: &str, function: &'static str) -> bool {
    is_loaded(name) || functions([function].into()).contains(function)
}

fn is_loaded(name: &str) -> bool {
    Path::new("/sys/module").join(name).is_dir()
}

/// What the lists say.
struct Known {
    /// Names of modules that are built in or can be loaded, `_` for `-`.
    listed: BTreeSet<String>,
    /// Functions of the kernel among those that we look for.
    functions: BTreeSet<&'static str>,
    /// There are modules of other kernels, but none of this one.
    is_gone: bool,
}

impl Known {
    fn read(release: &str) -> Self {
        let folder = Path::new("/lib/modules").join(release);
        let mut listed = BTreeSet::new();
        for list in ["modules.builtin", "modules.dep"] {
            listed.extend(text(folder.join(list)).lines().filter_map(module_of));
        }
        let others = std::fs::read_dir("/lib/modules").is_ok_and(|mut all| all.next().is_some());
        let parts = PARTS.iter().chain([&OPEN_VSWITCH, &IPOIB]);
        // Where there are lists they are complete.
        let functions = match listed.is_empty() {
            true => functions(parts.map(|part| part.function).collect()),
            false => BTreeSet::new(),
        };
        Self {
            is_gone: listed.is_empty() && others && !folder.exists(),
            listed,
            functions,
        }
    }

    fn has(&self, part: &Part) -> bool {
        is_loaded(part.module)
            || self.listed.contains(part.module)
            || self.functions.contains(part.function)
            // Without any of the lists nothing is known.
            || (self.listed.is_empty() && self.functions.is_empty())
    }
}

/// The module of a line as `kernel/drivers/net/veth.ko.zst: ...`.
fn module_of(line: &str) -> Option<String> {
    let path = line.split(':').next()?;
    let (_, file) = path.rsplit_once('/').unwrap_or(("", path));
    let (name, _) = file.split_once(".ko")?;
    Some(name.replace('-', "_"))
}

/// Which of `wanted` the kernel has as functions.
fn functions(wanted: BTreeSet<&'static str>) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    let Ok(file) = File::open("/proc/kallsyms") else {
        return found;
    };
    let mut lines = BufReader::with_capacity(1 << 16, file);
    let mut line = String::new();
    while found.len() < wanted.len() {
        line.clear();
        match lines.read_line(&mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let name = line.split_ascii_whitespace().nth(2).unwrap_or_default();
        found.extend(wanted.get(name));
    }
    found
}

/// Whether a file of /proc holds a number above zero.
pub fn is_set(path: &str) -> bool {
    let bytes = bytes(Path::new(path)).ok().flatten().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.trim().parse::<u32>().is_ok_and(|number| number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_compared_by_its_first_two_numbers() {
        assert_eq!(number("6.1.0-13-amd64"), Some((6, 1)));
        assert!(number("5.4.0").unwrap() < OLDEST);
        assert!(number("5.14.0-rc1").unwrap() >= OLDEST);
        assert_eq!(number("strange"), None);
    }

    #[test]
    fn a_module_is_named_by_its_file_however_it_is_packed() {
        let lines = [
            "kernel/drivers/net/veth.ko",
            "kernel/net/8021q/8021q.ko.zst: kernel/net/802/mrp.ko.zst",
            "kernel/x/snd-hda.ko.xz:",
        ];
        let names: Vec<String> = lines.into_iter().filter_map(module_of).collect();
        assert_eq!(names, ["veth", "8021q", "snd_hda"]);
        assert_eq!(module_of("nothing"), None);
    }
}
