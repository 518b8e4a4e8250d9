//! What becomes of requests and runs over https to a certificate that `--insecure` lets pass.

mod support;

#[path = "suite/outcomes.rs"]
mod outcomes;
#[path = "suite/shutdown.rs"]
mod shutdown;

use support::carrier::Carrier;

const OVER: Carrier = Carrier::HttpsInsecure;
