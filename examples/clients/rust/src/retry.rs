//! Calls that no server has begun are made again: gRPC does so by itself (gRFC A6), tonic does not.
//!
//! tonic also calls an Envoy that it cannot connect to, once for each failed attempt:
//! <https://github.com/grpc/grpc-rust/issues/2839>.

use std::error::Error;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;
use tonic::{ConnectError, Request, Response, Status, TimeoutExpired};

use crate::channel::Contract;

/// Until when, and how often, a call is made.
#[derive(Clone)]
pub struct Policy {
    deadline: Option<Duration>,
    attempts: usize,
}

impl Policy {
    /// The timeout of the contract's service config, which tonic does not read. Without a service
    /// config there are no retries.
    pub fn of(contract: &Contract) -> Policy {
        let Some(config) = &contract.service_config else {
            return Policy { deadline: None, attempts: 1 };
        };
        let config: Value = serde_json::from_str(config).expect("a service config is JSON");
        let seconds = config["methodConfig"][0]["timeout"].as_str().map(|text| {
            text.trim_end_matches('s').parse().expect("a timeout is in seconds: 14.500s")
        });
        Policy { deadline: seconds.map(Duration::from_secs_f64), attempts: 5 }
    }

    /// Make a call until a server begins it.
    pub async fn call<M: Clone, R, F: Future<Output = Result<Response<R>, Status>>>(
        &self,
        message: M,
        method: impl Fn(Request<M>) -> F,
    ) -> Result<R, Status> {
        let answer = async {
            let mut left = self.attempts;
            loop {
                let mut request = Request::new(message.clone());
                if let Some(deadline) = self.deadline {
                    request.set_timeout(deadline); // told to the server
                }
                left -= 1;
                match method(request).await {
                    Err(status) if left > 0 && refused(&status) => {}
                    answer => return answer.map(Response::into_inner),
                }
            }
        };
        // The channel's own timeout reports CANCELLED, and leaves out the wait for a connection.
        match timeout(self.deadline.unwrap_or(Duration::MAX), answer).await {
            Ok(Err(status)) if causes(&status).any(|error| error.is::<TimeoutExpired>()) => None,
            Ok(answer) => Some(answer),
            Err(_) => None,
        }
        .unwrap_or_else(|| Err(Status::deadline_exceeded("the deadline has passed")))
    }
}

/// No server has begun the call: it found no connection, or a GOAWAY or a reset refused its stream.
fn refused(status: &Status) -> bool {
    causes(status).any(|error| {
        let unsent = error.downcast_ref().is_some_and(hyper::Error::is_canceled);
        let turned_away = error.downcast_ref().is_some_and(|error: &h2::Error| {
            let goes_away = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
            error.is_remote() && (goes_away || error.reason() == Some(h2::Reason::REFUSED_STREAM))
        });
        unsent || turned_away || error.is::<ConnectError>()
    })
}

fn causes(status: &Status) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(status.source(), |&error| error.source())
}
