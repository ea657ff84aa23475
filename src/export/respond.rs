use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;

use super::collect::render;
use super::findings;
use crate::state::State;

const TEXT: &str = "text/plain; charset=utf-8";
/// Prometheus' text format. The version is that of the format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const JSON: &str = "application/json";
#[cfg(feature = "flamegraph")]
const SVG: &str = "image/svg+xml";
const HTML: &str = "text/html; charset=utf-8";

const INDEX: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width\"><title>runtime health</title>\
<h1>Runtime health</h1><ul>\
<li><a href=\"/metrics\">/metrics</a>: for Prometheus</li>\
<li><a href=\"/findings\">/findings</a>: which handlers block the executor (JSON)</li>\
<li><a href=\"/findings/flamegraph.svg\">/findings/flamegraph.svg</a>: where their time went \
(feature <code>flamegraph</code>)</li>\
</ul></html>\n";

pub(super) fn respond<B>(state: &State, request: &Request<B>) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = plain(
            StatusCode::METHOD_NOT_ALLOWED,
            TEXT,
            "only GET and HEAD\n".into(),
        );
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let (content_type, page) = match request.uri().path() {
        "/metrics" => (METRICS, render(state)),
        "/findings" => (JSON, findings::document(state)),
        #[cfg(feature = "flamegraph")]
        "/findings/flamegraph.svg" => (SVG, super::flamegraph::svg(state)),
        "/" => (HTML, INDEX.to_owned()),
        _ => {
            let hint = "not found; try /metrics or /findings\n";
            return plain(StatusCode::NOT_FOUND, TEXT, hint.into());
        }
    };
    let mut response = match accepts_gzip(request.headers())
        .then(|| gzip(&page))
        .flatten()
    {
        Some(compressed) => {
            let mut response = plain(StatusCode::OK, content_type, compressed.into());
            let encoding = HeaderValue::from_static("gzip");
            response.headers_mut().insert(CONTENT_ENCODING, encoding);
            response
        }
        None => plain(StatusCode::OK, content_type, page.into()),
    };
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn plain(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn gzip(page: &str) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(page.len() / 8), Compression::fast());
    encoder.write_all(page.as_bytes()).ok()?;
    encoder.finish().ok()
}

/// Returns whether a client accepts gzip (RFC 9110, 12.5.3). A quality of 0 refuses a coding.
/// A coding's own entry takes precedence over `*`.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let codings = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let (mut named, mut any) = (None, None);
    for coding in codings {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let quality = parts
            .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
            .map_or(Some(1.0), |quality| quality.trim().parse::<f32>().ok());
        let accepted = quality.is_some_and(|quality| quality > 0.0);
        if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
            named = Some(accepted);
        } else if name == "*" {
            any = Some(accepted);
        }
    }
    named.or(any).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_used_when_it_is_accepted() {
        let accepts = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, value.parse().unwrap());
            accepts_gzip(&headers)
        };
        for yes in [
            "gzip",
            "deflate, GZIP;q=0.5",
            "*",
            "br;q=0, gzip",
            "gzip; q=0.1",
            "x-gzip",
        ] {
            assert!(accepts(yes), "{yes}");
        }
        for no in [
            "",
            "deflate",
            "gzip;q=0",
            "*;q=0",
            "gzip;q=0.000, *",
            "gzip;q=x",
        ] {
            assert!(!accepts(no), "{no}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
