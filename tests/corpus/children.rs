//! Row 18: waiting for child processes.

use std::process::{Command, Stdio};

use axum::routing::get;

use crate::case::{At, BLOCK, Case, Corpus, Watch, real_await};

const CHILD: &[&str] = &["child_process"];

pub(crate) fn add(corpus: &mut Corpus) {
    corpus.add(
        Case::blocks("18 Command::output", "/child/output", CHILD, &OUTPUT).call("child"),
        get(output),
    );
    corpus.add(
        Case::blocks("18 Child::wait", "/child/wait", CHILD, &WAIT).call("pid"),
        get(wait),
    );
}

static OUTPUT: At = at!("output");

async fn output() -> String {
    real_await().await;
    let watch = Watch::start();
    let output = here!(OUTPUT, Command::new("sleep").arg("0.05").output());
    watch.end(
        BLOCK,
        match output {
            Ok(output) if output.status.success() => Ok(()),
            other => Err(format!("{other:?}")),
        },
    )
}

static WAIT: At = at!("wait");

async fn wait() -> String {
    real_await().await;
    let mut child = Command::new("sleep")
        .arg("0.05")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let watch = Watch::start();
    let status = here!(WAIT, child.wait());
    watch.end_by_other(match status {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("{other:?}")),
    })
}
