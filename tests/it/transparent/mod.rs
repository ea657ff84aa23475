//! Neither a client nor the wrapped service can tell a layered service from a bare one.

mod cases;
mod grpc;
mod http1;
mod http2;
mod http2_client;
mod service;
mod upgrade;
