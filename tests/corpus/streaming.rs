//! Row 24: bodies that block.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::thread::sleep;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::routing::get;
use futures_util::stream;
use http_body::Frame;
use tokio::time::Sleep;

use crate::case::{At, BLOCK, Case, Corpus, FINE, Watch, real_await};
use crate::network::{FETCH, expect, fetch};
use crate::stub;

pub(crate) fn add(corpus: &mut Corpus) {
    corpus.add(
        Case::blocks("24 stream that sleeps", "/body/stream", &["sleep"], &STREAM).phase("body"),
        get(|| async { Body::from_stream(stream::unfold(0, next)) }),
    );
    corpus.add(
        Case::blocks(
            "24 body that waits for a socket",
            "/body/frame",
            &["network_io"],
            &FETCH,
        )
        .phase("body"),
        get(|| async { Body::new(Slow::default()) }),
    );
}

static STREAM: At = at!("next");

async fn next(frame: u32) -> Option<(Result<Bytes, Infallible>, u32)> {
    real_await().await;
    match frame {
        0 => Some((Ok("first,".into()), 1)),
        1 => {
            let watch = Watch::start();
            here!(STREAM, sleep(BLOCK));
            Some((Ok(watch.end(BLOCK, FINE).into()), 2))
        }
        _ => None,
    }
}

#[derive(Default)]
struct Slow {
    before: Option<Pin<Box<Sleep>>>,
    is_over: bool,
}

impl http_body::Body for Slow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let before = self.before.get_or_insert_with(|| {
            let moment = tokio::time::sleep(Duration::from_millis(1));
            Box::pin(moment)
        });
        ready!(before.as_mut().poll(context));
        let watch = Watch::start();
        let result = fetch(stub::http());
        let said = watch.end(BLOCK, expect(result, &"hello".to_owned()));
        self.is_over = true;
        Poll::Ready(Some(Ok(Frame::data(said.into()))))
    }
}
