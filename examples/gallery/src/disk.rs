//! Files on a slow disk: pipes with names, which a thread answers after a while.
//!
//! A reader opens one, waits as for any file that is slow, and reads it to its end. A read
//! of a pipe blocks as one of a disk or of a network file system does, and needs no
//! privileges to set up.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode};
use tempfile::TempDir;

/// How many files there are: that many can be read at once.
pub const FILES: usize = 8;
const TEXT: &str = "the report\n";

pub struct Disk {
    folder: TempDir,
}

impl Disk {
    /// Starts one thread for each file. They end with the process; each waits for a reader.
    pub fn start(work: Duration) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("gallery-").tempdir()?;
        for file in 0..FILES {
            let path = folder.path().join(format!("report-{file}"));
            make_pipe(&path)?;
            std::thread::Builder::new()
                .name("gallery-disk".into())
                .spawn(move || {
                    // The folder is gone when the gallery ends.
                    while serve(&path, work).is_ok() {}
                })?;
        }
        Ok(Self { folder })
    }

    /// The file of this name, if there is one.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        let number: usize = name.strip_prefix("report-")?.parse().ok()?;
        (number < FILES).then(|| self.folder.path().join(format!("report-{number}")))
    }
}

/// One read.
fn serve(path: &Path, work: Duration) -> io::Result<()> {
    // Waits for a reader.
    let mut pipe = OpenOptions::new().write(true).open(path)?;
    std::thread::sleep(work);
    // A new pipe in the old one's place first: whoever opens it from now on gets an answer
    // of its own, and this one's reader sees the end of the file.
    let next = path.with_extension("next");
    make_pipe(&next)?;
    std::fs::rename(&next, path)?;
    match pipe.write_all(TEXT.as_bytes()) {
        // The reader went away.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn make_pipe(path: &Path) -> io::Result<()> {
    let mode = Mode::RUSR | Mode::WUSR;
    Ok(rustix::fs::mknodat(CWD, path, FileType::Fifo, mode, 0)?)
}
