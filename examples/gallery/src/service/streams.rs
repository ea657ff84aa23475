//! Rows 22 to 24: requests that take long, and bodies.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::{StreamExt, stream};

use super::App;

/// Takes as long as row 15 and blocks nothing.
pub async fn report(app: App) -> &'static str {
    for _ in 0..5 {
        tokio::time::sleep(app.work).await;
    }
    "report\n"
}

/// Ten thousand polls, all of them short.
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

/// The lines of an export, each with how long it takes.
fn lines(work: Duration) -> impl StreamExt<Item = (Line, Duration)> {
    stream::iter(["first\n", "second\n"]).map(move |line| (Ok(line), work / 2))
}
