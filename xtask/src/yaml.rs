//! Writes YAML in block style, which is easy to read and to diff.

use serde_json::Value;

/// The first line of every generated file.
const HEAD: &str = "# Written by `cargo run -p xtask -- dashboards`. Do not edit.\n";

/// Returns a whole file.
pub fn file(value: &Value) -> String {
    let mut out = String::from(HEAD);
    write(&mut out, value, 0);
    out
}

fn write(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                indent(out, depth);
                field(out, key, value, depth);
            }
        }
        Value::Array(items) => {
            for item in items {
                indent(out, depth);
                out.push_str("- ");
                match item {
                    // The first field is on the line of the dash.
                    Value::Object(fields) => {
                        for (at, (key, value)) in fields.iter().enumerate() {
                            if at > 0 {
                                indent(out, depth + 1);
                            }
                            field(out, key, value, depth + 1);
                        }
                    }
                    other => scalar(out, other),
                }
            }
        }
        other => scalar(out, other),
    }
}

fn field(out: &mut String, key: &str, value: &Value, depth: usize) {
    out.push_str(&text(key));
    out.push(':');
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            out.push('\n');
            write(out, value, depth + 1);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            write(out, value, depth + 1);
        }
        other => {
            out.push(' ');
            scalar(out, other);
        }
    }
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn scalar(out: &mut String, value: &Value) {
    match value {
        Value::String(string) => out.push_str(&text(string)),
        other => out.push_str(&other.to_string()),
    }
    out.push('\n');
}

/// Writes a plain scalar where YAML can read it only as this text. Otherwise
/// quotes it, with the quotes that need less escaping.
fn text(string: &str) -> String {
    let simple = |c: char| c.is_ascii_alphanumeric() || "_-./ ()%,".contains(c);
    let starts_plainly = string.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let reserved = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let plain = starts_plainly
        && string.chars().all(simple)
        && !string.ends_with(' ')
        && !reserved.contains(&string.to_ascii_lowercase().as_str());
    if plain {
        string.into()
    } else if string.contains('"') && !string.contains(['\n', '\'']) {
        format!("'{string}'")
    } else {
        // A JSON string is a valid YAML string.
        Value::from(string).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_written_as_block_style_yaml() {
        let value = json!({
            "groups": [{"name": "a", "rules": [{"expr": "x{a=\"b\"} > 1", "for": "5m"}, {"share": 1.5}]}],
            "words": ["true", "5", "it's \"so\"", "", [] ],
            "empty": {},
        });
        assert_eq!(
            file(&value),
            format!(
                "{HEAD}groups:\n  - name: a\n    rules:\n      - expr: 'x{{a=\"b\"}} > 1'\n        \
                 for: \"5m\"\n      - share: 1.5\nwords:\n  - \"true\"\n  - \"5\"\n  \
                 - \"it's \\\"so\\\"\"\n  - \"\"\n  - []\nempty: {{}}\n"
            )
        );
    }
}
