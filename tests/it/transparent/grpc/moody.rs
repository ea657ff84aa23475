//! A gRPC service that refuses, fails, panics or never answers.

use std::pin::Pin;

use futures_util::Stream;
use futures_util::stream::{self, StreamExt};
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// Answers in the way that the requested service's name says.
pub(crate) struct Moody;

pub(crate) type Watched = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Health for Moody {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match request.get_ref().service.as_str() {
            "never" => std::future::pending().await,
            "panics" => std::panic::resume_unwind(Box::new("on purpose")),
            "refuses" => {
                let mut status = Status::permission_denied("not \u{fc}ber here");
                let metadata = status.metadata_mut();
                metadata.insert("x-why", "because".parse().unwrap());
                metadata.insert_bin("x-why-bin", MetadataValue::from_bytes(b"\0\xff"));
                Err(status)
            }
            _ => {
                let mut response = Response::new(HealthCheckResponse { status: 7 });
                let metadata = response.metadata_mut();
                metadata.insert("x-more", "yes".parse().unwrap());
                Ok(response)
            }
        }
    }

    type WatchStream = Watched;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Watched>, Status> {
        let first = stream::iter((0..3).map(|status| Ok(HealthCheckResponse { status })));
        let then: Watched = match request.get_ref().service.as_str() {
            "never" => stream::pending().boxed(),
            "fails" => stream::iter([Err(Status::data_loss("midway"))]).boxed(),
            _ => stream::empty().boxed(),
        };
        Ok(Response::new(first.chain(then).boxed()))
    }
}
