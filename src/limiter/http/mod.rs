//! The limiter's HTTP interface: from a request to its response, without sockets.
//!
//! A node answers the checks of every limiter that has a preset in [`presets`](crate::core::presets), except nginx. How one
//! limiter's check is read and answered is its *shape*, a file in `shapes`. A request that gives no limit and window is
//! decided by the node's [`Policy`](super::Policy).
//!
//! | request | limiter | limit and window | response |
//! | --- | --- | --- | --- |
//! | `POST /check` | the node itself | the request's | 200 allowed, 429 blocked |
//! | `POST /json` | Envoy's ratelimit service | the node's | 200 allowed, 429 blocked |
//! | `POST /check_and_report` | Limitador | the node's | 200 allowed, 429 blocked |
//! | `POST /v1/GetRateLimits` | Gubernator | the request's | 200, the body tells |
//! | `POST /throttle` | throttlecrab-server | the request's | 200, the body tells |
//! | any method, `/` with `X-Key` | Kong | the node's | 200 allowed, 429 blocked |
//! | `GET`, `HEAD`, `OPTIONS`: `/health` | | | readiness: 200 while checks can be decided, 503 while the store fails |
//! | `GET`, `HEAD`, `OPTIONS`: `/live` | | | liveness: 200, whatever the store does |
//! | `OPTIONS /` without `X-Key`, `OPTIONS *` | HAProxy's check | | liveness |
//! | `GET /metrics`, `HEAD /metrics` | | | 200 with what [`metrics`](super::metrics) lists, in OpenMetrics text |
//!
//! All checks are decided by the node's algorithm; a shape does not imitate how the other limiter counts. Every check counts
//! one request. A request to count another number is refused, since a wrong count is worse than none. Different shapes
//! have different keys. Numbers in answers come from the [`Decision`](super::Decision), in each shape's own unit and rounded
//! up, so that a client that waits for so long has waited long enough; a reset is always
//! [`Decision::reset`](super::Decision::reset).
//!
//! A wrong path or method, and a body that is too large or broken, are refused in the node's own form: `{"error":"…"}` with
//! 404, 405 (with `Allow`), 413, 408 or 400. Each shape refuses everything else in its own form. The
//! [server](crate::system::http_server::HttpServer) itself refuses bytes that are not HTTP, in plain text.
//!
//! Under [`FailMode::Open`](super::FailMode::Open), a check is allowed while the store fails. The answer has the shape's own
//! form, promises nothing, and carries `X-RateLimit-Failure-Mode-Allowed: true` (the name that Envoy uses for its own failure
//! mode).

mod response;
mod service;
mod shapes;

pub(super) use service::{HEALTH_PATH, LIVE_PATH, Service};

use shapes::SHAPES;

/// The paths of the checks that a node answers.
pub fn check_paths() -> impl Iterator<Item = &'static str> {
    SHAPES.iter().map(|shape| shape.preset.path)
}

/// The names of the [`presets`](crate::core::presets) whose requests a node answers.
pub fn answerable_presets() -> impl Iterator<Item = &'static str> {
    SHAPES.iter().map(|shape| shape.preset.name)
}
