//! What SIGINT, SIGTERM and SIGHUP do.

use crate::stop::Stop;
use std::sync::Arc;

/// The first signal requests a stop; the second ends the process at once, with 128 and the
/// signal's number as its exit code (130 for SIGINT, 143 for SIGTERM).
pub fn install(stop: Arc<Stop>) -> anyhow::Result<()> {
    ctrlc::set_handler(move || stop.request())?;
    #[cfg(unix)]
    exit_on_the_second()?;
    Ok(())
}

/// Within the handler itself, which ctrlc's thread could not do any later and does not know the
/// signal's number for. These actions run after ctrlc's, in this order: leave if there was a
/// signal before, then note that there was one.
#[cfg(unix)]
fn exit_on_the_second() -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::flag;
    use std::sync::atomic::AtomicBool;
    let signalled = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        flag::register_conditional_shutdown(signal, 128 + signal, signalled.clone())?;
        flag::register(signal, signalled.clone())?;
    }
    Ok(())
}
