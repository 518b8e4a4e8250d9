use crate::base::Nanos;
use crate::core::schedule::Phase;

/// The line that announces a phase at its start: `BURST MODE at 30s: 50/s for 5s`.
pub fn phase_line(phase: &Phase) -> String {
    let length = phase.length().filter(|length| *length > Nanos::ZERO);
    let length = length.map(|length| format!("for {length:#}"));
    let rate = Some(phase.rate()).filter(|rate| !rate.is_empty());
    let what: Vec<_> = rate.into_iter().chain(length).collect();
    let (mode, at) = (phase.mode().headline(), phase.start);
    format!("{mode} at {at}: {}", what.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::schedule::Profile;

    #[test]
    fn a_phase_line_gives_the_mode_its_start_its_rate_and_its_length() {
        let profile = "ramp 0/s to 500/s over 2m, sine 100/s ± 50/s every 1m for 5m, pause 10s, \
                       burst 2000 at once, burst 50/s for 5s, 10/s for 25s, 0.5/s";
        let profile: Profile = profile.parse().unwrap();
        let lines: Vec<_> = profile.phases().map(|phase| phase_line(&phase)).collect();
        let expected = [
            "RAMP MODE at 0s: 0/s to 500/s for 2m",
            "SINE MODE at 120s: 100/s ± 50/s every 1m for 5m",
            "PAUSE MODE at 420s: for 10s",
            "BURST MODE at 430s: 2000 at once",
            "BURST MODE at 430s: 50/s for 5s",
            "STEADY MODE at 435s: 10/s for 25s",
            "STEADY MODE at 460s: 0.5/s",
        ];
        assert_eq!(lines, expected);
    }
}
