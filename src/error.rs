use std::fmt;
use std::net::SocketAddr;

/// Why [`Builder::start`](crate::Builder::start) or
/// [`RuntimeHealth::observe_runtime`](crate::RuntimeHealth::observe_runtime)
/// did nothing.
///
/// Its text names what to change. Nothing was started when it is returned.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Option {
        name: &'static str,
        value: String,
        allowed: &'static str,
    },
    NoRuntime(tokio::runtime::TryCurrentError),
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
    Thread {
        name: &'static str,
        source: std::io::Error,
    },
    Exporter(std::io::Error),
    RuntimeName(String),
    Signal(std::io::Error),
}

impl Error {
    /// An option was given a value outside its range. The text names both.
    pub fn is_invalid_option(&self) -> bool {
        matches!(
            self.kind,
            Kind::Option { .. } | Kind::RuntimeName(_) | Kind::Signal(_)
        )
    }

    /// There was no tokio runtime to observe.
    pub fn is_no_runtime(&self) -> bool {
        matches!(self.kind, Kind::NoRuntime(_))
    }

    /// The exporter could not listen on its address.
    pub fn is_listen(&self) -> bool {
        matches!(self.kind, Kind::Listen { .. })
    }

    /// The operating system refused a thread, or what a thread needs.
    pub fn is_thread(&self) -> bool {
        matches!(self.kind, Kind::Thread { .. } | Kind::Exporter(_))
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self { kind }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Option {
                name,
                value,
                allowed,
            } => write!(f, "option `{name}` is {value}; allowed: {allowed}"),
            Kind::NoRuntime(_) => write!(
                f,
                "no tokio runtime here to observe; call `start()` inside one, or pass its \
                 `Handle` to `Builder::observe_runtime`, or `Builder::without_runtime` to give one later"
            ),
            Kind::Listen { address, source } => write!(
                f,
                "cannot serve metrics on {address}: {source}; give `serve_metrics` a free address"
            ),
            Kind::Thread { name, source } => {
                write!(f, "cannot start the thread `{name}`: {source}")
            }
            Kind::Exporter(source) => write!(f, "cannot set up the metrics exporter: {source}"),
            Kind::Signal(source) => write!(
                f,
                "option `interrupt_running_threads` needs SIGRTMAX - 3 for itself: {source}; leave \
                 it off where the service handles that signal, and on other systems than Linux"
            ),
            Kind::RuntimeName(name) => write!(
                f,
                "a runtime named `{name}` is observed already; give each a name of its own"
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            Kind::Option { .. } | Kind::RuntimeName(_) => None,
            Kind::NoRuntime(source) => Some(source),
            Kind::Listen { source, .. }
            | Kind::Thread { source, .. }
            | Kind::Exporter(source)
            | Kind::Signal(source) => Some(source),
        }
    }
}
