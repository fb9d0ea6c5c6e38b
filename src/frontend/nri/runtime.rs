//! What the runtimes differ in that matters to a plugin.

use crate::nri::message::ConfigureRequest;

/// A runtime, as it introduced itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runtime {
    kind: Kind,
    version: [u32; 3],
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    Containerd,
    Crio,
    #[default]
    Other,
}

impl Runtime {
    /// The runtime that sent this. What cannot be read of its version is 0.
    pub fn of(said: &ConfigureRequest) -> Self {
        let name = said.runtime_name.to_ascii_lowercase();
        let kind = match name.as_str() {
            "containerd" => Kind::Containerd,
            "cri-o" | "crio" => Kind::Crio,
            _ => Kind::Other,
        };
        let mut version = [0; 3];
        let parts = said.runtime_version.trim_start_matches('v').split('.');
        for (number, text) in version.iter_mut().zip(parts) {
            let end = text.find(|c: char| !c.is_ascii_digit());
            let digits = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
            *number = digits.parse().unwrap_or_default();
            if end.is_some() {
                break;
            }
        }
        Self { kind, version }
    }

    /// Whether a pod may be refused before it has a container.
    ///
    /// containerd 2.0 and later leave the pause process of such a pod behind,
    /// unseen by anybody, unless they have `rollbackSandbox`: 2.2.6 and 2.3.4 do.
    pub fn cleans_up_refused_pods(&self) -> bool {
        let [major, minor, patch] = self.version;
        match self.kind {
            Kind::Crio => true,
            Kind::Other => false,
            Kind::Containerd => match (major, minor) {
                (1, _) => true,
                (2, 2) => patch >= 6,
                (2, 3) => patch >= 4,
                (2, 0..=1) | (0, _) => false,
                (_, _) => true,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime(name: &str, version: &str) -> Runtime {
        Runtime::of(&ConfigureRequest {
            runtime_name: name.to_owned(),
            runtime_version: version.to_owned(),
            ..ConfigureRequest::default()
        })
    }

    #[test]
    fn a_pod_is_refused_at_once_only_where_that_leaves_nothing() {
        for (version, cleans) in [
            ("1.7.24~ds1", true),
            ("v1.7.27", true),
            ("2.0.11", false),
            ("2.1.9+unknown", false),
            ("2.2.5", false),
            ("2.2.6", true),
            ("2.3.0-rc.1", false),
            ("2.3.4", true),
            ("2.4.0", true),
            ("3.0.0", true),
            ("", false),
            ("nightly", false),
        ] {
            let runtime = runtime("containerd", version);
            assert_eq!(runtime.cleans_up_refused_pods(), cleans, "{version}");
        }
        assert!(runtime("CRI-O", "1.34.0").cleans_up_refused_pods());
        assert!(!runtime("other", "9.9.9").cleans_up_refused_pods());
    }
}
