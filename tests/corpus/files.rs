//! Row 12: slow files.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use axum::routing::get;

use crate::case::{At, BLOCK, Case, Corpus, FINE, Watch, aside_later, real_await};
use crate::network::expect;

const FILE: &[&str] = &["file_io"];

pub(crate) fn add(corpus: &mut Corpus) {
    let fifo = make_fifo(&fifo());
    corpus.add(
        Case::blocks("12 read of a FIFO", "/file/sync/{name}", FILE, &READ)
            .call("corpus-fifo")
            .needs(fifo.clone()),
        get(read),
    );
    corpus.add(
        Case::blocks("12 open of a FIFO", "/file/open", FILE, &OPEN)
            .call("corpus-fifo")
            .needs(fifo),
        get(open),
    );
    corpus.add(
        Case::blocks("12 fsync", "/file/fsync", FILE, &SYNC)
            .call("corpus-synced")
            .needs(is_fsync_slow()),
        get(sync),
    );
}

fn scratch(name: &str) -> PathBuf {
    let process = std::process::id();
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{process}"))
}

/// A pipe with a name, empty when nobody writes to it.
pub(crate) fn fifo() -> PathBuf {
    scratch("corpus-fifo")
}

pub(crate) fn make_fifo(path: &Path) -> Result<(), String> {
    let _ = fs::remove_file(path);
    match Command::new("mkfifo").arg(path).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("mkfifo: {status}")),
        Err(error) => Err(format!("mkfifo: {error}")),
    }
}

pub(crate) fn locked() -> PathBuf {
    scratch("corpus-locked")
}

/// Removes what cases have left.
pub(crate) fn clean() {
    let _ = fs::remove_file(fifo());
    let _ = fs::remove_file(locked());
    let _ = fs::remove_file(scratch("corpus-synced"));
}

/// Makes a FIFO a file of one line that takes [`BLOCK`] to come.
pub(crate) fn write_late(path: PathBuf) {
    aside_later(move || File::create(path).and_then(|mut file| file.write_all(b"late")));
}

static READ: At = at!("read");

async fn read() -> String {
    real_await().await;
    // Both ends: opening it does not wait.
    let mut file = File::options().read(true).write(true).open(fifo()).unwrap();
    write_late(fifo());
    let watch = Watch::start();
    let mut bytes = [0; 4];
    let result = here!(READ, file.read_exact(&mut bytes));
    watch.end_by_other(expect(result.map(|()| bytes), b"late"))
}

static OPEN: At = at!("open");

async fn open() -> String {
    real_await().await;
    write_late(fifo());
    let watch = Watch::start();
    let file = here!(OPEN, File::open(fifo()));
    let mut text = String::new();
    let result = file.and_then(|mut file| file.read_to_string(&mut text));
    watch.end_by_other(expect(result.map(|_| text), &"late".to_owned()))
}

/// Enough for a disk to have something to do.
const CHUNK: &[u8] = &[1; 1 << 20];

static SYNC: At = at!("sync");

async fn sync() -> String {
    let file = File::create(scratch("corpus-synced")).unwrap();
    real_await().await;
    let watch = Watch::start();
    while watch.elapsed() < BLOCK {
        file.write_all_at(CHUNK, 0).unwrap();
        here!(SYNC, file.sync_all().unwrap());
    }
    watch.end(BLOCK, FINE)
}

/// Where nothing is written to a disk it does not block.
fn is_fsync_slow() -> Result<(), String> {
    const ROUNDS: u32 = 20;
    let timed = || -> std::io::Result<Duration> {
        let file = File::create(scratch("corpus-synced"))?;
        let mut synced = Duration::ZERO;
        for _ in 0..ROUNDS {
            file.write_all_at(CHUNK, 0)?;
            let started = Instant::now();
            file.sync_all()?;
            synced += started.elapsed();
        }
        Ok(synced / ROUNDS)
    };
    match timed() {
        Ok(time) if time > Duration::from_micros(200) => Ok(()),
        Ok(time) => Err(format!("an fsync takes {time:?} here")),
        Err(error) => Err(error.to_string()),
    }
}
