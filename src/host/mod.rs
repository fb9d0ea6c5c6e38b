//! Reading the host, changing nothing.
//!
//! `view` is what is known, as plain data; `inspect` fills it from the kernel;
//! `bundle` reads what it has of a container before it runs;
//! `container` turns what a runtime says into a sandbox with an open namespace;
//! `engine` finds the container's own name, `find` a container by what people call it; `machine` knows this machine;
//! `ovs` asks whether Open vSwitch answers.

pub mod bundle;
pub mod container;
pub mod engine;
pub mod find;
pub mod hostname;
pub mod inspect;
pub mod machine;
pub mod ovs;
pub mod view;
