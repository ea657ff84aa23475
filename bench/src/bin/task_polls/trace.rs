//! dial9's recorder, which writes to disk as in the first example of its documentation.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use dial9::analysis::analysis_events::Dial9Event;
use dial9::format::Decoder;
use dial9::{Dial9HandleTokioExt, DiskBuffer, Recorder, TokioAttachOptions};
use tokio::runtime::{Builder, Runtime};

/// More than a process writes here, so that no segment is deleted before it is counted.
const MOST_ON_DISK: u64 = 256 << 20;

/// A recorder and the directory it writes to. The directory is removed on drop.
pub struct Trace {
    recorder: Option<Recorder>,
    directory: PathBuf,
}

impl Trace {
    /// Builds a runtime and records its tasks.
    pub fn attach(builder: Builder) -> io::Result<(Self, Runtime)> {
        let name = format!("task-polls-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory)?;
        let writer = DiskBuffer::builder()
            .base_path(&directory)
            .max_total_size(MOST_ON_DISK)
            .build()?;
        let recorder = dial9::recorder(writer).build();
        let options = TokioAttachOptions::builder()
            .task_tracking_enabled(true)
            .build();
        let runtime = recorder.handle().attach_tokio_runtime(builder, options)?;
        let trace = Self {
            recorder: Some(recorder),
            directory,
        };
        Ok((trace, runtime))
    }

    /// Ends the recording. Returns the polls and the wakes in the files.
    pub fn count(&mut self) -> io::Result<(u64, u64)> {
        if let Some(recorder) = self.recorder.take() {
            recorder.graceful_shutdown(Duration::from_secs(30));
        }
        let (mut polls, mut wakes) = (0, 0);
        for entry in fs::read_dir(&self.directory)? {
            let bytes = fs::read(entry?.path())?;
            let mut decoder = Decoder::new(&bytes).ok_or(io::ErrorKind::InvalidData)?;
            decoder
                .for_each_event(|event| match event.deserialize() {
                    Ok(Dial9Event::PollStartEvent(_)) => polls += 1,
                    Ok(Dial9Event::WakeEvent(_)) => wakes += 1,
                    _ => {}
                })
                .map_err(io::Error::other)?;
        }
        Ok((polls, wakes))
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // An error here has no remedy.
        let _ = fs::remove_dir_all(&self.directory);
    }
}
