use std::borrow::Cow;
use std::sync::Arc;

use tower_layer::Layer;

use super::RuntimeHealthService;
use crate::instance::KeepAlive;
use crate::route::{AutoRoute, RequestHead, RouteFn};

/// Wraps a service in [`RuntimeHealthService`]. Created by
/// [`RuntimeHealth::layer`](crate::RuntimeHealth::layer).
///
/// There are two ways to apply it:
///
/// - `Router::layer(health.layer())` applies it inside axum's routing. Routes are
///   then known by their `MatchedPath`. axum boxes each layered route, which costs
///   more than the layer itself.
/// - `ServiceBuilder`, tonic's `Server::builder().layer` or a hyper service apply it
///   around a whole service. This is cheaper. Routes other than gRPC methods must be
///   named with [`route_by`](Self::route_by).
///
/// When layers of one `RuntimeHealth` are nested, only the outermost records.
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
///
/// use http::{Request, Response};
/// use tower::{ServiceBuilder, ServiceExt};
/// use tower_runtime_health::RuntimeHealth;
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let health = RuntimeHealth::builder().start()?;
/// let service = ServiceBuilder::new()
///     .layer(health.layer().route_by(|_| Some("/hello".into())))
///     .service_fn(|_: Request<String>| async {
///         Ok::<_, Infallible>(Response::new("hello".to_owned()))
///     });
///
/// let response = service.oneshot(Request::new(String::new())).await?;
/// assert_eq!(response.body().get_ref(), "hello");
/// # Ok(()) }
/// ```
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
    /// Sets a function that names routes, in place of [`AutoRoute`].
    ///
    /// The function must return templates, not raw paths: see
    /// [`RouteLabel`](crate::RouteLabel).
    ///
    /// # Examples
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
