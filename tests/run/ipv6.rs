//! The claims of the suite, over http to an IPv6 address.

#[path = "suite/open_loop.rs"]
mod open_loop;
#[path = "suite/outcomes.rs"]
mod outcomes;
#[path = "suite/shutdown.rs"]
mod shutdown;
#[path = "suite/wire.rs"]
mod wire;

use crate::support::carrier::Carrier;

const OVER: Carrier = Carrier::Ipv6;
