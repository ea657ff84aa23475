//! A client, and the service within, cannot tell a layered service from a bare one.

#![cfg(feature = "server")]

mod grpc;
mod http1;
mod http2;
mod moody;
mod service;
mod upgrade;
