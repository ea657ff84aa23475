//! What a case is, and the macros and helpers to write one.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::MethodRouter;

/// The default threshold.
pub(crate) const THRESHOLD: Duration = Duration::from_millis(10);

/// How long cases block: more than three times the threshold.
pub(crate) const BLOCK: Duration = Duration::from_millis(45);

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) label: Label,
    /// What the finding's description of the system call must contain.
    pub(crate) call: &'static str,
    /// Why the case cannot run on this machine.
    pub(crate) obstacle: Option<String>,
    pub(crate) server: Side,
}

/// What must be reported about a case.
pub(crate) enum Label {
    Blocks(Blocks),
    /// Blocks its thread inside `block_in_place`, which must not be blamed.
    InPlace(&'static At),
    Innocent,
}

pub(crate) struct Blocks {
    /// Each of these causes is right.
    pub(crate) causes: &'static [&'static str],
    pub(crate) phase: &'static str,
    pub(crate) at: &'static At,
    /// Whether the thread uses the CPU. The kernel may forbid to sample its stack then.
    pub(crate) runs: bool,
}

/// Where the layer is.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Side {
    /// On the router, by `Router::layer`.
    Router,
    /// Around a whole service.
    Service,
}

impl Case {
    /// A case that blocks for one of these causes, at this place.
    pub(crate) fn blocks(
        name: &'static str,
        path: &'static str,
        causes: &'static [&'static str],
        at: &'static At,
    ) -> Self {
        Self::new(
            name,
            path,
            Label::Blocks(Blocks {
                causes,
                phase: "poll",
                at,
                runs: false,
            }),
        )
    }

    /// A case that uses the CPU at this place.
    pub(crate) fn computes(
        name: &'static str,
        path: &'static str,
        causes: &'static [&'static str],
        at: &'static At,
    ) -> Self {
        let mut case = Self::blocks(name, path, causes, at);
        if let Label::Blocks(blocks) = &mut case.label {
            blocks.runs = true;
        }
        case
    }

    pub(crate) fn innocent(name: &'static str, path: &'static str) -> Self {
        Self::new(name, path, Label::Innocent)
    }

    pub(crate) fn in_place(name: &'static str, path: &'static str, at: &'static At) -> Self {
        Self::new(name, path, Label::InPlace(at))
    }

    fn new(name: &'static str, path: &'static str, label: Label) -> Self {
        Self {
            name,
            method: "GET",
            path,
            label,
            call: "",
            obstacle: None,
            server: Side::Router,
        }
    }

    pub(crate) fn phase(mut self, phase: &'static str) -> Self {
        if let Label::Blocks(blocks) = &mut self.label {
            blocks.phase = phase;
        }
        self
    }

    pub(crate) fn post(mut self) -> Self {
        self.method = "POST";
        self
    }

    pub(crate) fn call(mut self, part: &'static str) -> Self {
        self.call = part;
        self
    }

    pub(crate) fn around_service(mut self) -> Self {
        self.server = Side::Service;
        self
    }

    /// Runs the case only if `condition` is not an error.
    pub(crate) fn needs<E: ToString>(mut self, condition: Result<(), E>) -> Self {
        self.obstacle = condition.err().map(|error| error.to_string());
        self
    }
}

/// The cases, and the router that serves them.
#[derive(Default)]
pub(crate) struct Corpus {
    pub(crate) cases: Vec<Case>,
    pub(crate) router: Router,
}

impl Corpus {
    pub(crate) fn add(&mut self, case: Case, handler: MethodRouter) {
        self.route(case.path, handler);
        self.cases.push(case);
    }

    /// Adds a route that is not a case by itself.
    pub(crate) fn route(&mut self, path: &str, handler: MethodRouter) {
        let router = std::mem::take(&mut self.router);
        self.router = router.route(path, handler);
    }
}

/// Where a case blocks: a file, a function, and the lines that [`here!`] and [`from_here!`] set when
/// they run.
pub(crate) struct At {
    pub(crate) file: &'static str,
    pub(crate) function: &'static str,
    first: AtomicU32,
    last: AtomicU32,
}

impl At {
    pub(crate) const fn new(file: &'static str, function: &'static str) -> Self {
        Self {
            file,
            function,
            first: AtomicU32::new(0),
            last: AtomicU32::new(0),
        }
    }

    pub(crate) fn from(&self, line: u32) {
        self.first.store(line, Ordering::Relaxed);
        self.last.store(line, Ordering::Relaxed);
    }

    pub(crate) fn to(&self, line: u32) {
        self.last.store(line, Ordering::Relaxed);
    }

    pub(crate) fn has(&self, file: &str, line: u32) -> bool {
        let lines = self.first.load(Ordering::Relaxed)..=self.last.load(Ordering::Relaxed);
        file.ends_with(self.file) && lines.contains(&line)
    }

    pub(crate) fn lines(&self) -> String {
        let first = self.first.load(Ordering::Relaxed);
        let last = self.last.load(Ordering::Relaxed);
        format!("{}:{first}..={last} in {}", self.file, self.function)
    }
}

/// The place of a function of this module.
macro_rules! at {
    ($function:literal) => {
        $crate::case::At::new(file!(), concat!(module_path!(), "::", $function))
    };
}

/// Evaluates an expression that blocks, and sets its line.
macro_rules! here {
    ($at:ident, $blocks:expr) => {{
        $at.from(line!());
        $blocks
    }};
}

/// Sets the first of the lines up to [`to_here!`], each of which may block.
macro_rules! from_here {
    ($at:ident) => {
        $at.from(line!())
    };
}

macro_rules! to_here {
    ($at:ident) => {
        $at.to(line!())
    };
}

/// Awaits a timer, so that what follows is not in the first poll.
pub(crate) async fn real_await() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Checks that a call was not disturbed by the inspection of its thread.
pub(crate) struct Watch(Instant);

impl Watch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the handler's answer: `ok`, or how the call was disturbed, which should have taken
    /// at least this long.
    pub(crate) fn end<E: std::fmt::Display>(
        &self,
        at_least: Duration,
        result: Result<(), E>,
    ) -> String {
        let elapsed = self.0.elapsed();
        match result {
            Err(error) => format!("disturbed: {error} after {elapsed:?}"),
            Ok(()) if elapsed * 10 < at_least * 9 => {
                format!("disturbed: over after {elapsed:?} of {at_least:?}")
            }
            Ok(()) => "ok".to_owned(),
        }
    }

    /// Like [`end`](Self::end), for a call that another thread ends [`BLOCK`] after a moment before
    /// the call.
    pub(crate) fn end_by_other<E: std::fmt::Display>(&self, result: Result<(), E>) -> String {
        self.end(BLOCK / 2, result)
    }
}

/// Checks that a call returned the error of its timeout.
pub(crate) fn timed_out<T>(result: std::io::Result<T>) -> Result<(), String> {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    match result {
        Ok(_) => Err("an answer".to_owned()),
        Err(error) if matches!(error.kind(), WouldBlock | TimedOut) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

pub(crate) const FINE: Result<(), std::convert::Infallible> = Ok(());

/// Runs a closure on a thread outside of the runtime.
pub(crate) fn aside<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let builder = std::thread::Builder::new().name("corpus-aside".into());
    builder.spawn(what).unwrap()
}

/// Like [`aside`], after [`BLOCK`].
pub(crate) fn aside_later<T: Send + 'static>(
    what: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    aside(|| {
        std::thread::sleep(BLOCK);
        what()
    })
}
