//! `Upgrade` to another protocol, and tunnels opened with `CONNECT`.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::Shutdown;

use bytes::Bytes;
use http::header::{CONNECTION, DATE, UPGRADE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::without_date;
use crate::support::{self, Outcomes, Pair, assert_outcomes, connect, read_to_close, run};
use crate::transparent::http2_client;

/// Switches to an echo protocol, or opens a tunnel to an echo.
async fn switch(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let tunnel = request.method() == Method::CONNECT;
    if !tunnel && request.headers().get(UPGRADE).is_none() {
        let mut response = Response::new("only by upgrade".into());
        *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
        return Ok(response);
    }
    // A body that is never sent, as a careless service may return it.
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
fn an_upgraded_connection_carries_the_services_own_protocol() {
    for path in ["/", "/careless"] {
        let pair = Pair::hyper(tower::service_fn(switch));
        // The bytes right after the head belong to the new protocol.
        let sent = format!(
            "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\none"
        );
        let layered = pair.same(|addr| {
            let mut stream = connect(addr);
            stream.write_all(sent.as_bytes()).unwrap();
            let mut bytes = Vec::new();
            let mut byte = [0];
            while !bytes.ends_with(b"\r\n\r\none") {
                stream.read_exact(&mut byte).unwrap();
                bytes.push(byte[0]);
            }
            if addr == pair.layered.addr() {
                assert_outcomes(&pair.layered, Outcomes::completed(1));
            }
            stream.write_all(b"two").unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            bytes.extend(read_to_close(&mut stream));
            String::from_utf8(bytes).unwrap()
        });
        assert!(layered.starts_with("HTTP/1.1 101 "), "{layered}");
        assert!(layered.ends_with("\r\n\r\nonetwo"), "{layered}");
        assert_outcomes(&pair.layered, Outcomes::completed(1));
    }
}

#[test]
fn after_a_refused_upgrade_the_connection_still_serves_http() {
    let pair = Pair::hyper(tower::service_fn(switch));
    let request = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";
    let last = "GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    let sent = [request, last].concat();
    let layered = pair.same(|addr| without_date(&support::exchange(addr, sent.as_bytes())));
    assert_eq!(layered.matches("426 upgrade required").count(), 2);
    assert_outcomes(&pair.layered, Outcomes::completed(2));
}

#[test]
fn a_connect_tunnel_carries_data_both_ways_in_http_2() {
    let pair = Pair::hyper(tower::service_fn(switch));
    let layered = pair.same(|addr| {
        run(async {
            let mut client = http2_client::client(addr).await;
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
    assert_eq!(layered.0.0, StatusCode::OK);
    assert_eq!(layered.1, "onetwo");
    assert_outcomes(&pair.layered, Outcomes::completed(1));
}
