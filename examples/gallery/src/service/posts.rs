//! Rows 9 to 11: rows of a table from a slow database.
//!
//! Row 9 uses diesel. The crate `postgres` of row 11 panics in an async handler, because it
//! starts a runtime of its own, which is not possible inside another runtime.

use axum::Json;
use diesel::prelude::*;
use diesel::sql_types::{Double, Integer, Text};
use serde::Serialize;
use tower_runtime_health::spawn_blocking;

use super::{App, AppError, AppState, Result};
use crate::table::Needs;

/// Contains its own table, so that it needs none in the database.
const QUERY: &str = "SELECT id, title
    FROM (VALUES (1, 'Hold no lock'), (2, 'Await everything')) AS posts (id, title), pg_sleep($1)";

#[derive(QueryableByName, Serialize)]
pub struct Post {
    #[diesel(sql_type = Integer)]
    id: i32,
    #[diesel(sql_type = Text)]
    title: String,
}

type Posts = Json<Vec<Post>>;

pub async fn sync(app: App) -> Result<Posts> {
    let mut connection = PgConnection::establish(url(&app)?)?;
    let query = diesel::sql_query(QUERY).bind::<Double, _>(app.work.as_secs_f64());
    Ok(Json(query.load(&mut connection)?))
}

pub async fn awaited(app: App) -> Result<Posts> {
    let (client, connection) = tokio_postgres::connect(url(&app)?, tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    let rows = client.query(QUERY, &[&app.work.as_secs_f64()]).await?;
    Ok(Json(posts(&rows)))
}

pub async fn pool(app: App) -> Result<Posts> {
    let posts = spawn_blocking(move || -> Result<Vec<Post>> {
        let mut client = postgres::Client::connect(url(&app)?, postgres::NoTls)?;
        Ok(posts(&client.query(QUERY, &[&app.work.as_secs_f64()])?))
    });
    Ok(Json(posts.await??))
}

fn posts(rows: &[tokio_postgres::Row]) -> Vec<Post> {
    let post = |row: &tokio_postgres::Row| Post {
        id: row.get(0),
        title: row.get(1),
    };
    rows.iter().map(post).collect()
}

fn url(app: &AppState) -> Result<&str> {
    let url = app.postgres.as_deref();
    url.ok_or(AppError::Missing(Needs::Postgres))
}
