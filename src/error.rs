use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::SocketAddr;

/// The reason why [`Builder::start`](crate::Builder::start) or
/// [`RuntimeHealth::observe_runtime`](crate::RuntimeHealth::observe_runtime) failed.
///
/// Its text names what to change; [`source`](StdError::source) has the underlying error, which
/// the text does not repeat. `Debug` writes both, so that a `main` that returns it says why it
/// ended. Nothing is left running when it is returned.
///
/// ```
/// use std::error::Error as _;
/// use tower_runtime_health::RuntimeHealth;
///
/// # #[tokio::main] async fn main() {
/// let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
/// # #[cfg(feature = "server")] {
/// let address = taken.local_addr().unwrap();
/// let error = RuntimeHealth::builder().serve_metrics(address).start().unwrap_err();
/// assert!(error.is_bind());
/// assert!(error.to_string().starts_with("cannot serve metrics on 127.0.0.1"));
/// assert!(error.source().unwrap().to_string().contains("in use"));
/// assert!(format!("{error:?}").contains("free address: "), "{error:?}");
/// # }
/// # }
/// ```
pub struct Error {
    kind: Kind,
}

#[derive(Debug)]
#[cfg_attr(
    not(feature = "server"),
    expect(dead_code, reason = "some belong to the exporter")
)]
pub(crate) enum Kind {
    Option {
        name: &'static str,
        value: String,
        allowed: String,
    },
    MissingRuntime(tokio::runtime::TryCurrentError),
    Bind {
        address: SocketAddr,
        source: io::Error,
    },
    Thread {
        name: &'static str,
        source: io::Error,
    },
    Exporter(io::Error),
    RuntimeName(String),
    Signal(io::Error),
}

impl Error {
    /// Returns whether an option has a value outside its range. The text names both.
    ///
    /// ```
    /// # use tower_runtime_health::RuntimeHealth;
    /// # use std::time::Duration;
    /// let error = RuntimeHealth::builder().threshold(Duration::ZERO).start().unwrap_err();
    /// assert!(error.is_invalid_option());
    /// assert_eq!(error.to_string(), "option `threshold` is 0ns; allowed: 1 ms to 1 h");
    /// ```
    pub fn is_invalid_option(&self) -> bool {
        matches!(
            self.kind,
            Kind::Option { .. } | Kind::RuntimeName(_) | Kind::Signal(_)
        )
    }

    /// Returns whether there was no tokio runtime to observe.
    ///
    /// ```
    /// # use tower_runtime_health::RuntimeHealth;
    /// // Outside of any runtime.
    /// let error = RuntimeHealth::builder().start().unwrap_err();
    /// assert!(error.is_missing_runtime());
    /// ```
    pub fn is_missing_runtime(&self) -> bool {
        matches!(self.kind, Kind::MissingRuntime(_))
    }

    /// Returns whether the exporter could not listen on its address; see the example above.
    pub fn is_bind(&self) -> bool {
        matches!(self.kind, Kind::Bind { .. })
    }

    /// Returns whether the operating system refused a thread, or what a thread needs.
    ///
    /// ```
    /// # use tower_runtime_health::RuntimeHealth;
    /// # #[tokio::main] async fn main() {
    /// match RuntimeHealth::builder().start() {
    ///     Err(error) if error.is_thread() => eprintln!("running without it: {error}"),
    ///     other => drop(other.unwrap()),
    /// }
    /// # }
    /// ```
    pub fn is_thread(&self) -> bool {
        matches!(self.kind, Kind::Thread { .. } | Kind::Exporter(_))
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self { kind }
    }
}

/// The text, and that of each source behind a colon.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut source = self.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
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
            Kind::MissingRuntime(_) => f.write_str(
                "there is no tokio runtime to observe; call `start()` inside one, pass a \
                 `Handle` to `Builder::observe_runtime`, or call `Builder::without_runtime` to \
                 observe one later",
            ),
            Kind::Bind { address, .. } => write!(
                f,
                "cannot serve metrics on {address}; give `serve_metrics` a free address"
            ),
            Kind::Thread { name, .. } => write!(f, "cannot start the thread `{name}`"),
            Kind::Exporter(_) => f.write_str("cannot set up the metrics exporter"),
            Kind::Signal(_) => f.write_str(
                "option `interrupt_running_threads` needs SIGRTMAX - 3 for itself; leave it off \
                 where the service handles that signal, and on systems other than Linux",
            ),
            Kind::RuntimeName(name) => write!(
                f,
                "a runtime named `{name}` is already observed; give each its own name"
            ),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.kind {
            Kind::Option { .. } | Kind::RuntimeName(_) => None,
            Kind::MissingRuntime(source) => Some(source),
            Kind::Bind { source, .. }
            | Kind::Thread { source, .. }
            | Kind::Exporter(source)
            | Kind::Signal(source) => Some(source),
        }
    }
}
