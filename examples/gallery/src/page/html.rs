//! Generates the page's HTML from the table.

use std::fmt::Write;

use crate::table::{Group, Needs, Row};

pub fn page(groups: &[Group]) -> String {
    let mut page = String::from(include_str!("head.html"));
    for group in groups {
        section(&mut page, group);
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn section(page: &mut String, group: &Group) {
    let [title, mistake, repair] = [group.title, group.mistake, group.repair].map(escaped);
    // Writing to a String cannot fail.
    let _ = write!(
        page,
        "<section>\n<h2>{title}</h2>\n<p>{mistake} {repair}</p>\n"
    );
    for row in group.rows {
        article(page, row);
    }
    page.push_str("</section>\n");
}

fn article(page: &mut String, row: &Row) {
    let Row {
        id,
        method,
        requests,
        ..
    } = row;
    let [route, does, verdict] = [row.route, row.does, row.verdict.as_str()].map(escaped);
    let needs = match row.needs {
        Some(Needs::Postgres) => " <small>needs PostgreSQL</small>",
        Some(Needs::Redis) => " <small>needs Redis</small>",
        None => "",
    };
    let _ = write!(
        page,
        r#"<article id="row-{id}">
<header><span class="id">{id}</span> <code>{method} {route}</code>{needs}<br>{does}</header>
<div class="act"><button type="button" data-row="{id}">Send {requests} requests</button>
<span class="expected">expected: <b>{verdict}</b></span></div>
<div class="outcome" aria-live="polite" hidden></div>
</article>
"#
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::page;
    use crate::table::{GROUPS, rows};

    #[test]
    fn every_row_has_a_button_and_text_is_escaped() {
        let page = page(GROUPS);
        for row in rows() {
            assert!(
                page.contains(&format!("data-row=\"{}\"", row.id)),
                "{}",
                row.id
            );
        }
        assert_eq!(page.matches("<button").count(), rows().count() + 1);
        assert_eq!(
            page.matches("<section>").count(),
            page.matches("</section>").count()
        );
        assert_eq!(super::escaped("a<b>&\"c\""), "a&lt;b&gt;&amp;&quot;c&quot;");
    }
}
