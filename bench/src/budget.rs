//! Budgets of instructions: `budgets.txt` has a name and a number on each line.

/// The factor by which a count may exceed its budget.
const MARGIN: f64 = 1.03;

/// Compares counts with the budgets of one kind (the part of a name before the
/// slash), and prints each. A count that is lower by the margin is marked: its
/// budget should be lowered.
///
/// # Panics
///
/// If a count exceeds its budget, if a count has no budget, or if a budget has
/// no count.
pub fn check(kind: &str, counted: &[(String, f64)]) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/budgets.txt");
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let faults = compare(&text, kind, counted);
    assert!(faults.is_empty(), "{path}:\n{}", faults.join("\n"));
}

fn compare(text: &str, kind: &str, counted: &[(String, f64)]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut names = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, budget)) = line.split_once(' ') else {
            faults.push(format!("`{line}` is not a name and a number"));
            continue;
        };
        if name.split('/').next() != Some(kind) {
            continue;
        }
        names.push(name);
        let count = counted.iter().find(|(counted, _)| counted == name);
        match (count, budget.trim().parse::<f64>()) {
            (Some((_, count)), Ok(budget)) => {
                let verdict = if *count > budget * MARGIN {
                    faults.push(format!(
                        "{name}: {count:.0}, more than {budget:.0} by over 3 %"
                    ));
                    "**exceeded**"
                } else if *count * MARGIN < budget {
                    "kept; lower it"
                } else {
                    "kept"
                };
                println!("- {name}: {count:.0} of {budget:.0}: {verdict}");
            }
            (None, _) => faults.push(format!("{name}: there is no count of that name")),
            (_, Err(_)) => faults.push(format!("{name}: `{budget}` is not a number")),
        }
    }
    for (name, count) in counted {
        if !names.contains(&name.as_str()) {
            faults.push(format!("{name}: {count:.0} without a budget"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::compare;

    fn counted(count: f64) -> Vec<(String, f64)> {
        vec![("poll/ours".into(), count)]
    }

    #[test]
    fn a_count_may_exceed_its_budget_by_three_percent() {
        let text = "# comment\npoll/ours 100\nhttp1/ours 7\n";
        assert!(compare(text, "poll", &counted(103.0)).is_empty());
        assert!(compare(text, "poll", &counted(50.0)).is_empty());
        let faults = compare(text, "poll", &counted(103.1));
        assert_eq!(faults, ["poll/ours: 103, more than 100 by over 3 %"]);
    }

    #[test]
    fn every_count_needs_a_budget_and_every_budget_a_count() {
        assert_eq!(compare("", "poll", &counted(1.0)).len(), 1);
        assert_eq!(
            compare("poll/other 1\npoll/ours 1", "poll", &counted(1.0)).len(),
            1
        );
        assert_eq!(compare("poll/ours x", "poll", &counted(1.0)).len(), 1);
    }
}
