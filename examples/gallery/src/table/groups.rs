//! The groups, by subject, and the functions that build their rows.

mod compute;
mod io;
mod pool;
mod response;
mod waiting;

use super::{Group, Place, Row, Verdict};

/// All groups, in the order of the page and of `docs/patterns.md`.
pub static GROUPS: &[Group] = &[
    waiting::SLEEP,
    io::HTTP,
    compute::COMPUTATION,
    io::POSTGRESQL,
    io::FILES,
    io::EXTERNAL_API,
    pool::FULL_POOL,
    compute::SHORT_WORK,
    waiting::LOCK,
    waiting::CHILD_PROCESS,
    io::NAME_LOOKUP,
    pool::IN_PLACE,
    compute::STARVED,
    response::LONG_REQUESTS,
    response::SLOW_BODY,
    response::SLOW_CALL,
];

/// What the advice on cause `network_io` must name.
const NETWORK_ADVICE: &[&str] = &["async client", "spawn_blocking"];

/// Blocks in a poll of the handler.
const fn blocks(cause: &'static str, advice: &'static [&'static str]) -> Verdict {
    blocks_in("poll", cause, advice)
}

const fn blocks_in(
    phase: &'static str,
    cause: &'static str,
    advice: &'static [&'static str],
) -> Verdict {
    Verdict::Blocks {
        cause,
        phase,
        advice,
    }
}

const fn at(file: &'static str, function: &'static str, code: &'static str) -> Option<Place> {
    Some(Place {
        file,
        function,
        code,
    })
}

const fn get(id: &'static str, route: &'static str, does: &'static str, verdict: Verdict) -> Row {
    Row {
        id,
        method: "GET",
        route,
        does,
        requests: 4,
        at_once: true,
        verdict,
        place: None,
        needs: None,
    }
}

const fn post(id: &'static str, route: &'static str, does: &'static str, verdict: Verdict) -> Row {
    let row = get(id, route, does, verdict);
    Row {
        method: "POST",
        ..row
    }
}
