//! A webhook that keeps the notifications of Alertmanager.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::Result;

pub struct Webhook {
    pub url: String,
    alerts: Receiver<Value>,
}

impl Webhook {
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let url = format!("http://{}/alerts", listener.local_addr()?);
        let (send, alerts) = channel();
        // The thread ends with the process.
        std::thread::Builder::new()
            .name("webhook".into())
            .spawn(move || {
                for stream in listener.incoming().flatten() {
                    let Ok(message) = receive(stream) else {
                        continue;
                    };
                    let alerts = message["alerts"].as_array().cloned();
                    for alert in alerts.unwrap_or_default() {
                        if send.send(alert).is_err() {
                            return;
                        }
                    }
                }
            })?;
        Ok(Self { url, alerts })
    }

    /// Returns the alerts that have started to fire since the last call.
    pub fn firing(&self) -> impl Iterator<Item = Value> {
        self.alerts
            .try_iter()
            .filter(|alert| alert["status"] == "firing")
    }
}

/// Reads one POST request with a JSON body and answers it.
fn receive(stream: TcpStream) -> Result<Value> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse()?;
            }
            None if line.trim().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    reader
        .into_inner()
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
    Ok(serde_json::from_slice(&body)?)
}
