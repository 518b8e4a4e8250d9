//! What becomes of requests and runs over https to a certificate that `--insecure` lets pass.

#[path = "suite/outcomes.rs"]
mod outcomes;
#[path = "suite/shutdown.rs"]
mod shutdown;

use crate::support::carrier::Carrier;

const OVER: Carrier = Carrier::HttpsInsecure;
