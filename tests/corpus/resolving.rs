//! Row 19: a name lookup to which the resolver does not answer.
//!
//! The C library asks the resolver in `/etc/resolv.conf`. A test must not change that file for the
//! machine. So the case runs in a process of its own, in a mount namespace where the file names a
//! socket of the test that never answers.

use std::io::Write;
use std::net::{ToSocketAddrs, UdpSocket};
use std::process::{Command, ExitCode, Stdio};
use std::thread::JoinHandle;

use axum::routing::get;

use crate::arguments::Arguments;
use crate::case::{At, Case, Corpus, Watch, aside, real_await};
use crate::drive::Driver;
use crate::report::{Kind, Row};

const NAME: &str = "19 name lookup without an answer";
const RESOLVER: &str = "127.53.53.53";
/// Precedes the row that the child prints for its parent.
const MARK: &str = "row: ";

/// $0 is this program, $1 the number of runs, $2 the address of the resolver, $3 `own-network` if the
/// namespace has a network of its own.
const SCRIPT: &str = r#"
set -e
if [ "$3" = own-network ]; then ip link set lo up; fi
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
mount -t tmpfs none "$directory"
printf 'nameserver %s\noptions timeout:1 attempts:1\n' "$2" >"$directory/resolv.conf"
printf 'hosts: dns\n' >"$directory/nsswitch.conf"
mount --bind "$directory/resolv.conf" "$(readlink -f /etc/resolv.conf)"
if [ -e /etc/nsswitch.conf ]; then mount --bind "$directory/nsswitch.conf" /etc/nsswitch.conf; fi
"$0" --resolving --runs "$1"
"#;

pub(crate) struct Resolving(Option<JoinHandle<Row>>);

impl Resolving {
    pub(crate) fn finish(self) -> Option<Row> {
        self.0.map(|thread| thread.join().unwrap())
    }
}

pub(crate) fn start(arguments: &Arguments) -> Resolving {
    let runs = arguments.runs;
    Resolving(arguments.wants(NAME).then(|| aside(move || in_child(runs))))
}

/// Runs the case in a mount namespace. Root uses the machine's network. Another user gets a user
/// namespace, and needs a network namespace to listen on the resolver's port.
fn in_child(runs: u64) -> Row {
    let ways: [(&[&str], &str); 2] = [
        (&["--mount"], ""),
        (&["--map-root-user", "--mount", "--net"], "own-network"),
    ];
    let mut why = String::new();
    for (flags, network) in ways {
        match unshare(flags, network, runs) {
            Ok(row) => return row,
            Err(error) => {
                let _ = std::fmt::Write::write_fmt(
                    &mut why,
                    format_args!("[unshare {}: {error}] ", flags.join(" ")),
                );
            }
        }
    }
    Row::not_run(NAME, Kind::Blocked, why)
}

fn unshare(flags: &[&str], network: &str, runs: u64) -> Result<Row, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("unshare")
        .args(flags)
        .args(["sh", "-c", SCRIPT])
        .arg(this)
        .args([&runs.to_string(), RESOLVER, network])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout);
    let row = said.lines().find_map(|line| line.strip_prefix(MARK));
    let row = row.and_then(|row| serde_json::from_str(row).ok());
    row.ok_or_else(|| {
        let errors = String::from_utf8_lossy(&output.stderr);
        errors
            .lines()
            .last()
            .unwrap_or("no reason given")
            .to_owned()
    })
}

pub(crate) fn in_namespace(arguments: &Arguments) -> ExitCode {
    let resolver = match UdpSocket::bind((RESOLVER, 53)) {
        Ok(resolver) => resolver,
        Err(error) => {
            eprintln!("cannot listen on {RESOLVER}:53: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut corpus = Corpus::default();
    let case = Case::blocks(NAME, "/dns", &["dns"], &LOOKUP).call("UDP socket to");
    corpus.add(case, get(lookup));
    let driver = Driver::start(corpus);
    for case in driver.cases() {
        let row = driver.run(case, arguments.runs);
        println!("{MARK}{}", serde_json::to_string(&row).unwrap());
    }
    drop(resolver);
    let _ = std::io::stdout().flush();
    ExitCode::SUCCESS
}

static LOOKUP: At = at!("lookup");

async fn lookup() -> String {
    real_await().await;
    let watch = Watch::start();
    let result = here!(LOOKUP, ("users.corpus.test.", 80).to_socket_addrs());
    let second = std::time::Duration::from_secs(1);
    watch.end(
        second,
        match result {
            Ok(_) => Err("an address".to_owned()),
            Err(error) if error.to_string().contains("Temporary failure") => Ok(()),
            Err(error) => Err(error.to_string()),
        },
    )
}
