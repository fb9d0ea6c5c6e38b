//! The package that has a module which the kernel lacks, as far as the
//! distribution keeps some of a kernel's modules in a package of their own.

use super::host::text;

/// What installs the rest of the modules of the kernel `release`; `None` where
/// there is no such rest.
pub fn command(release: &str) -> Option<String> {
    named(&text("/etc/os-release"), release)
}

/// The same for the text of os-release(5).
fn named(os: &str, release: &str) -> Option<String> {
    let is = |name: &str| families(os).any(|family| family == name);
    if is("ubuntu") {
        return Some(format!("apt-get install linux-modules-extra-{release}"));
    }
    // Debian's kernel for clouds has fewer modules than its usual one.
    if is("debian")
        && let Some((_, architecture)) = release.rsplit_once("-cloud-")
    {
        return Some(format!(
            "apt-get install linux-image-{architecture}, and boot it"
        ));
    }
    let is_fedoras = is("fedora") || is("rhel") || is("centos");
    is_fedoras
        .then(|| format!("dnf install kernel-modules-{release} kernel-modules-extra-{release}"))
}

/// The distribution, and what it says that it is like.
fn families(os: &str) -> impl Iterator<Item = &str> {
    let lines = os.lines().filter_map(|line| line.split_once('='));
    let meant = lines.filter(|(key, _)| ["ID", "ID_LIKE"].contains(key));
    meant.flat_map(|(_, value)| value.trim_matches(['"', '\'']).split_whitespace())
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn the_package_is_named_as_the_distribution_calls_it() {
        for (os, release, package) in [
            (
                "NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\n",
                "6.8.0-45-generic",
                Some("linux-modules-extra-6.8.0-45-generic"),
            ),
            (
                "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n",
                "6.8.0-45-generic",
                Some("linux-modules-extra-6.8.0-45-generic"),
            ),
            (
                "ID=debian\n",
                "6.12.43+deb13-cloud-amd64",
                Some("linux-image-amd64"),
            ),
            ("ID=debian\n", "6.12.43+deb13-amd64", None),
            (
                "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n",
                "5.14.0-503.el9.x86_64",
                Some("kernel-modules-extra-5.14.0-503.el9.x86_64"),
            ),
            ("ID=arch\n", "6.11.1-arch1-1", None),
            ("", "6.11.1", None),
        ] {
            let said = named(os, release);
            let has = |package: &str| said.as_deref().unwrap_or_default().contains(package);
            assert_eq!(said.is_some(), package.is_some(), "{os}");
            assert!(package.is_none_or(has), "{said:?} of {os}");
        }
    }
}
