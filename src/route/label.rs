use std::borrow::Cow;

use http::{Extensions, HeaderMap, Method, Request, Uri};

use super::grpc;

/// The parts of a request that a route name can be derived from: all but the body.
///
/// A function given to [`route_by`](crate::RuntimeHealthLayer::route_by) receives it.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'r> {
    method: &'r Method,
    uri: &'r Uri,
    headers: &'r HeaderMap,
    extensions: &'r Extensions,
}

impl<'r> RequestHead<'r> {
    pub(crate) fn new<B>(request: &'r Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }

    /// Returns the request's method.
    pub fn method(&self) -> &'r Method {
        self.method
    }

    /// Returns the request's target.
    pub fn uri(&self) -> &'r Uri {
        self.uri
    }

    /// Returns the request's headers.
    pub fn headers(&self) -> &'r HeaderMap {
        self.headers
    }

    /// Returns the request's extensions, as set by the routers and middleware outside
    /// the layer.
    pub fn extensions(&self) -> &'r Extensions {
        self.extensions
    }
}

/// Names the route of a request, for the label `route`.
///
/// The name must be a *template* (`/users/{id}`), never the path that a client
/// sent, because each name creates a set of time series. `None` becomes
/// `<unmatched>`. The number of names is limited to
/// [`max_routes`](crate::Builder::max_routes). Further names become `<overflow>`.
///
/// It is called once per request, in `Service::call`. It should take well below a
/// microsecond and must not block. The name may borrow from the request.
///
/// Sealed: implemented by [`AutoRoute`] and, through
/// [`RuntimeHealthLayer::route_by`](crate::RuntimeHealthLayer::route_by), by functions.
pub trait RouteLabel: sealed::Sealed + Clone {
    #[doc(hidden)]
    fn find<'r>(&self, head: RequestHead<'r>) -> Found<'r>;
}

/// What is known of a route when its request arrives.
#[derive(Debug)]
pub enum Found<'r> {
    /// The route's template.
    Template(Cow<'r, str>),
    /// A router's template. If it ends in a wildcard, the path of a gRPC request is
    /// more specific: see [`resolve`](Self::resolve). Other templates need not be
    /// resolved.
    Matched {
        template: &'r str,
        head: RequestHead<'r>,
    },
    /// The path of a gRPC request. It becomes a label once the service has served it.
    /// Until then the label is `otherwise`.
    GrpcPath {
        path: &'r str,
        otherwise: Option<&'r str>,
    },
    /// The route has no name.
    Unmatched,
}

/// The default way to name routes.
///
/// The name is axum's `MatchedPath` (feature `axum`), or else the method path of a
/// gRPC request, or else `<unmatched>`.
///
/// If `MatchedPath` ends in a wildcard (`/grpc.health.v1.Health/{*rest}`), the
/// method path of a gRPC request is more specific and takes precedence. A method
/// path becomes a label after the service has first answered it with a status other
/// than `UNIMPLEMENTED`. Earlier requests are counted as `<unmatched>`, or under the
/// wildcard template.
#[derive(Clone, Copy, Debug, Default)]
pub struct AutoRoute(());

impl AutoRoute {
    pub(crate) const fn new() -> Self {
        Self(())
    }
}

impl RouteLabel for AutoRoute {
    #[inline]
    fn find<'r>(&self, head: RequestHead<'r>) -> Found<'r> {
        match matched_path(head.extensions) {
            Some(template) => Found::Matched { template, head },
            None => grpc_path(head, None).unwrap_or(Found::Unmatched),
        }
    }
}

impl<'r> Found<'r> {
    /// A template, or the path of a gRPC request where the template is a
    /// wildcard.
    pub(crate) fn resolve(self) -> Self {
        let Self::Matched { template, head } = self else {
            return self;
        };
        is_wildcard(template)
            .then(|| grpc_path(head, Some(template)))
            .flatten()
            .unwrap_or(Found::Template(Cow::Borrowed(template)))
    }
}

fn grpc_path<'r>(head: RequestHead<'r>, otherwise: Option<&'r str>) -> Option<Found<'r>> {
    let path = head.uri.path();
    let is_grpc = grpc::is_grpc(head.headers) && grpc::is_method_path(path);
    is_grpc.then_some(Found::GrpcPath { path, otherwise })
}

/// Returns whether a template ends in a wildcard, as `/{*rest}` does. A wildcard is
/// always the last segment.
pub(crate) fn is_wildcard(template: &str) -> bool {
    let last = template.rsplit_once('/');
    last.is_some_and(|(_, segment)| segment.starts_with("{*"))
}

#[cfg(feature = "axum")]
#[inline]
fn matched_path(extensions: &Extensions) -> Option<&str> {
    extensions
        .get::<axum::extract::MatchedPath>()
        .map(axum::extract::MatchedPath::as_str)
}

#[cfg(not(feature = "axum"))]
fn matched_path(_: &Extensions) -> Option<&str> {
    None
}

/// Names routes with a function. Created by
/// [`RuntimeHealthLayer::route_by`](crate::RuntimeHealthLayer::route_by).
#[derive(Clone, Copy)]
pub struct RouteFn<F>(pub(crate) F);

impl<F> std::fmt::Debug for RouteFn<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RouteFn").finish_non_exhaustive()
    }
}

impl<F> RouteLabel for RouteFn<F>
where
    F: for<'r> Fn(RequestHead<'r>) -> Option<Cow<'r, str>> + Clone,
{
    #[inline]
    fn find<'r>(&self, head: RequestHead<'r>) -> Found<'r> {
        (self.0)(head).map_or(Found::Unmatched, Found::Template)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::AutoRoute {}
    impl<F> Sealed for super::RouteFn<F> {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_requests_are_named_by_their_path_and_others_are_not() {
        let grpc = Request::post("/pkg.Svc/Do")
            .header("content-type", "application/grpc")
            .body(())
            .unwrap();
        let found = AutoRoute::new().find(RequestHead::new(&grpc));
        assert!(
            matches!(
                found,
                Found::GrpcPath {
                    path: "/pkg.Svc/Do",
                    otherwise: None
                }
            ),
            "{found:?}"
        );
        let plain = Request::post("/pkg.Svc/Do").body(()).unwrap();
        let found = AutoRoute::new().find(RequestHead::new(&plain));
        assert!(matches!(found, Found::Unmatched), "{found:?}");
    }

    #[test]
    fn a_wildcard_is_the_last_segment() {
        for template in ["/{*rest}", "/a/{*rest}", "/a/{b}/{*c}"] {
            assert!(is_wildcard(template), "{template}");
        }
        for template in ["", "/", "/a", "/{a}", "/a/{b}", "a{*b}", "/{{*a}}"] {
            assert!(!is_wildcard(template), "{template}");
        }
    }

    #[test]
    fn a_function_may_borrow_from_the_request() {
        fn named<F>(f: F) -> RouteFn<F>
        where
            F: for<'r> Fn(RequestHead<'r>) -> Option<Cow<'r, str>> + Clone,
        {
            RouteFn(f)
        }
        let route = named(|head| head.uri().path().split('/').nth(1).map(Cow::Borrowed));
        let request = Request::get("/users/7").body(()).unwrap();
        let found = route.find(RequestHead::new(&request));
        assert!(
            matches!(&found, Found::Template(name) if name == "users"),
            "{found:?}"
        );
    }
}
