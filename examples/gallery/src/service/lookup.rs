//! Row 19: a host name, and a slow resolver.

use std::net::{SocketAddr, ToSocketAddrs};

use super::{App, Result};

pub async fn sync(app: App) -> Result<String> {
    let addresses = (app.slow_name, 80).to_socket_addrs()?;
    Ok(list(addresses))
}

pub async fn awaited(app: App) -> Result<String> {
    let addresses = tokio::net::lookup_host((app.slow_name, 80)).await?;
    Ok(list(addresses))
}

fn list(addresses: impl Iterator<Item = SocketAddr>) -> String {
    addresses.map(|address| format!("{address}\n")).collect()
}
