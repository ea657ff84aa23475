//! Row 1, in all the places where a handler's code can be.

use std::pin::Pin;
use std::thread::sleep;

use axum::extract::{FromRequestParts, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use http::request::Parts;

use crate::case::{At, BLOCK, Case, Corpus, FINE, Watch, real_await};

pub(crate) fn add(corpus: &mut Corpus) {
    let causes = &["sleep"];
    corpus.add(
        Case::blocks("1 sleep in a handler", "/ping/terrible", causes, &HANDLER),
        get(handler),
    );
    corpus.add(
        Case::blocks(
            "1 sleep in an extractor",
            "/ping/extractor",
            causes,
            &EXTRACTOR,
        ),
        get(|Token(said): Token| async { said }),
    );
    corpus.add(
        Case::blocks(
            "1 sleep in a middleware",
            "/ping/middleware",
            causes,
            &MIDDLEWARE,
        ),
        get(innocent).layer(from_fn(middleware)),
    );
    corpus.add(
        Case::blocks(
            "1 sleep behind a stack of from_fn",
            "/ping/stack",
            causes,
            &STACK,
        ),
        get(behind)
            .layer(from_fn(pass))
            .layer(from_fn(pass))
            .layer(from_fn(pass))
            .layer(from_fn(pass)),
    );
    corpus.add(
        Case::blocks("1 sleep in a boxed future", "/ping/boxed", causes, &BOXED),
        get(boxed),
    );
    corpus.add(
        Case::blocks(
            "1 sleep three async functions deep",
            "/ping/deep",
            causes,
            &DEEP,
        ),
        get(one),
    );
    corpus.add(
        Case::blocks("1 sleep in a closure", "/ping/closure", causes, &CLOSURE),
        get(|| async {
            real_await().await;
            let watch = Watch::start();
            here!(CLOSURE, sleep(BLOCK));
            watch.end(BLOCK, FINE)
        }),
    );
}

static HANDLER: At = at!("handler");

async fn handler() -> String {
    real_await().await;
    let watch = Watch::start();
    here!(HANDLER, sleep(BLOCK));
    watch.end(BLOCK, FINE)
}

struct Token(String);

static EXTRACTOR: At = at!("Token::from_request_parts");

impl<S: Sync> FromRequestParts<S> for Token {
    type Rejection = String;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, String> {
        real_await().await;
        let watch = Watch::start();
        here!(EXTRACTOR, sleep(BLOCK));
        Ok(Self(watch.end(BLOCK, FINE)))
    }
}

async fn innocent() -> &'static str {
    real_await().await;
    "ok"
}

static MIDDLEWARE: At = at!("middleware");

async fn middleware(request: Request, next: Next) -> Response {
    real_await().await;
    here!(MIDDLEWARE, sleep(BLOCK));
    next.run(request).await
}

async fn pass(request: Request, next: Next) -> Response {
    real_await().await;
    let response = next.run(request).await;
    real_await().await;
    response
}

static STACK: At = at!("behind");

async fn behind() -> String {
    real_await().await;
    let watch = Watch::start();
    here!(STACK, sleep(BLOCK));
    watch.end(BLOCK, FINE)
}

static BOXED: At = at!("boxed");

fn boxed() -> Pin<Box<dyn Future<Output = String> + Send>> {
    Box::pin(async {
        real_await().await;
        let watch = Watch::start();
        here!(BOXED, sleep(BLOCK));
        watch.end(BLOCK, FINE)
    })
}

static DEEP: At = at!("three");

async fn one() -> String {
    let said = two(1).await;
    real_await().await;
    said
}

async fn two(number: u32) -> String {
    let said = three(number + 1).await;
    tokio::task::yield_now().await;
    said
}

async fn three(number: u32) -> String {
    real_await().await;
    let watch = Watch::start();
    here!(DEEP, sleep(BLOCK));
    std::hint::black_box(number);
    watch.end(BLOCK, FINE)
}

static CLOSURE: At = at!("add");
