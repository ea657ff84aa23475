//! Servers that answer late, on threads of their own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::OnceLock;
use std::thread::sleep;

use crate::case::{BLOCK, aside};
use crate::support::LOOPBACK;

/// An HTTP server that answers after [`BLOCK`].
pub(crate) fn http() -> SocketAddr {
    static SERVER: OnceLock<SocketAddr> = OnceLock::new();
    *SERVER.get_or_init(|| {
        serve(|mut client| {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte)?;
                request.extend(byte);
            }
            sleep(BLOCK);
            client.write_all(
                b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello",
            )
        })
    })
}

/// A server of PostgreSQL's protocol that accepts every user, and answers a query after [`BLOCK`].
pub(crate) fn postgres() -> SocketAddr {
    static SERVER: OnceLock<SocketAddr> = OnceLock::new();
    *SERVER.get_or_init(|| {
        serve(|mut client| {
            let mut length = [0; 4];
            client.read_exact(&mut length)?;
            let mut startup = vec![0; u32::from_be_bytes(length) as usize - 4];
            client.read_exact(&mut startup)?;
            // AuthenticationOk, ReadyForQuery.
            client.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I")?;
            loop {
                let mut head = [0; 5];
                client.read_exact(&mut head)?;
                let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
                let mut query = vec![0; length as usize - 4];
                client.read_exact(&mut query)?;
                sleep(BLOCK);
                // CommandComplete, ReadyForQuery.
                client.write_all(b"C\0\0\0\x0dSELECT 0\0Z\0\0\0\x05I")?;
            }
        })
    })
}

/// A server that never answers.
pub(crate) fn silent() -> SocketAddr {
    static SERVER: OnceLock<SocketAddr> = OnceLock::new();
    *SERVER.get_or_init(|| serve(|mut client| client.read_to_end(&mut Vec::new()).map(drop)))
}

fn serve(session: fn(TcpStream) -> std::io::Result<()>) -> SocketAddr {
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    let addr = listener.local_addr().unwrap();
    aside(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            // An error means that the client has disconnected.
            aside(move || session(client));
        }
    });
    addr
}
