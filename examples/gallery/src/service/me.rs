//! Row 16: an extractor that decodes a token, on the blocking pool and inline.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tower_runtime_health::spawn_blocking;

#[derive(Deserialize, Serialize)]
pub struct Claims {
    pub sub: String,
    pub admin: bool,
}

impl Claims {
    /// Encodes the claims as a token for the extractors.
    pub fn to_token(&self) -> String {
        let claims = json!({ "sub": self.sub, "admin": self.admin }).to_string();
        URL_SAFE_NO_PAD.encode(claims)
    }

    fn decode(token: &str) -> Option<Self> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()
    }
}

/// Claims decoded on the blocking pool, and how long that took.
pub struct OnPool(Claims, Duration);
/// Claims decoded inline, and how long that took.
pub struct Inline(Claims, Duration);

impl<S: Sync> FromRequestParts<S> for OnPool {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let started = Instant::now();
        let token = token(parts)?.to_owned();
        let claims = spawn_blocking(move || Claims::decode(&token)).await;
        let claims = claims.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        let claims = claims.ok_or(StatusCode::UNAUTHORIZED)?;
        Ok(Self(claims, started.elapsed()))
    }
}

impl<S: Sync> FromRequestParts<S> for Inline {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let started = Instant::now();
        let claims = Claims::decode(token(parts)?).ok_or(StatusCode::UNAUTHORIZED)?;
        Ok(Self(claims, started.elapsed()))
    }
}

fn token(parts: &Parts) -> Result<&str, StatusCode> {
    let header = parts.headers.get(AUTHORIZATION);
    let header = header.and_then(|header| header.to_str().ok());
    let token = header.and_then(|header| header.strip_prefix("Bearer "));
    token.ok_or(StatusCode::UNAUTHORIZED)
}

pub async fn pool(OnPool(claims, took): OnPool) -> Json<serde_json::Value> {
    response(&claims, took)
}

pub async fn inline(Inline(claims, took): Inline) -> Json<serde_json::Value> {
    response(&claims, took)
}

fn response(claims: &Claims, took: Duration) -> Json<serde_json::Value> {
    let took = took.as_nanos() as u64;
    Json(json!({ "me": claims.sub, "admin": claims.admin, "extractor_ns": took }))
}
