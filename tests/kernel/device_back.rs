//! A NIC comes back although something is in its way: a refusal, a kill, another
//! name, or what the container left on it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use nix::libc;

use crate::device::{Furnished, PATIENCE, device, link};
use crate::kill::{MANY, attach_killed_at, strace_works, was_killed};
use crate::refusal::refuse_each;
use crate::support::lab::snapshot::{Records, Snapshot};
use crate::support::lab::{Container, RECORDS, ip, ip_json, run};
use crate::support::ovs::eventually;
use crate::support::skip;
use crate::support::vm::vm;

#[test]
fn a_nic_that_comes_back_under_another_name_is_called_by_its_own_again() {
    vm!(|vm| {
        let nic = vm.nics("igb").remove(0);
        let host = Furnished::new(&nic);
        let container = vm.container("web");
        vm.attach(&container, &[&device(&nic)]).ok();
        // The kernel calls it devN when the name that it had inside is taken.
        ip("link add eth1 type dummy");
        container.end();
        vm.poststop("web").ok();
        ip("link del eth1");
        host.assert_back("after poststop");
    });
}

#[test]
fn a_nic_whose_name_is_taken_gets_all_the_rest_back() {
    vm!(|vm| {
        let nic = vm.nics("igb").remove(0);
        let host = Furnished::new(&nic);
        let container = vm.container("web");
        vm.attach(&container, &[&device(&nic)]).ok();
        ip(&format!("link add {} type dummy", nic.name));
        container.end();
        let outcome = vm.poststop("web");
        let now = nic.present_name().unwrap();
        let said = format!("the name {} ({now} is its name now)", nic.name);
        assert!(outcome.stderr().contains(&said), "{}", outcome.stderr());
        assert_eq!(link(&now)["mtu"], 1400);
        let shown = ip_json(&format!("addr show dev {now}")).to_string();
        assert!(
            shown.contains("10.9.0.1") && shown.contains("fd09::1"),
            "{shown}"
        );
        ip(&format!("link del {}", nic.name));
        ip(&format!("link set {now} down"));
        ip(&format!("link set {now} name {}", nic.name));
        ip(&format!("link set {} up", nic.name));
        drop(host);
    });
}

#[test]
fn nics_that_came_back_under_each_others_names_have_their_own_again() {
    vm!(|vm| {
        let nics = vm.nics("igb");
        let [first, second] = [&nics[0], &nics[1]];
        let before = Snapshot::take();
        for ends in [&["a", "b"][..], &["b", "a"], &[]] {
            let containers = [vm.container("a"), vm.container("b")];
            let names = [(first, second), (second, first)];
            for (container, (nic, other)) in containers.iter().zip(names) {
                let ifname = format!("pipework.ifname={}", other.name);
                vm.attach(container, &[&device(nic), &ifname]).ok();
            }
            containers.into_iter().for_each(Container::end);
            // The kernel brings them back as they were called inside.
            eventually("they are swapped", || {
                names
                    .iter()
                    .all(|(nic, other)| nic.present_name().as_ref() == Some(&other.name))
            });
            for name in ends {
                vm.poststop(name).ok();
            }
            vm.gc().ok();
            before.assert_equal(&Snapshot::take(), &format!("{ends:?}"));
        }
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

#[test]
fn a_start_that_fails_leaves_the_nic_as_it_was() {
    vm!(|vm| {
        let nic = vm.nics("igb").remove(0);
        let host = Furnished::new(&nic);
        let container = vm.any_container();
        let guest = vm.snapshot_of(&container);
        let asked = [
            &device(&nic),
            "pipework.ip=10.0.0.5/24",
            "pipework.route=10.8.0.0/16 via 192.0.2.1",
        ];
        let report = vm.attach(&container, &asked).refused(16);
        assert!(report.contains("Nothing is left behind"), "{report}");
        host.assert_back("after the refusal");
        guest.assert_equal(&vm.snapshot_of(&container), "container");
        // A driver that does not take the MTU refuses it inside.
        let asked = [&device(&nic), "pipework.mtu=65535"];
        let report = vm.attach(&container, &asked).refused(16);
        assert!(report.contains("pipework.mtu=65535"), "{report}");
        host.assert_back("after the second refusal");
    });
}

#[test]
fn a_nic_is_taken_back_from_every_step() {
    vm!(|vm| {
        let nic = vm.nics("igb").remove(0);
        let host = Furnished::new(&nic);
        let container = vm.any_container();
        let asked = [
            &device(&nic),
            "pipework.ip=10.0.0.5/24,fd00::5/64@10.0.0.1",
            "pipework.mac=02:00:00:00:00:42",
            "pipework.mtu=1300",
        ];
        refuse_each(vm, &container, &asked);
        // No record says what it was: it is given away for good.
        container.end();
        nic.wait_for_return(Instant::now() + PATIENCE).unwrap();
        drop(host);
    });
}

#[test]
fn a_hook_killed_in_any_call_leaves_a_nic_that_comes_back() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    vm!(|vm| {
        let nic = vm.nics("virtio_net").remove(0);
        let host = Furnished::new(&nic);
        let device = device(&nic);
        let asked = [device.as_str(), "pipework.ip=10.0.0.5/24@10.0.0.1"];
        for call in (1..MANY).step_by(3) {
            let container = vm.container("web");
            let killed = was_killed(&attach_killed_at(vm, &container, &asked, call));
            // By turns the runtime tries again, or all is gone at once.
            if call % 2 == 0 {
                vm.attach(&container, &asked).ok();
                container.end();
                vm.poststop("web").ok();
            } else {
                container.end();
                vm.gc().ok();
            }
            host.assert_back(&format!("call {call}"));
            if !killed {
                return;
            }
        }
        panic!("the hook never survived");
    });
}

/// As if all that the store says were of another boot, where /run outlives one.
fn pretend_reboot(folder: &Path) {
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let (boot_id, former) = (boot_id.trim(), "00000000-0000-4000-8000-000000000000");
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            pretend_reboot(&path);
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).unwrap();
            fs::remove_file(&path).unwrap();
            symlink(target.to_string_lossy().replace(boot_id, former), &path).unwrap();
        } else if let Ok(text) = fs::read_to_string(&path) {
            fs::write(&path, text.replace(boot_id, former)).unwrap();
            let name = entry.file_name().to_string_lossy().replace(boot_id, former);
            fs::rename(&path, path.with_file_name(name)).unwrap();
        }
    }
}

#[test]
fn after_a_reboot_a_nic_is_what_that_made_of_it_and_may_be_asked_for_again() {
    vm!(|vm| {
        let nic = vm.nics("virtio_net").remove(0);
        ip(&format!("addr add 10.9.0.1/24 dev {}", nic.name));
        let container = vm.container("web");
        vm.attach(&container, &[&device(&nic)]).ok();
        container.end();
        // Whoever configures the host at boot has another address for it by now.
        let now = nic.wait_for_return(Instant::now() + PATIENCE).unwrap();
        ip(&format!("link set {now} name {}", nic.name));
        ip(&format!("addr add 10.8.0.1/24 dev {}", nic.name));
        pretend_reboot(Path::new(RECORDS));
        let booted = Snapshot::take();
        vm.gc().ok();
        booted.assert_equal(&Snapshot::take(), "after gc");
        assert!(Records::take().is_empty(), "{:?}", Records::take());
        let container = vm.container("web");
        vm.attach(&container, &[&device(&nic)]).ok();
        container.end();
        vm.poststop("web").ok();
        booted.assert_equal(&Snapshot::take(), "after the next container");
    });
}

/// Pins a program of XDP that lets every frame pass (bpf(2)).
#[allow(
    unsafe_code,
    reason = "no program of Debian loads one without a compiler"
)]
fn pin_a_program(mount: &str, path: &str) {
    const BPF_PROG_LOAD: libc::c_long = 5;
    const BPF_OBJ_PIN: libc::c_long = 6;
    const BPF_PROG_TYPE_XDP: u32 = 6;
    fs::create_dir_all(mount).unwrap();
    run("mount", &format!("-t bpf bpf {mount}"));
    // r0 = XDP_PASS; exit.
    let program: [u64; 2] = [0x0000_0002_0000_00b7, 0x95];
    let license = c"GPL";
    let mut load = [0u64; 16];
    load[0] = u64::from(BPF_PROG_TYPE_XDP) | (program.len() as u64) << 32;
    load[1] = program.as_ptr() as u64;
    load[2] = license.as_ptr() as u64;
    // SAFETY: the kernel reads 48 bytes of `load`, and the program and the
    // license that it points to; all of them outlive the call.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, load.as_ptr(), 48) };
    assert!(fd >= 0, "{}", std::io::Error::last_os_error());
    let path = std::ffi::CString::new(path).unwrap();
    let pin = [path.as_ptr() as u64, u64::try_from(fd).unwrap()];
    // SAFETY: the kernel reads 16 bytes of `pin` and the path that it points to.
    let pinned = unsafe { libc::syscall(libc::SYS_bpf, BPF_OBJ_PIN, pin.as_ptr(), 16) };
    assert_eq!(pinned, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn a_program_that_a_container_left_on_a_nic_does_not_see_the_hosts_frames() {
    vm!(|vm| {
        let nic = vm.nics("virtio_net").remove(0);
        let host = Furnished::new(&nic);
        pin_a_program("/run/bpf", "/run/bpf/pass");
        let container = vm.container("web");
        vm.attach(&container, &[&device(&nic)]).ok();
        let attached = vm.inside(&container, || {
            let arguments = [
                "link",
                "set",
                "eth1",
                "xdpgeneric",
                "pinned",
                "/run/bpf/pass",
            ];
            let output = Command::new("ip").args(arguments).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            link("eth1")
        });
        assert!(attached.get("xdp").is_some(), "{attached}");
        container.end();
        vm.poststop("web").ok();
        host.assert_back("after poststop");
    });
}
