//! Alerts on stalls, the poll objective and the metrics themselves.

use super::{Case, case};

pub fn stuck() -> Vec<Case> {
    let stuck = "RuntimeHealthWorkerStuck";
    let stall = "RuntimeHealthLongStall";
    let stalled = r#"stalled_polls{route="/a"}"#;
    let longest = "longest_stall_seconds";
    // The counters of a stuck worker do not increase.
    let constant = (
        r#"worker_busy_seconds_total{runtime="main",worker="0"}"#,
        "7x60",
    );
    vec![
        case(
            stuck,
            "a poll does not end",
            &[(stalled, "1x60"), (longest, "0+60x60"), constant],
            "5m",
            &[("warning", &[("route", "/a")], "1")],
        ),
        case(
            stuck,
            "stalls are short",
            &[(stalled, "1x60"), (longest, "0.2x60"), constant],
            "5m",
            &[],
        ),
        case(
            stall,
            "a poll does not end",
            &[(stalled, "1x60"), (longest, "300x60"), constant],
            "5m",
            &[("critical", &[], "5m 0s")],
        ),
        case(
            stall,
            "the poll ended",
            &[(stalled, "1x3 0x60"), (longest, "0+60x3 0x60")],
            "5m",
            &[],
        ),
        case(
            stall,
            "a poll lasts 20 s",
            &[(stalled, "1x60"), (longest, "20x60")],
            "5m",
            &[],
        ),
    ]
}

pub fn objective() -> Vec<Case> {
    let burn = "RuntimeHealthPollBudgetBurn";
    let polls = |quick, all| {
        [
            (
                r#"poll_duration_seconds_bucket{route="/a",method="GET",le="0.01"}"#,
                quick,
            ),
            (
                r#"poll_duration_seconds_bucket{route="/a",method="GET",le="+Inf"}"#,
                all,
            ),
        ]
    };
    vec![
        case(
            burn,
            "one poll in 50 is slow",
            &polls("0+588x300", "0+600x300"),
            "4h",
            &[
                ("critical", &[("long", "1h"), ("short", "5m")], "2%"),
                ("critical", &[("long", "6h"), ("short", "30m")], "2%"),
                ("warning", &[("long", "1d"), ("short", "2h")], "2%"),
                ("warning", &[("long", "3d"), ("short", "6h")], "2%"),
            ],
        ),
        case(
            burn,
            "one poll in 200 is slow",
            &polls("0+597x300", "0+600x300"),
            "4h",
            &[
                ("warning", &[("long", "1d"), ("short", "2h")], "0.5%"),
                ("warning", &[("long", "3d"), ("short", "6h")], "0.5%"),
            ],
        ),
        case(
            burn,
            "one poll in 2000 is slow",
            &polls("0+1199.4x300", "0+1200x300"),
            "4h",
            &[],
        ),
        case(
            burn,
            "there are five polls, all slow",
            &polls("0x300", "0x50 1x50 2x50 3x50 4x50 5x50"),
            "4h",
            &[],
        ),
        case(
            burn,
            "there are no polls",
            &polls("9x300", "9x300"),
            "4h",
            &[],
        ),
    ]
}

pub fn housekeeping() -> Vec<Case> {
    let missing = "RuntimeHealthMetricsMissing";
    let overflowed = "RuntimeHealthRoutesOverflowed";
    let build = r#"build_info{version="0.1.0",tokio_unstable="false",capture="blocked"}"#;
    vec![
        case(
            missing,
            "the target does not answer",
            &[("up", "1x10 0x50"), (build, "1x10 stale")],
            "30m",
            &[("warning", &[], "")],
        ),
        case(
            missing,
            "the target answers without these metrics",
            &[("up", "1x60"), (build, "1x10 stale")],
            "30m",
            &[("warning", &[], "")],
        ),
        case(
            missing,
            "the target was removed",
            &[("up", "1x10 stale"), (build, "1x10 stale")],
            "30m",
            &[],
        ),
        case(
            missing,
            "the target never had these metrics",
            &[("up", "1x60")],
            "30m",
            &[],
        ),
        case(
            missing,
            "the target has the metrics",
            &[("up", "1x60"), (build, "1x60")],
            "30m",
            &[],
        ),
        case(
            overflowed,
            "one request per second overflows",
            &[("routes_overflowed_total", "0+60x60")],
            "40m",
            &[("info", &[], "1")],
        ),
        case(
            overflowed,
            "the overflow ended long ago",
            &[("routes_overflowed_total", "0+60x5 300x60")],
            "50m",
            &[],
        ),
    ]
}
