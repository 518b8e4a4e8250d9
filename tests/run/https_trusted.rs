//! The claims of the suite about requests and their times, over https with a certificate that `--ca-cert` names.

#[path = "suite/names.rs"]
mod names;
#[path = "suite/open_loop.rs"]
mod open_loop;
#[path = "suite/wire.rs"]
mod wire;

use crate::support::carrier::Carrier;

const OVER: Carrier = Carrier::HttpsTrusted;
