use std::borrow::Cow;

use http::{Extensions, HeaderMap, Method, Request, Uri};

use super::grpc;

/// What of a request can be seen to name its route. Not the body.
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

    /// The request's method.
    pub fn method(&self) -> &'r Method {
        self.method
    }

    /// The request's target.
    pub fn uri(&self) -> &'r Uri {
        self.uri
    }

    /// The request's headers.
    pub fn headers(&self) -> &'r HeaderMap {
        self.headers
    }

    /// What routers and middleware outside of the layer left with the request.
    pub fn extensions(&self) -> &'r Extensions {
        self.extensions
    }
}

/// Names the route of a request, for the label `route`.
///
/// The name has to be a *template* (`/users/{id}`), never the path a client
/// sent: each name is a set of time series. `None` gives `<unmatched>`. However
/// wrong an implementation is, there are never more names than
/// [`max_routes`](crate::Builder::max_routes); the rest gives `<overflow>`.
///
/// Called once a request, in `Service::call`; it should take well below a
/// microsecond and must not block. It may borrow from the request.
///
/// Sealed: implemented by [`AutoRoute`] and, through
/// [`RuntimeHealthLayer::route_by`](crate::RuntimeHealthLayer::route_by), by functions.
pub trait RouteLabel: sealed::Sealed + Clone {
    #[doc(hidden)]
    fn find<'r>(&self, head: RequestHead<'r>) -> Found<'r>;
}

/// How far a route is known when its request arrives.
#[derive(Debug)]
pub enum Found<'r> {
    /// This is its template.
    Template(Cow<'r, str>),
    /// A router's template. The path of a gRPC request may say more if it ends
    /// in a wildcard: see [`resolve`](Self::resolve), not needed where it is
    /// known to be none.
    Matched {
        template: &'r str,
        head: RequestHead<'r>,
    },
    /// The path of a gRPC request: a label if the service turns out to serve
    /// it; `otherwise` until then.
    GrpcPath {
        path: &'r str,
        otherwise: Option<&'r str>,
    },
    /// Nothing names it.
    Unmatched,
}

/// The default: axum's `MatchedPath` (feature `axum`), else the method path of
/// a gRPC request, else `<unmatched>`.
///
/// Where `MatchedPath` ends in a wildcard (`/grpc.health.v1.Health/{*rest}`)
/// the method path of a gRPC request says more, and is preferred. A method path
/// becomes a label after the service first answered it with something else
/// than `UNIMPLEMENTED`; the requests before that are `<unmatched>`, or under
/// the wildcard template.
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

/// Whether a template ends in a wildcard, as `/{*rest}` does: it can have one
/// nowhere else.
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

/// A route named by a function; made by
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
