//! An HTTP/2 client with several streams at a time on one connection.

use std::net::Ipv4Addr;
use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

pub struct Client {
    runtime: Runtime,
    sender: http2::SendRequest<Empty<bytes::Bytes>>,
}

impl Client {
    /// Connects. The connection has sent one request and received its answer.
    pub fn connect(port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be built");
        let sender = runtime.block_on(async {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
            let stream = stream.expect("it listens");
            stream.set_nodelay(true).expect("a socket can be");
            let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
            let (mut sender, connection) = handshake.await.expect("it speaks HTTP/2");
            tokio::spawn(connection);
            request(&mut sender).await;
            sender
        });
        Self { runtime, sender }
    }

    /// Sends requests, `at_a_time` of them at once.
    pub fn run(&mut self, requests: u64, at_a_time: u64) {
        let all = async {
            let mut streams = JoinSet::new();
            for _ in 0..at_a_time {
                let mut sender = self.sender.clone();
                streams.spawn(async move {
                    for _ in 0..requests / at_a_time {
                        request(&mut sender).await;
                    }
                });
            }
            streams.join_all().await;
        };
        self.runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(60), all)
                .await
                .expect("an answer")
        });
    }
}

async fn request(sender: &mut http2::SendRequest<Empty<bytes::Bytes>>) {
    sender.ready().await.expect("the connection is open");
    let request = Request::get("http://localhost/users/7").body(Empty::new());
    let answer = sender.send_request(request.expect("it is valid")).await;
    let answer = answer.expect("an answer");
    assert!(answer.status().is_success());
    let body = answer.collect().await.expect("an answer, to its end");
    assert_eq!(body.to_bytes(), "hello");
}
