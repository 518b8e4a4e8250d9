//! The claims of the suite about outcomes and ends, over https with a certificate that only `--insecure` accepts.

#[path = "suite/outcomes.rs"]
mod outcomes;
#[path = "suite/shutdown.rs"]
mod shutdown;

use crate::support::carrier::Carrier;

const OVER: Carrier = Carrier::HttpsInsecure;
