//! The response that Prometheus reads.

use super::Response;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

/// The path of the metrics, by Prometheus's convention.
pub const METRICS_PATH: &str = "/metrics";

/// The response to a `GET` of [`METRICS_PATH`]: the registry in OpenMetrics 1.0 text, which Prometheus reads since its
/// version 2.5.
pub fn metrics_response(registry: &Registry) -> Response {
    const OPENMETRICS: HeaderValue =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    let mut exposition = String::new();
    text::encode(&mut exposition, registry).expect("a String takes everything");
    let mut response = Response::new(exposition.into_bytes());
    response.headers_mut().insert(CONTENT_TYPE, OPENMETRICS);
    response
}
