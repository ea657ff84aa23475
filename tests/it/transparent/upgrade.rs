//! Connections that leave HTTP: WebSockets, `Upgrade` and `CONNECT` work
//! through the layer as without it. Such a request ends, completed, with its
//! answer; the connection after it is not the layer's.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy sees only the functions marked as tests"
)]

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};

use crate::http2;
use crate::support::{self, Outcomes, Pair, assert_outcomes, connect, read_to_close, run, settled};
use axum::Router;
use axum::extract::ws::{self, WebSocketUpgrade};
use axum::response::IntoResponse;
use axum::routing::any;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::header::{CONNECTION, DATE, UPGRADE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::{Error, Message, protocol::CloseFrame};

fn completed(requests: u64) -> Outcomes {
    Outcomes {
        completed: requests,
        ..Outcomes::default()
    }
}

/// Echoes what it is sent, until it is told to end in some way.
async fn echo(mut socket: ws::WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let answer = match message {
            // Answered by the protocol itself.
            ws::Message::Ping(_) | ws::Message::Pong(_) | ws::Message::Close(_) => continue,
            ws::Message::Text(text) if text == "vanish" => return,
            ws::Message::Text(text) if text == "close" => {
                let reason = Some(ws::CloseFrame {
                    code: 4000,
                    reason: "as told".into(),
                });
                ws::Message::Close(reason)
            }
            message => message,
        };
        if socket.send(answer).await.is_err() {
            return;
        }
    }
}

fn web_socket() -> Pair {
    async fn upgrade(upgrade: WebSocketUpgrade) -> impl IntoResponse {
        upgrade.protocols(["echo"]).on_upgrade(echo)
    }
    Pair::axum(Router::new().route("/ws", any(upgrade)))
}

type Socket = tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>;

async fn open(addr: SocketAddr) -> Socket {
    let stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    let (socket, response) = client_async(format!("ws://{addr}/ws"), stream)
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    socket
}

#[test]
fn a_web_socket_echoes_every_kind_of_message() {
    let pair = web_socket();
    let sent = [
        Message::text("hello"),
        Message::text(""),
        Message::binary(vec![0, 159, 255]),
        Message::text("0123456789".repeat(20_000)),
        Message::binary(vec![7; 200_000]),
    ];
    let (bare, layered) = pair.each(|addr| {
        run(async {
            let mut socket = open(addr).await;
            for message in &sent {
                socket.send(message.clone()).await.unwrap();
                assert!(socket.next().await.unwrap().unwrap() == *message);
            }
            let ping = Message::Ping("are you there".into());
            socket.send(ping).await.unwrap();
            let pong = socket.next().await.unwrap().unwrap();
            socket.close(None).await.unwrap();
            (pong, socket.next().await)
        })
    });
    assert_eq!(bare.0, Message::Pong("are you there".into()));
    assert_eq!(bare.0, layered.0);
    assert!(matches!(bare.1, Some(Ok(Message::Close(_)))));
    assert_eq!(format!("{:?}", bare.1), format!("{:?}", layered.1));
    assert_outcomes(&pair.layered, completed(1));
}

#[test]
fn a_web_socket_is_closed_by_either_side_in_the_same_way() {
    let pair = web_socket();
    let (bare, layered) = pair.each(|addr| {
        run(async {
            let mut told = open(addr).await;
            told.send(Message::text("close")).await.unwrap();
            let told = told.next().await.unwrap().unwrap();
            let mut gone = open(addr).await;
            gone.send(Message::text("vanish")).await.unwrap();
            let gone = match gone.next().await.unwrap().unwrap_err() {
                Error::Protocol(error) => error,
                error => panic!("{error}"),
            };
            (told, gone)
        })
    });
    let expected = CloseFrame {
        code: 4000.into(),
        reason: "as told".into(),
    };
    assert_eq!(bare.0, Message::Close(Some(expected)));
    assert_eq!(bare, layered, "bare on the left, layered on the right");
    assert_outcomes(&pair.layered, completed(2));
}

#[test]
fn a_web_socket_is_completed_while_it_is_open() {
    let pair = web_socket();
    run(async {
        let mut socket = open(pair.layered.addr()).await;
        assert_outcomes(&pair.layered, completed(1));
        socket.send(Message::text("still there")).await.unwrap();
        let echo = socket.next().await.unwrap().unwrap();
        assert_eq!(echo, Message::text("still there"));
    });
    let metrics = settled(&pair.layered, 1);
    let labels = [
        ("route", "/ws"),
        ("method", "GET"),
        ("outcome", "completed"),
    ];
    let requests = metrics.value("runtime_health_requests_total", &labels);
    assert_eq!(requests, Some(1.0));
}

/// The handshake of RFC 6455, 1.3, and one masked frame of text, 5.7.
#[test]
fn a_web_socket_has_the_same_bytes() {
    let pair = web_socket();
    let mut sent =
        b"GET /ws HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-protocol: other, echo\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            .to_vec();
    sent.extend(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    // A close without a reason, masked with nothing.
    sent.extend(b"\x88\x80\0\0\0\0");
    let (bare, layered) = pair.each(|addr| {
        let mut stream = connect(addr);
        stream.write_all(&sent).unwrap();
        without_date(&read_to_close(&mut stream))
    });
    assert_eq!(bare, layered, "bare on the left, layered on the right");
    assert!(layered.starts_with("http/1.1 101 "), "{layered}");
    assert!(
        layered.contains("s3pplmbitxaq9kygzzhzrbk+xoo="),
        "{layered}"
    );
    assert!(
        layered.contains("sec-websocket-protocol: echo\r\n"),
        "{layered}"
    );
    assert!(
        layered.ends_with("\r\n\r\n\u{81}\u{5}hello\u{88}\0"),
        "{layered:?}"
    );
    assert_outcomes(&pair.layered, completed(1));
}

#[test]
fn a_web_socket_is_refused_with_the_same_bytes() {
    let pair = web_socket();
    for headers in [
        "",
        "connection: upgrade\r\nupgrade: websocket\r\n",
        "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 12\r\n",
    ] {
        let request =
            format!("GET /ws HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\r\n");
        let (bare, layered) =
            pair.each(|addr| without_date(&support::exchange(addr, request.as_bytes())));
        assert_eq!(bare, layered, "bare on the left, layered on the right");
        assert!(layered.starts_with("http/1.1 4"), "{layered}");
    }
    assert_outcomes(&pair.layered, completed(3));
}

/// In small letters, each byte a character, without the line of the date.
fn without_date(bytes: &[u8]) -> String {
    let text: String = bytes.iter().copied().map(char::from).collect();
    let lines = text.to_ascii_lowercase();
    let lines = lines.split_inclusive("\r\n");
    lines.filter(|line| !line.starts_with("date: ")).collect()
}

/// Switches to a protocol that echoes, or opens a tunnel to an echo.
async fn switch(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let tunnel = request.method() == Method::CONNECT;
    if !tunnel && request.headers().get(UPGRADE).is_none() {
        let mut response = Response::new("only by upgrade".into());
        *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
        return Ok(response);
    }
    // A body that nobody will see, as a careless service may give it.
    let careless = request.uri().path().ends_with("careless");
    let body = if careless { "unseen" } else { "" };
    let upgraded = hyper::upgrade::on(&mut request);
    drop(tokio::spawn(async move {
        let mut stream = TokioIo::new(upgraded.await.unwrap());
        let mut buffer = [0; 1024];
        loop {
            match stream.read(&mut buffer).await.unwrap() {
                0 => break,
                length => stream.write_all(&buffer[..length]).await.unwrap(),
            }
        }
        stream.shutdown().await.unwrap();
    }));
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(DATE, HeaderValue::from_static("now"));
    if !tunnel {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("echo"));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    }
    Ok(response)
}

#[test]
fn an_upgraded_connection_is_the_services_own() {
    for path in ["/", "/careless"] {
        let pair = Pair::hyper(tower::service_fn(switch));
        // What follows the head at once belongs to the new protocol.
        let sent = format!(
            "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\none"
        );
        let (bare, layered) = pair.each(|addr| {
            let mut stream = connect(addr);
            stream.write_all(sent.as_bytes()).unwrap();
            let mut bytes = Vec::new();
            let mut byte = [0];
            while !bytes.ends_with(b"\r\n\r\none") {
                stream.read_exact(&mut byte).unwrap();
                bytes.push(byte[0]);
            }
            if addr == pair.layered.addr() {
                assert_outcomes(&pair.layered, completed(1));
            }
            stream.write_all(b"two").unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            bytes.extend(read_to_close(&mut stream));
            String::from_utf8(bytes).unwrap()
        });
        assert_eq!(bare, layered, "bare on the left, layered on the right");
        assert!(layered.starts_with("HTTP/1.1 101 "), "{layered}");
        assert!(layered.ends_with("\r\n\r\nonetwo"), "{layered}");
        assert_outcomes(&pair.layered, completed(1));
    }
}

#[test]
fn an_upgrade_that_is_refused_leaves_the_connection_as_it_was() {
    let pair = Pair::hyper(tower::service_fn(switch));
    let request = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";
    let last = "GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    let sent = [request, last].concat();
    let (bare, layered) = pair.each(|addr| without_date(&support::exchange(addr, sent.as_bytes())));
    assert_eq!(bare, layered, "bare on the left, layered on the right");
    assert_eq!(layered.matches("426 upgrade required").count(), 2);
    assert_outcomes(&pair.layered, completed(2));
}

#[test]
fn a_tunnel_by_connect_carries_both_ways_in_http_2() {
    let pair = Pair::hyper(tower::service_fn(switch));
    let (bare, layered) = pair.each(|addr| {
        run(async {
            let mut client = http2::client(addr).await;
            let request = Request::connect("test:1").body(Empty::new()).unwrap();
            let response = client.send_request(request).await.unwrap();
            let head = (response.status(), response.headers().clone());
            let upgraded = hyper::upgrade::on(response).await.unwrap();
            let mut stream = TokioIo::new(upgraded);
            let mut echo = String::new();
            for word in ["one", "two"] {
                stream.write_all(word.as_bytes()).await.unwrap();
                let mut buffer = [0; 3];
                stream.read_exact(&mut buffer).await.unwrap();
                echo.extend(buffer.map(char::from));
            }
            stream.shutdown().await.unwrap();
            stream.read_to_string(&mut echo).await.unwrap();
            (head, echo)
        })
    });
    assert_eq!(bare, layered, "bare on the left, layered on the right");
    assert_eq!(layered.0.0, StatusCode::OK);
    assert_eq!(layered.1, "onetwo");
    assert_outcomes(&pair.layered, completed(1));
}
