//! Every way people write a handler, good and bad, as a running service, and what the
//! layer says of each.
//!
//! ```text
//! cargo run --release -p gallery
//! ```

use std::process::ExitCode;

fn main() -> ExitCode {
    match gallery::options::parse().and_then(gallery::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gallery: {error}");
            ExitCode::FAILURE
        }
    }
}
