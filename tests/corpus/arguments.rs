use lexopt::prelude::*;

/// Runs of each case without `--runs` and without the variable.
const RUNS: u64 = 20;
const RUNS_VARIABLE: &str = "RUNTIME_HEALTH_CORPUS_RUNS";

pub(crate) struct Arguments {
    pub(crate) role: Role,
    pub(crate) runs: u64,
    /// Whether a case that cannot run here is a failure.
    pub(crate) all: bool,
    filter: Option<String>,
}

/// What this process does.
#[derive(Clone, Copy)]
pub(crate) enum Role {
    Whole,
    /// Uses a CPU until its standard input ends.
    Hog,
    /// Runs the case of the resolver that does not answer.
    Resolving,
}

impl Arguments {
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.filter
            .as_ref()
            .is_none_or(|filter| name.contains(filter.as_str()))
    }
}

/// Returns `None` if there is nothing to run.
pub(crate) fn parse() -> Result<Option<Arguments>, lexopt::Error> {
    let mut arguments = Arguments {
        role: Role::Whole,
        runs: match std::env::var_os(RUNS_VARIABLE) {
            Some(runs) => runs.parse()?,
            None => RUNS,
        },
        all: false,
        filter: None,
    };
    let mut words = lexopt::Parser::from_env();
    while let Some(word) = words.next()? {
        match word {
            Long("runs") => arguments.runs = words.value()?.parse()?,
            Long("all") => arguments.all = true,
            Long("hog") => arguments.role = Role::Hog,
            Long("resolving") => arguments.role = Role::Resolving,
            Value(filter) => arguments.filter = Some(filter.string()?),
            // Arguments that test runners pass to every test binary.
            Long("list") => return Ok(None),
            Long("nocapture" | "quiet" | "exact" | "include-ignored") | Short('q') => {}
            Long("test-threads" | "format" | "color" | "skip") => {
                words.value()?;
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(arguments))
}
