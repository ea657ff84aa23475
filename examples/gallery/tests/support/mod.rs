//! Runs the gallery as a separate process.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gallery::driver::Outcome;

pub struct Gallery {
    process: Child,
    /// `http://127.0.0.1:…`
    pub app: String,
    pub metrics: String,
}

impl Gallery {
    /// Starts the gallery on free ports, with the servers that the environment names.
    pub fn start(work: Duration) -> Self {
        Self::start_with(work, |_| {})
    }

    pub fn start_with(work: Duration, configure: impl FnOnce(&mut Command)) -> Self {
        let mut command = command();
        command
            .args(["--work", &work.as_secs_f64().to_string()])
            .stdout(Stdio::piped());
        configure(&mut command);
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut address = |name: &str| {
            let line = lines.next().expect("a line of output").unwrap();
            let address = line.strip_prefix(name).map(|rest| rest.trim().to_owned());
            address.unwrap_or_else(|| panic!("expected {name:?}, got: {line}"))
        };
        let (app, metrics) = (address("app "), address("metrics "));
        Self {
            process,
            app,
            metrics,
        }
    }

    /// Waits until the layer has read the symbols of this large binary. Before that, a short
    /// poll ends before its place is known.
    pub fn until_places_are_named(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let outcome = self.try_row("1");
            if outcome.finding.is_some_and(|found| found.place.is_some()) {
                return;
            }
            assert!(Instant::now() < deadline, "row 1 still has no place");
        }
    }

    pub fn try_row(&self, id: &str) -> Outcome {
        let url = format!("{}/gallery/try/{id}", self.app);
        let mut response = Self::agent().post(url).send_empty().unwrap();
        assert_eq!(response.status(), 200, "row {id}");
        response.body_mut().read_json().unwrap()
    }

    pub fn agent() -> ureq::Agent {
        ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)))
            .build()
            .into()
    }
}

impl Drop for Gallery {
    fn drop(&mut self) {
        // Like Ctrl-C: the gallery removes its temporary directory and ends its worker.
        let pid = self.process.id().to_string();
        let _ = Command::new("kill").args(["-INT", &pid]).status();
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The gallery's log is shown only with `GALLERY_LOG=1`.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gallery"));
    if std::env::var_os("GALLERY_LOG").is_none() {
        command.stderr(Stdio::null());
    }
    command.args(["--app", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]);
    command
}
