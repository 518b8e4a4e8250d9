use crate::schedule::{Mode, Phase};

/// Announces a phase at its start.
pub fn phase_line(phase: &Phase) -> String {
    let mode = match phase.mode {
        Mode::Steady => "STEADY MODE",
        Mode::Burst => "BURST MODE",
    };
    let at = phase.start;
    let rate = phase.rate;
    match phase.end {
        Some(end) => format!("{mode} at {at}: {rate}/s for {}", end - at),
        None => format!("{mode} at {at}: {rate}/s"),
    }
}
