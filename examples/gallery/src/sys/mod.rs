//! The crate's unsafe code: the configuration of the C library's resolver.
#![allow(unsafe_code)]

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod resolver;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub use resolver::use_name_server;
