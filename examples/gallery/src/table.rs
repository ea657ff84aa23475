//! The table: each way to write a handler, with the verdict expected for it.
//!
//! The page, the tests and `docs/patterns.md` are generated from it.

mod groups;

pub use groups::GROUPS;

/// A mistake and its repairs.
#[derive(Debug)]
pub struct Group {
    pub title: &'static str,
    /// What goes wrong, or what the rows show, in one sentence.
    pub mistake: &'static str,
    /// What to do instead, or why nothing needs to change, in one sentence.
    pub repair: &'static str,
    pub rows: &'static [Row],
}

/// One way to write a handler: a route of the service.
#[derive(Debug)]
pub struct Row {
    /// The row's number, with a suffix where a row has several forms.
    pub id: &'static str,
    pub method: &'static str,
    /// The route's template. In requests `{name}` becomes `report-0`, `report-1`, …;
    /// other parameters become numbers.
    pub route: &'static str,
    /// What the handler does.
    pub does: &'static str,
    /// How many requests are sent.
    pub requests: usize,
    /// Whether the requests are sent concurrently or one after the other.
    pub at_once: bool,
    /// What the layer must report.
    pub verdict: Verdict,
    /// The line the finding must name.
    pub place: Option<Place>,
    /// A server that the row needs.
    pub needs: Option<Needs>,
}

/// What the layer reports for a way to write a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The handler blocks the executor.
    Blocks {
        cause: &'static str,
        phase: &'static str,
        /// What the advice must name.
        advice: &'static [&'static str],
    },
    /// Polls were long because the machine had no processor for them.
    Preempted,
    /// The handler blocks inside `block_in_place`. The poll is counted, but delays no other task.
    InPlace,
    /// The blocking pool was full and tasks were queueing, all of them this route's.
    Saturated,
    /// Nothing blocks; the pool's time is known by route.
    PoolByRoute,
    /// Nothing blocks; the pool is used, but not through the wrapper.
    PoolSeen,
    /// Nothing blocks, and the pool is not used.
    Nothing,
}

impl Verdict {
    /// Returns the text that the page shows.
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

    /// Whether the executor is blocked, which delays other requests.
    pub const fn blocks(self) -> bool {
        matches!(self, Self::Blocks { .. })
    }
}

/// The line of the handler that blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Relative to `examples/gallery/`.
    pub file: &'static str,
    pub function: &'static str,
    /// Part of the line's text.
    pub code: &'static str,
}

/// A server that is not part of the gallery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    Postgres,
    Redis,
}

impl Needs {
    /// Returns the body of the 503 response that a route gives without its server.
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

/// Returns all rows, in order.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    GROUPS.iter().flat_map(|group| group.rows)
}

/// Returns the row with this id.
pub fn row(id: &str) -> Option<&'static Row> {
    rows().find(|row| row.id == id)
}
