//! Docker's protocol for network and IPAM plugins, and what is kept for it:
//! <https://github.com/moby/moby/blob/master/daemon/libnetwork/docs/remote.md>.
//!
//! Without what a plugin does; that is `frontend/docker_plugin`. `message` is what
//! is said, `asker` who says it, `calls` turns requests into those of a trait, `settings` the options
//! of a network into fields of annotations, `state` what outlives dockerd, us and
//! a reboot: dockerd tells of a network once, ever.

pub mod asker;
pub mod calls;
pub mod message;
pub mod settings;
pub mod state;
#[cfg(test)]
mod tests;
