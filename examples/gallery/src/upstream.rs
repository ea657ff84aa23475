//! The other service. It delays each response, and any number of them concurrently.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

/// Starts the service on a thread and a runtime of its own, which end with the process.
pub fn start(work: Duration) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let router = Router::new()
        .route("/users/{id}", get(user))
        .route("/weather/{city}", get(weather))
        .with_state(work);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("gallery-upstrm".into())
        .spawn(move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                axum::serve(listener, router).await
            })
        })?;
    Ok(address)
}

async fn user(State(work): State<Duration>, Path(id): Path<u64>) -> Json<Value> {
    tokio::time::sleep(work).await;
    Json(json!({ "id": id, "name": format!("user {id}") }))
}

async fn weather(State(work): State<Duration>, Path(city): Path<String>) -> String {
    tokio::time::sleep(work).await;
    format!("sunny in {city}\n")
}
