use std::borrow::Cow;
use std::sync::Arc;

use tower_layer::Layer;

use super::HealthService;
use crate::health::Owner;
use crate::route::{AutoRoute, RequestHead, RouteFn};

/// Puts [`HealthService`] around a service; made by
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
pub struct HealthLayer<R = AutoRoute> {
    owner: Arc<Owner>,
    route: R,
}

impl HealthLayer {
    pub(crate) fn new(owner: Arc<Owner>) -> Self {
        Self {
            owner,
            route: AutoRoute::new(),
        }
    }
}

impl<R> HealthLayer<R> {
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
    pub fn route_by<F>(self, route: F) -> HealthLayer<RouteFn<F>>
    where
        F: for<'r> Fn(RequestHead<'r>) -> Option<Cow<'r, str>> + Clone,
    {
        HealthLayer {
            owner: self.owner,
            route: RouteFn(route),
        }
    }
}

impl<S, R: Clone> Layer<S> for HealthLayer<R> {
    type Service = HealthService<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        HealthService::new(inner, Arc::clone(&self.owner), self.route.clone())
    }
}
