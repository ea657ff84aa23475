use inferno::flamegraph::{Options, from_lines};

use crate::findings::Finding;
use crate::state::State;

/// Draws where blocked time was spent: by route, then cause, then stack from the outermost
/// function. Widths are milliseconds. Each poll counts with the example stack of its finding.
pub(super) fn svg(state: &State) -> String {
    let findings = state.findings.list(&state.instance);
    let mut lines: Vec<_> = findings.iter().filter_map(line).collect();
    if lines.is_empty() {
        return EMPTY.to_owned();
    }
    // inferno merges lines with a common prefix only if they are sorted.
    lines.sort();
    let mut options = Options::default();
    options.title = "Where handlers block the executor".into();
    options.count_name = "ms".into();
    options.name_type = "".into();
    let mut page = Vec::new();
    match from_lines(&mut options, lines.iter().map(String::as_str), &mut page) {
        Ok(()) => String::from_utf8(page).unwrap_or_else(|_| EMPTY.to_owned()),
        Err(_) => EMPTY.to_owned(),
    }
}

const EMPTY: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"600\" height=\"40\">\
<text x=\"10\" y=\"25\" font-family=\"sans-serif\" font-size=\"14\">\
No handler has blocked the executor.</text></svg>\n";

/// Returns a finding as `frame;frame;frame milliseconds`, or `None` if it is shorter than a
/// millisecond.
fn line(finding: &Finding) -> Option<String> {
    let millis = finding.total.as_millis();
    if millis == 0 {
        return None;
    }
    let mut frames = vec![
        format!("{} {}", finding.method, finding.route),
        finding.cause.to_string(),
    ];
    frames.extend(finding.stack.iter().rev().map(ToString::to_string));
    let clean = frames.iter().map(|frame| frame.replace(';', ":"));
    Some(format!("{} {millis}", clean.collect::<Vec<_>>().join(";")))
}
