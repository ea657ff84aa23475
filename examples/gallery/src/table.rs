//! The table: each way to write a handler, and the verdict owed to it.
//!
//! The page, the tests and `docs/patterns.md` are made of it.

mod groups;

pub use groups::GROUPS;

/// A mistake and its repairs.
#[derive(Debug)]
pub struct Group {
    pub title: &'static str,
    /// What goes wrong, or what is to be seen, in one sentence.
    pub mistake: &'static str,
    /// What to do instead, or why nothing is to be done, in one sentence.
    pub repair: &'static str,
    pub rows: &'static [Row],
}

/// One way to write a handler: a route of the service.
#[derive(Debug)]
pub struct Row {
    /// Its number in the table, with its form where there are several.
    pub id: &'static str,
    pub method: &'static str,
    /// The route's template. In requests `{name}` becomes `report-0`, `report-1`, …;
    /// other parameters become numbers.
    pub route: &'static str,
    /// What the handler does.
    pub does: &'static str,
    /// How many requests are sent.
    pub requests: usize,
    /// Whether they are sent at once, or one after the other.
    pub at_once: bool,
    /// What the layer has to say.
    pub verdict: Verdict,
    /// Where it has to say it is.
    pub place: Option<Place>,
    /// What else has to run for it.
    pub needs: Option<Needs>,
}

/// What the layer says of a way to write a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It blocks the executor.
    Blocks {
        cause: &'static str,
        phase: &'static str,
        /// What the advice must name.
        advice: &'static [&'static str],
    },
    /// It took long because the machine had no processor for it.
    Preempted,
    /// It blocked inside of `block_in_place`: counted, and nobody waits for it.
    InPlace,
    /// The blocking pool was full and work waited, all of it this route's.
    Saturated,
    /// Nothing blocks; the blocking pool's time is known by route.
    PoolByRoute,
    /// Nothing blocks; the pool is used, though not through the wrapper.
    PoolSeen,
    /// Nothing blocks, and the pool is not used.
    Nothing,
}

impl Verdict {
    /// In words, as the page shows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blocks { cause, .. } => cause,
            Self::Preempted => "preempted",
            Self::InPlace => "block_in_place",
            Self::Saturated => "pool saturated",
            Self::PoolByRoute => "none; pool by route",
            Self::PoolSeen => "none; pool in use",
            Self::Nothing => "none",
        }
    }

    /// Whether the executor is blocked, so that innocent requests wait.
    pub const fn blocks(self) -> bool {
        matches!(self, Self::Blocks { .. })
    }
}

/// The line of the handler that is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Below `examples/gallery/`.
    pub file: &'static str,
    pub function: &'static str,
    /// What stands in that line.
    pub code: &'static str,
}

/// A server that is not part of the gallery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    Postgres,
    Redis,
}

impl Needs {
    /// What a route that needs it answers without.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Postgres => {
                "this row needs PostgreSQL: run examples/gallery/services.sh start, then start \
                 the gallery with --postgres URL or DATABASE_URL\n"
            }
            Self::Redis => {
                "this row needs Redis: run examples/gallery/services.sh start, then start the \
                 gallery with --redis URL or REDIS_URL\n"
            }
        }
    }
}

/// All rows, in order.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    GROUPS.iter().flat_map(|group| group.rows)
}

/// The row with this id.
pub fn row(id: &str) -> Option<&'static Row> {
    rows().find(|row| row.id == id)
}
