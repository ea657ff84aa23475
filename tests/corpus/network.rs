//! Rows 4, 9 and 14: synchronous clients, and sockets with a timeout.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};

use axum::extract::{FromRequestParts, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::request::Parts;

use crate::case::{At, BLOCK, Case, Corpus, Watch, real_await, timed_out};
use crate::{stub, support::LOOPBACK};

const NETWORK: &[&str] = &["network_io"];
const TCP: &str = "TCP socket to 127.0.0.1:";

pub(crate) fn add(corpus: &mut Corpus) {
    corpus.add(
        Case::blocks(
            "4 synchronous HTTP client",
            "/users/sync/{id}",
            NETWORK,
            &FETCH,
        )
        .call(TCP),
        get(user),
    );
    corpus.add(
        Case::blocks(
            "14 the same in a middleware",
            "/weather/sync",
            NETWORK,
            &FETCH,
        )
        .call(TCP),
        get(|| async { "ok" }).layer(from_fn(weather)),
    );
    corpus.add(
        Case::blocks(
            "9 synchronous PostgreSQL client",
            "/posts/sync",
            NETWORK,
            &QUERY,
        )
        .call(TCP),
        get(posts),
    );
    corpus.add(
        Case::blocks(
            "9 the same in an extractor",
            "/posts/extractor",
            NETWORK,
            &QUERY,
        )
        .call(TCP),
        get(|Session(said): Session| async { said }),
    );
    corpus.add(
        Case::blocks(
            "TcpStream::read with a timeout",
            "/tcp/timeout",
            NETWORK,
            &TCP_READ,
        )
        .call(TCP),
        get(tcp_timeout),
    );
    corpus.add(
        Case::blocks(
            "UdpSocket::recv with a timeout",
            "/udp/timeout",
            NETWORK,
            &UDP_RECV,
        )
        .call("UDP socket"),
        get(udp_timeout),
    );
}

pub(crate) static FETCH: At = at!("fetch");

/// A synchronous HTTP client.
pub(crate) fn fetch(addr: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(addr)?;
    write!(
        stream,
        "GET /users/1 HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    here!(FETCH, stream.read_to_string(&mut answer)?);
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    Ok(body.to_owned())
}

pub(crate) fn expect<T: PartialEq<T> + std::fmt::Debug>(
    result: std::io::Result<T>,
    expected: &T,
) -> Result<(), String> {
    match result {
        Ok(got) if got == *expected => Ok(()),
        Ok(got) => Err(format!("{got:?}")),
        Err(error) => Err(error.to_string()),
    }
}

async fn user() -> String {
    real_await().await;
    let watch = Watch::start();
    let result = fetch(stub::http());
    watch.end(BLOCK, expect(result, &"hello".to_owned()))
}

async fn weather(request: Request, next: Next) -> Response {
    real_await().await;
    let watch = Watch::start();
    let result = fetch(stub::http());
    match watch.end(BLOCK, expect(result, &"hello".to_owned())) {
        said if said == "ok" => next.run(request).await,
        said => said.into_response(),
    }
}

/// A synchronous client for a part of PostgreSQL's protocol.
pub(crate) struct Client(TcpStream);

pub(crate) const STARTUP: &[u8] = b"\0\0\0\x10\0\x03\0\0user\0x\0\0";
pub(crate) const SELECT: &[u8] = b"Q\0\0\0\x0dselect 1\0";

static QUERY: At = at!("Client::message");

impl Client {
    pub(crate) fn connect(addr: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        let mut client = Self(stream);
        client.0.write_all(STARTUP)?;
        while client.message()? != b'Z' {}
        Ok(client)
    }

    /// Returns the number of messages before the server is ready for the next query.
    pub(crate) fn query(&mut self) -> std::io::Result<u32> {
        self.0.write_all(SELECT)?;
        let mut messages = 0;
        while self.message()? != b'Z' {
            messages += 1;
        }
        Ok(messages)
    }

    fn message(&mut self) -> std::io::Result<u8> {
        let mut head = [0; 5];
        here!(QUERY, self.0.read_exact(&mut head)?);
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut rest = vec![0; length as usize - 4];
        self.0.read_exact(&mut rest)?;
        Ok(head[0])
    }
}

async fn posts() -> String {
    real_await().await;
    let watch = Watch::start();
    let result = Client::connect(stub::postgres()).and_then(|mut client| client.query());
    watch.end(BLOCK, expect(result, &1))
}

struct Session(String);

impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = String;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, String> {
        let mut client = Client::connect(stub::postgres()).map_err(|error| error.to_string())?;
        real_await().await;
        let watch = Watch::start();
        let result = client.query();
        Ok(Self(watch.end(BLOCK, expect(result, &1))))
    }
}

static TCP_READ: At = at!("tcp_timeout");

async fn tcp_timeout() -> String {
    let mut stream = TcpStream::connect(stub::silent()).unwrap();
    stream.set_read_timeout(Some(BLOCK)).unwrap();
    real_await().await;
    let watch = Watch::start();
    let result = here!(TCP_READ, stream.read(&mut [0; 16]));
    watch.end(BLOCK, timed_out(result))
}

static UDP_RECV: At = at!("udp_timeout");

async fn udp_timeout() -> String {
    let socket = UdpSocket::bind(LOOPBACK).unwrap();
    socket.set_read_timeout(Some(BLOCK)).unwrap();
    real_await().await;
    let watch = Watch::start();
    let result = here!(UDP_RECV, socket.recv(&mut [0; 16]));
    watch.end(BLOCK, timed_out(result))
}
