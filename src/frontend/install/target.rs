//! The runtimes that can be told of us.

use serde::{Deserialize, Serialize};

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Target {
    /// Our own program, where what is told of us finds it.
    Program,
    /// podman, by files of hooks.d.
    Podman,
    /// dockerd, by a runtime in daemon.json.
    Docker,
    /// containerd, by NRI or by a runtime of its CRI plugin.
    Containerd,
    /// CRI-O, by NRI.
    Crio,
    /// nerdctl, which is told of a runtime on its command line.
    Nerdctl,
}

impl Target {
    /// Those that a person names, in the order of `all`.
    pub const ALL: [Self; 5] = [
        Self::Podman,
        Self::Docker,
        Self::Containerd,
        Self::Crio,
        Self::Nerdctl,
    ];

    /// What a person calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Program => "pipework",
            Self::Podman => "podman",
            Self::Docker => "docker",
            Self::Containerd => "containerd",
            Self::Crio => "crio",
            Self::Nerdctl => "nerdctl",
        }
    }

    /// The program whose presence says that it is here.
    pub fn program(self) -> &'static str {
        match self {
            Self::Docker => "dockerd",
            Self::Program | Self::Podman | Self::Containerd | Self::Crio | Self::Nerdctl => {
                self.word()
            }
        }
    }
}

impl Target {
    /// Whether it is told whom to call on its command line, and nowhere else.
    pub fn has_no_settings(self) -> bool {
        self == Self::Nerdctl
    }

    /// A container to begin with.
    pub fn example(self) -> Option<&'static str> {
        match self {
            Self::Podman => Some(
                "podman run --rm --network none --annotation pipework.parent=eth0 --annotation pipework.ip=192.168.1.50/24@192.168.1.1 IMAGE",
            ),
            Self::Docker => Some(
                "docker run --rm --runtime pipework --network none --annotation pipework.parent=eth0 --annotation pipework.ip=192.168.1.50/24@192.168.1.1 IMAGE",
            ),
            Self::Nerdctl => Some(
                "nerdctl run --rm --runtime pipework-runtime --network none --annotation pipework.parent=eth0 --annotation pipework.ip=192.168.1.50/24@192.168.1.1 IMAGE",
            ),
            Self::Containerd | Self::Crio => Some(
                "the service pipework-nri of the package, or pipework nri; then annotate pods; man pipework-nri",
            ),
            Self::Program => None,
        }
    }
}
