//! Common ways to write a handler, good and bad, as a running service with the layer on.
//!
//! ```text
//! cargo run --release -p gallery
//! ```

use std::process::ExitCode;

fn main() -> ExitCode {
    match gallery::options::parse().and_then(gallery::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gallery: {}", gallery::with_sources(&*error));
            ExitCode::FAILURE
        }
    }
}
