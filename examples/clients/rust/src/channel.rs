//! A tonic channel that keeps a service's contract.

// snippet: begin
use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use tokio::net::lookup_host;
use tonic::transport::channel::Change;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

#[derive(Clone, Deserialize)]
pub struct Contract {
    target_uri: String,
    host: String,
    port: u16,
    tls: bool,
    pub service_config: Option<String>,
    keepalive_time_seconds: Option<f64>,
    keepalive_timeout_seconds: Option<f64>,
    min_resolution_interval_seconds: Option<f64>,
    pub max_message_bytes: Option<usize>,
}

/// A channel to every Envoy of the service: each look-up adds the new ones and removes those that
/// are gone. A removed one finishes its calls. An Envoy is chosen at random for each call (tower's
/// p2c, with equal loads); tonic has no round_robin. Call it in tokio's runtime.
fn balanced(contract: Contract, ca: Option<String>) -> Channel {
    let (channel, changes) = Channel::balance_channel(64);
    tokio::spawn(async move {
        let target = contract.target_uri.trim_start_matches("dns:///");
        let seconds = contract.min_resolution_interval_seconds.unwrap_or(30.0);
        let mut looks = tokio::time::interval(Duration::from_secs_f64(seconds));
        let mut known = HashSet::new();
        loop {
            looks.tick().await;
            let Ok(found) = lookup_host(target).await else { continue }; // those known stay
            let found: HashSet<SocketAddr> = found.collect();
            let gone = known.difference(&found).map(|at| Change::Remove(*at));
            let new = found
                .difference(&known)
                .map(|at| Change::Insert(*at, endpoint(&contract, &at.to_string(), ca.as_deref())));
            for change in gone.chain(new) {
                if changes.send(change).await.is_err() {
                    return; // nobody holds the channel any more
                }
            }
            known = found;
        }
    });
    channel
}

/// One address of the service; panics if the contract's host or the certificates cannot be read.
/// The :authority and the certificate's name are the contract's.
fn endpoint(contract: &Contract, address: &str, ca: Option<&str>) -> Endpoint {
    let scheme = if contract.tls { "https" } else { "http" };
    let origin = format!("{scheme}://{}:{}", contract.host, contract.port);
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))
        .expect("the target is host:port")
        .origin(origin.parse().expect("the host is a DNS name"));
    if contract.tls {
        let trusted = ClientTlsConfig::new().domain_name(&contract.host);
        let trusted = match ca {
            Some(pem) => trusted.ca_certificate(Certificate::from_pem(pem)),
            None => trusted.with_native_roots(),
        };
        endpoint = endpoint.tls_config(trusted).expect("the certificates are PEM");
    }
    // Pings are sent with calls in flight only. tonic sets no TCP_USER_TIMEOUT: a silent Envoy is
    // left after the sum of both times.
    if let Some(seconds) = contract.keepalive_time_seconds {
        endpoint = endpoint.http2_keep_alive_interval(Duration::from_secs_f64(seconds));
    }
    if let Some(seconds) = contract.keepalive_timeout_seconds {
        endpoint = endpoint.keep_alive_timeout(Duration::from_secs_f64(seconds));
    }
    endpoint
}
// snippet: end

/// Balanced if the service config asks for it. Else what tonic does by itself: one connection, to
/// the first address that accepts one. The name is looked up for each connection.
pub fn open(contract: Contract, ca: Option<String>) -> Channel {
    match &contract.service_config {
        Some(config) if config.contains("round_robin") => balanced(contract, ca),
        _ => {
            let target = contract.target_uri.trim_start_matches("dns:///");
            endpoint(&contract, target, ca.as_deref()).connect_lazy()
        }
    }
}
