//! Row 12: slow files.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::routing::get;
use tokio::sync::oneshot;

use crate::case::{At, BLOCK, Case, Corpus, Watch, aside, aside_later, real_await};
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

/// A named pipe, which is empty unless something writes to it.
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

/// Removes the files of all cases.
pub(crate) fn clean() {
    let _ = fs::remove_file(fifo());
    let _ = fs::remove_file(locked());
    let _ = fs::remove_file(scratch("corpus-synced"));
}

/// Writes one line to the named pipe after [`BLOCK`].
pub(crate) fn write_late(path: PathBuf) {
    aside_later(move || File::create(path).and_then(|mut file| file.write_all(b"late")));
}

static READ: At = at!("read");

async fn read() -> String {
    real_await().await;
    // Opened for reading and writing, so that opening does not block.
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

const MIB: &[u8] = &[1; 1 << 20];

/// The unit in which data is written until an fsync takes long enough.
static MIBS: AtomicU64 = AtomicU64::new(0);

static SYNC: At = at!("sync");

async fn sync() -> String {
    let (tell, told) = oneshot::channel();
    aside(move || tell.send(written(MIBS.load(Ordering::Relaxed)).unwrap()));
    let file = told.await.unwrap();
    let watch = Watch::start();
    let synced = here!(SYNC, file.sync_all());
    // The speed of a disk varies, so more is written than an fsync of [`BLOCK`] needs.
    watch.end(BLOCK / 2, synced)
}

/// A file on a file system in memory.
fn written(mibs: u64) -> std::io::Result<File> {
    let mut options = File::options();
    let path = scratch("corpus-synced");
    let file = options
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    for index in 0..mibs {
        file.write_all_at(MIB, index << 20)?;
    }
    Ok(file)
}

/// Finds out how much data makes an fsync slow. Without a disk it does not block.
fn is_fsync_slow() -> Result<(), String> {
    const TRIED: u64 = 32;
    const MOST: u128 = 512;
    let timed = || -> std::io::Result<Duration> {
        let mut shortest = Duration::MAX;
        for _ in 0..3 {
            let file = written(TRIED)?;
            let started = Instant::now();
            file.sync_all()?;
            shortest = shortest.min(started.elapsed());
        }
        Ok(shortest)
    };
    let time = timed().map_err(|error| error.to_string())?;
    const ASKED: Duration = Duration::from_millis(90);
    let mibs = ASKED.as_micros() * u128::from(TRIED) / time.as_micros().max(1);
    if mibs > MOST {
        return Err(format!("an fsync of {TRIED} MiB takes {time:?} here"));
    }
    MIBS.store(mibs.max(1) as u64, Ordering::Relaxed);
    Ok(())
}
