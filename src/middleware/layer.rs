use std::borrow::Cow;
use std::sync::Arc;

use tower_layer::Layer;

use super::RuntimeHealthService;
use crate::instance::KeepAlive;
use crate::route::{AutoRoute, RequestHead, RouteFn};

/// Puts [`RuntimeHealthService`] around a service; made by
/// [`RuntimeHealth::layer`](crate::RuntimeHealth::layer).
///
/// Two ways to put it on:
///
/// - `Router::layer(health.layer())`: inside axum's routing, so that routes are
///   known by their `MatchedPath`. axum boxes each layered route, which costs
///   more than the layer itself.
/// - around any whole service (`ServiceBuilder`, tonic's `Server::builder().layer`,
///   a hyper service): cheaper; name the routes with [`route_by`](Self::route_by)
///   where they are not gRPC.
///
/// A layer inside another one of the same `RuntimeHealth` steps back: the outer
/// one counts the request and times its polls.
#[derive(Clone, Debug)]
pub struct RuntimeHealthLayer<R = AutoRoute> {
    keep_alive: Arc<KeepAlive>,
    route: R,
}

impl RuntimeHealthLayer {
    pub(crate) fn new(keep_alive: Arc<KeepAlive>) -> Self {
        Self {
            keep_alive,
            route: AutoRoute::new(),
        }
    }
}

impl<R> RuntimeHealthLayer<R> {
    /// Names routes by a function instead of [`AutoRoute`].
    ///
    /// The function must give templates, not raw paths: see
    /// [`RouteLabel`](crate::RouteLabel).
    ///
    /// ```
    /// # use tower_runtime_health::{RuntimeHealth, RequestHead};
    /// # use std::borrow::Cow;
    /// # #[tokio::main] async fn main() -> Result<(), tower_runtime_health::Error> {
    /// # let health = RuntimeHealth::builder().start()?;
    /// let layer = health.layer().route_by(|head| match head.uri().path() {
    ///     "/" => Some("/".into()),
    ///     path if path.starts_with("/users/") => Some("/users/{id}".into()),
    ///     _ => None,
    /// });
    /// # drop(layer); Ok(()) }
    /// ```
    pub fn route_by<F>(self, route: F) -> RuntimeHealthLayer<RouteFn<F>>
    where
        F: for<'r> Fn(RequestHead<'r>) -> Option<Cow<'r, str>> + Clone,
    {
        RuntimeHealthLayer {
            keep_alive: self.keep_alive,
            route: RouteFn(route),
        }
    }
}

impl<S, R: Clone> Layer<S> for RuntimeHealthLayer<R> {
    type Service = RuntimeHealthService<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        RuntimeHealthService::new(inner, Arc::clone(&self.keep_alive), self.route.clone())
    }
}
