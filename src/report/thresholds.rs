use super::judgement::{self, threshold, threshold_word};
use super::styled_text::{Line, StyledText};
use crate::core::threshold::{JudgedThreshold, Met};

/// Each threshold with what was measured; `None` without any. `stopped_by` is the one, by its place, that stopped the
/// run.
pub fn thresholds(thresholds: &[JudgedThreshold], stopped_by: Option<usize>) -> Option<StyledText> {
    let tone = judgement::thresholds(thresholds)?.tone;
    let width = |text: &dyn Fn(&JudgedThreshold) -> &str| {
        let widths = thresholds.iter().map(|one| text(one).chars().count());
        widths.max().unwrap_or(0).min(NAME)
    };
    let (of_met, of_text) = (
        width(&|one| threshold_word(one.met)),
        width(&|one| &one.text),
    );
    let mut text = StyledText::default();
    text.blank();
    text.push(Line::sentence("Thresholds: ", 2).then_toned(tone, &all(thresholds)));
    for (place, one) in thresholds.iter().enumerate() {
        let (judged, measured) = (threshold(one.met), &one.measured);
        let blanks = " ".repeat(of_met.saturating_sub(judged.text.chars().count()));
        let line = Line::sentence("  ", 6).then_toned(judged.tone, &judged.text);
        let mut line = line.then(&format!("{blanks}  {:of_text$}  {measured}", one.text));
        if stopped_by == Some(place) {
            line = line.then("; this stopped the run");
        }
        text.push(line);
    }
    Some(text)
}

/// The most characters of a threshold that the others are aligned with.
const NAME: usize = 40;

fn all(thresholds: &[JudgedThreshold]) -> String {
    let of = thresholds.len();
    let count = |met| thresholds.iter().filter(|one| one.met == met).count();
    let others = [
        Met::Missed,
        Met::Unsupported,
        Met::NothingSeen,
        Met::Unknown,
        Met::Deferred,
    ];
    let others = others.map(|met| (met, count(met)));
    let others = others.into_iter().filter(|(_, count)| *count > 0);
    let others: Vec<_> = others
        .map(|(met, count)| format!("{count} of {of} {}", threshold_word(met)))
        .collect();
    if !others.is_empty() {
        return others.join(", ");
    }
    match of {
        1 => "met".to_owned(),
        of => format!("all {of} met"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str, met: Met, measured: &str) -> JudgedThreshold {
        JudgedThreshold {
            text: text.to_owned(),
            met,
            measured: measured.to_owned(),
        }
    }

    #[test]
    fn thresholds_read_as_documented() {
        let missed = one("failed.rate < 0.1%", Met::Missed, "0.420 % (42 of 10000)");
        let met = one("latency.p99 < 50ms", Met::Met, "1.23 ms");
        let unseen = one("tls.max < 1s", Met::NothingSeen, "nothing");
        assert_eq!(thresholds(&[], None), None);
        let thresholds = |all: &[_], stopped_by| {
            let text = super::thresholds(all, stopped_by);
            text.unwrap().to_string()
        };
        assert_eq!(
            thresholds(std::slice::from_ref(&met), None),
            "\nThresholds: met\n  met  latency.p99 < 50ms  1.23 ms"
        );
        let two = [met.clone(), met.clone()];
        let two = thresholds(&two, None);
        assert!(two.starts_with("\nThresholds: all 2 met\n"), "{two}");
        let expected = "
Thresholds: 1 of 3 missed, 1 of 3 nothing measured
  met               latency.p99 < 50ms  1.23 ms
  missed            failed.rate < 0.1%  0.420 % (42 of 10000); this stopped the run
  nothing measured  tls.max < 1s        nothing";
        assert_eq!(thresholds(&[met, missed, unseen], Some(1)), expected);
    }
}
