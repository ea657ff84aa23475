//! WebSockets.

use std::io::Write;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::ws::{self, WebSocketUpgrade};
use axum::response::IntoResponse;
use axum::routing::any;
use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::{Error, Message, protocol::CloseFrame};

use super::without_date;
use crate::support::{self, Outcomes, Pair, assert_outcomes, connect, read_to_close, run, settled};

/// Echoes messages until one tells it how to end.
async fn echo(mut socket: ws::WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let answer = match message {
            // axum answers these itself.
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
    let layered = pair.same(|addr| {
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
            let last = socket.next().await;
            assert!(matches!(last, Some(Ok(Message::Close(_)))), "{last:?}");
            (pong, format!("{last:?}"))
        })
    });
    assert_eq!(layered.0, Message::Pong("are you there".into()));
    assert_outcomes(&pair.layered, Outcomes::completed(1));
}

#[test]
fn a_web_socket_is_closed_by_either_side_in_the_same_way() {
    let pair = web_socket();
    let layered = pair.same(|addr| {
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
    assert_eq!(layered.0, Message::Close(Some(expected)));
    assert_outcomes(&pair.layered, Outcomes::completed(2));
}

#[test]
fn the_request_of_a_web_socket_is_completed_while_the_socket_is_open() {
    let pair = web_socket();
    run(async {
        let mut socket = open(pair.layered.addr()).await;
        assert_outcomes(&pair.layered, Outcomes::completed(1));
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
    // A close frame without a reason, masked with zeros.
    sent.extend(b"\x88\x80\0\0\0\0");
    let layered = pair.same(|addr| {
        let mut stream = connect(addr);
        stream.write_all(&sent).unwrap();
        without_date(&read_to_close(&mut stream))
    });
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
    assert_outcomes(&pair.layered, Outcomes::completed(1));
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
    assert_outcomes(&pair.layered, Outcomes::completed(3));
}
