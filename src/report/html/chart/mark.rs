/// An instant that is marked by a line from the top of a chart to its bottom. Above it stands its number.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Seconds since the schedule's start.
    pub at: f64,
    /// From 1. Marks are in the order of their instants.
    pub number: usize,
    pub name: String,
}

/// The label of one or more marks that are too near to each other for labels of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct MarkLabel {
    /// Where it begins, as a share of the chart's width.
    pub left: f64,
    /// Such as `3` or `3–5`.
    pub text: String,
    /// The names of its marks.
    pub names: String,
}

/// The widths of a character and of the space between two labels, as shares of the narrowest chart.
const CHARACTER: f64 = 8.0 / 220.0;
const SPACE: f64 = 5.0 / 220.0;

/// The most characters of the names of a label.
const NAMES: usize = 300;

/// The labels of marks at these places, from 0 to 1, so that none overlaps the next one even on a narrow screen.
pub fn labels(marks: &[(f64, &Mark)]) -> Vec<MarkLabel> {
    let mut labels: Vec<(f64, Vec<&Mark>)> = Vec::new();
    for (place, mark) in marks {
        match labels.last_mut() {
            Some((before, of)) if left(*place, &[mark]) < left(*before, of) + width(of) + SPACE => {
                of.push(mark);
            }
            _ => labels.push((*place, vec![mark])),
        }
    }
    // A label that grew may reach into the one before it, near the right end.
    let mut place = labels.len();
    while place > 1 {
        place -= 1;
        let (before, after) = (&labels[place - 1], &labels[place]);
        if left(after.0, &after.1) < left(before.0, &before.1) + width(&before.1) + SPACE {
            let (_, of) = labels.remove(place);
            labels[place - 1].1.extend(of);
        }
    }
    let label = |(place, of): (f64, Vec<&Mark>)| {
        let names: Vec<_> = of
            .iter()
            .map(|mark| format!("{} {}", mark.number, mark.name))
            .collect();
        MarkLabel {
            left: left(place, &of),
            text: text(&of),
            names: super::super::clipped(&names.join(", "), NAMES),
        }
    };
    labels.into_iter().map(label).collect()
}

fn text(of: &[&Mark]) -> String {
    match of {
        [first, .., last] => format!("{}–{}", first.number, last.number),
        [only] => only.number.to_string(),
        [] => String::new(),
    }
}

fn width(of: &[&Mark]) -> f64 {
    text(of).chars().count() as f64 * CHARACTER
}

fn left(place: f64, of: &[&Mark]) -> f64 {
    place.min(1.0 - width(of)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn labels_do_not_overlap_and_every_mark_has_one(mut places in prop::collection::vec(0.0f64..=1.0, 0..150)) {
            places.sort_by(f64::total_cmp);
            let marks: Vec<_> = (1..=places.len())
                .map(|number| Mark { at: 0.0, number, name: String::new() })
                .collect();
            let placed: Vec<_> = places.iter().copied().zip(&marks).collect();
            let labels = labels(&placed);
            for pair in labels.windows(2) {
                let width = pair[0].text.chars().count() as f64 * CHARACTER;
                prop_assert!(pair[0].left + width < pair[1].left, "{:?}", pair);
            }
            let mut next = 1;
            for label in &labels {
                prop_assert!(label.left >= 0.0 && label.left + label.text.chars().count() as f64 * CHARACTER <= 1.0 + 1e-9);
                let ends: Vec<usize> = label.text.split('–').map(|end| end.parse().unwrap()).collect();
                prop_assert_eq!(ends[0], next);
                next = ends[ends.len() - 1] + 1;
            }
            prop_assert_eq!(next, places.len() + 1);
        }
    }
}
