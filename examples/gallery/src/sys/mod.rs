//! The only place with unsafe code: the C library's resolver.
#![allow(unsafe_code)]

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod resolver;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub use resolver::ask;
