//! A real HTTP/2 client, and everything that it receives.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

/// An answer, possibly incomplete.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) data: Vec<Bytes>,
    pub(crate) trailers: Option<HeaderMap>,
    /// The error that ended the answer, with its HTTP/2 reason.
    pub(crate) failed: Option<String>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.data.concat()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) async fn read(response: hyper::Result<Response<Incoming>>) -> Self {
        let mut answer = Self::default();
        let mut body = match response {
            Ok(response) => {
                let (head, body) = response.into_parts();
                (answer.status, answer.headers) = (head.status, head.headers);
                body
            }
            Err(error) => {
                answer.failed = Some(format!("{error:?}"));
                return answer;
            }
        };
        while let Some(frame) = body.frame().await {
            match frame.map(Frame::into_data) {
                Ok(Ok(data)) => answer.data.push(data),
                Ok(Err(frame)) => answer.trailers = frame.into_trailers().ok(),
                Err(error) => {
                    // Later polls would return the error again.
                    answer.failed = Some(format!("{error:?}"));
                    break;
                }
            }
        }
        answer
    }
}

/// Connects. A task of this runtime drives the connection.
pub(crate) async fn client<B>(addr: SocketAddr) -> SendRequest<B>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let stream = TcpStream::connect(addr).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let io = TokioIo::new(stream);
    let (client, connection) = handshake(TokioExecutor::new(), io).await.unwrap();
    drop(tokio::spawn(connection));
    client
}
