use crate::core::schedule::{Phase, Shape};

/// Announces a phase at its start.
pub fn phase_line(phase: &Phase) -> String {
    let mode = phase.mode().headline();
    let (shape, at) = (phase.shape, phase.start);
    let begins = format!("{mode} at {at}: {shape}");
    match (shape, phase.length()) {
        (Shape::AtOnce(_), _) | (_, None) => begins,
        (Shape::Pause, Some(length)) => format!("{begins}for {length:#}"),
        (_, Some(length)) => format!("{begins} for {length:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Nanos;
    use crate::core::schedule::Rate;

    #[test]
    fn each_mode_says_when_it_begins_what_it_does_and_for_how_long() {
        let second = 1_000_000_000;
        let rate = |rps| Rate::per_second(rps).unwrap();
        let sine = Shape::Sine {
            mean: rate(100.0),
            amplitude: rate(50.0),
            period: Nanos(60 * second),
        };
        let ramp = Shape::Ramp {
            from: Rate::ZERO,
            to: rate(500.0),
        };
        for (shape, start, length, line) in [
            (
                Shape::Burst(rate(50.0)),
                30,
                Some(5),
                "BURST MODE at 30s: 50/s for 5s",
            ),
            (
                Shape::Steady(rate(10.0)),
                35,
                Some(25),
                "STEADY MODE at 35s: 10/s for 25s",
            ),
            (
                Shape::Steady(rate(0.5)),
                120,
                None,
                "STEADY MODE at 120s: 0.5/s",
            ),
            (ramp, 0, Some(120), "RAMP MODE at 0s: 0/s to 500/s for 2m"),
            (
                sine,
                9,
                Some(300),
                "SINE MODE at 9s: 100/s ± 50/s every 1m for 5m",
            ),
            (Shape::Pause, 180, Some(10), "PAUSE MODE at 180s: for 10s"),
            (
                Shape::AtOnce(2000),
                300,
                Some(0),
                "BURST MODE at 300s: 2000 at once",
            ),
        ] {
            let start = Nanos(start * second);
            let end = length.map(|length| start + Nanos(length * second));
            let phase = Phase {
                shape,
                start,
                end,
                count: None,
            };
            assert_eq!(phase_line(&phase), line);
        }
    }
}
