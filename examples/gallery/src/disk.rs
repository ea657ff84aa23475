//! Files on a slow disk, simulated by named pipes into which a thread writes after a delay.
//!
//! A read from a pipe blocks like a read from a slow disk or a network file system, and a pipe
//! needs no privileges.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode};
use tempfile::TempDir;

/// The number of files. A file has one reader at a time, so as many can be read at once.
pub const FILES: usize = 8;
const TEXT: &str = "the report\n";

pub struct Disk {
    folder: TempDir,
}

impl Disk {
    /// Starts a thread per file, which waits for readers. The threads end with the process.
    pub fn start(work: Duration) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("gallery-").tempdir()?;
        for file in 0..FILES {
            let path = folder.path().join(format!("report-{file}"));
            make_pipe(&path)?;
            std::thread::Builder::new()
                .name("gallery-disk".into())
                .spawn(move || {
                    // It fails when the folder is removed, at the end of the process.
                    while serve(&path, work).is_ok() {}
                })?;
        }
        Ok(Self { folder })
    }

    /// Returns the path of the file with this name.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        let number: usize = name.strip_prefix("report-")?.parse().ok()?;
        (number < FILES).then(|| self.folder.path().join(format!("report-{number}")))
    }
}

/// Serves one reader.
fn serve(path: &Path, work: Duration) -> io::Result<()> {
    // Blocks until a reader opens the pipe.
    let mut pipe = OpenOptions::new().write(true).open(path)?;
    std::thread::sleep(work);
    // Replaces the pipe before it writes: a later reader opens the new pipe, and this reader
    // gets the end of the file.
    let next = path.with_extension("next");
    make_pipe(&next)?;
    std::fs::rename(&next, path)?;
    match pipe.write_all(TEXT.as_bytes()) {
        // The reader is gone.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn make_pipe(path: &Path) -> io::Result<()> {
    let mode = Mode::RUSR | Mode::WUSR;
    Ok(rustix::fs::mknodat(CWD, path, FileType::Fifo, mode, 0)?)
}
