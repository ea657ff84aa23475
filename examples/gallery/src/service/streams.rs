//! Rows 22 to 24: long requests, and response bodies.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::{StreamExt, stream};

use super::App;

/// Takes as long as row 15, but awaits.
pub async fn report(app: App) -> &'static str {
    for _ in 0..5 {
        tokio::time::sleep(app.work).await;
    }
    "report\n"
}

/// Streams ten thousand frames, with a short poll for each.
pub async fn frames() -> Body {
    let frames = (0..10_000).map(|i| Ok::<_, Infallible>(Bytes::from(format!("{i}\n"))));
    Body::from_stream(stream::iter(frames))
}

pub async fn slow_body(app: App) -> Body {
    Body::from_stream(lines(app.work).map(|(line, pause)| {
        std::thread::sleep(pause);
        line
    }))
}

pub async fn awaiting_body(app: App) -> Body {
    Body::from_stream(lines(app.work).then(|(line, pause)| async move {
        tokio::time::sleep(pause).await;
        line
    }))
}

type Line = Result<&'static str, Infallible>;

/// Returns the lines of an export, each with the delay before it.
fn lines(work: Duration) -> impl StreamExt<Item = (Line, Duration)> {
    stream::iter(["first\n", "second\n"]).map(move |line| (Ok(line), work / 2))
}
