//! The claims of the suite, over http to a name that has several addresses.

#[path = "suite/addresses.rs"]
mod addresses;
#[path = "suite/open_loop.rs"]
mod open_loop;
#[path = "suite/outcomes.rs"]
mod outcomes;
#[path = "suite/shutdown.rs"]
mod shutdown;
#[path = "suite/wire.rs"]
mod wire;

use crate::support::carrier::Carrier;

const OVER: Carrier = Carrier::SeveralAddresses;
