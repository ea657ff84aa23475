//! gRPC method paths as route labels.
//!
//! The path of a gRPC request names its method (`/package.Service/Method`), so
//! it is a template by itself, but a client can send any path. A path becomes a
//! label only after the service has answered it with something else than
//! `UNIMPLEMENTED` (grpc-status 12), which is what an unknown method gets.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

/// The length limit of labels, in bytes: twice the longest path seen. Longer paths never
/// become labels.
const MAX_LEN: usize = 256;

/// Accepts `application/grpc`, `application/grpc+proto`, `application/grpc-web`, …
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    const PREFIX: &[u8] = b"application/grpc";
    headers.get(CONTENT_TYPE).is_some_and(|value| {
        value
            .as_bytes()
            .get(..PREFIX.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
    })
}

/// Accepts `/package.Service/Method`: two segments of printable ASCII.
pub(super) fn is_method_path(path: &str) -> bool {
    let Some((service, method)) = path.strip_prefix('/').and_then(|rest| rest.split_once('/'))
    else {
        return false;
    };
    let name = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
    };
    path.len() <= MAX_LEN && name(service) && name(method)
}

/// Returns whether this is the response of a gRPC method that exists.
pub(crate) fn serves(status: StatusCode, headers: &HeaderMap) -> bool {
    status == StatusCode::OK
        && is_grpc(headers)
        && headers
            .get("grpc-status")
            .is_none_or(|code| code.as_bytes() != b"12")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn only_method_paths_can_be_labels() {
        assert!(is_method_path("/grpc.health.v1.Health/Check"));
        for path in [
            "", "/", "/a", "/a/", "//b", "/a/b/c", "/a b/c", "/a/b%00", "a/b",
        ] {
            assert!(!is_method_path(path), "{path}");
        }
        assert!(!is_method_path(&format!("/a/{}", "x".repeat(MAX_LEN))));
    }

    #[test]
    fn an_unknown_method_is_not_served() {
        let mut headers = HeaderMap::new();
        assert!(!serves(StatusCode::OK, &headers));
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("Application/GRPC+proto"),
        );
        assert!(serves(StatusCode::OK, &headers));
        assert!(!serves(StatusCode::NOT_FOUND, &headers));
        headers.insert("grpc-status", HeaderValue::from_static("5"));
        assert!(serves(StatusCode::OK, &headers));
        headers.insert("grpc-status", HeaderValue::from_static("12"));
        assert!(!serves(StatusCode::OK, &headers));
    }
}
