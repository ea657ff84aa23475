//! Row 20: a blocking call where it stands, once the worker has handed its queue over.

use super::App;

pub async fn sleeps(app: App) -> &'static str {
    tokio::task::block_in_place(|| std::thread::sleep(app.work));
    "done\n"
}
