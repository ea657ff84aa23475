//! Row 20: a blocking call on the worker, after tokio has moved the worker's queue to another
//! thread.

use super::App;

pub async fn sleeps(app: App) -> &'static str {
    tokio::task::block_in_place(|| std::thread::sleep(app.work));
    "done\n"
}
