use super::chart::{Axis, Figure, Key, Layer, Plot, Size, Style};
use super::document::{Section, Table, text, texts};
use super::time_series::{event_keys, event_marks, fine, seconds, time_axis};
use crate::base::Nanos;
use crate::base::text::{share, span};
use crate::core::summary::{Summary, Timeline};
use crate::report::downsample::downsampled;
use maud::html;

/// The most bands that a chart shows.
const BANDS: usize = 64;
/// The parts of the time that are columns of the table.
const PARTS: usize = 6;

pub fn section(summary: &Summary) -> Section {
    let map = Map::new(&fine(&summary.timeline));
    let body = match &map {
        None => html! { p class="empty" { "No request was done, so there is no latency." } },
        Some(map) => map.figure(summary).render(),
    };
    Section {
        id: "heat",
        heading: "Heat map of latency",
        body,
    }
}

/// The number of requests by time and latency.
struct Map {
    timeline: Timeline,
    /// The lower and upper bound of each band in nanoseconds, the lowest band first.
    bands: Vec<(f64, f64)>,
    /// The number of requests by slot, then by band.
    counts: Vec<Vec<u64>>,
    /// The lowest count of each level of colour, rising from 1.
    from: Vec<u64>,
}

impl Map {
    /// `None` if no latency was measured.
    fn new(timeline: &Timeline) -> Option<Map> {
        let bounds = &timeline.bands_ns;
        let counted = |band: usize| {
            let count =
                |slot: &crate::core::summary::Slot| slot.heat.get(band).copied().unwrap_or(0);
            timeline.slots.iter().any(|slot| count(slot) > 0)
        };
        let lowest = (0..bounds.len()).find(|band| counted(*band))?;
        let highest = (lowest..bounds.len()).rev().find(|band| counted(*band))?;
        let together = (highest - lowest + 1).div_ceil(BANDS);
        let starts: Vec<_> = (lowest..=highest).step_by(together).collect();
        let below = |band: usize| match band.checked_sub(1) {
            Some(before) => bounds[before] as f64,
            // The lowest band is as wide on the logarithmic scale as the next one.
            None => match bounds.get(1) {
                Some(next) => (bounds[0] as f64).powi(2) / (*next as f64).max(1.0),
                None => bounds[0] as f64 / 2.0,
            },
        };
        let last_of = |start: usize| (start + together - 1).min(highest);
        let bands = starts
            .iter()
            .map(|start| (below(*start).max(1.0), bounds[last_of(*start)] as f64))
            .collect();
        let counts: Vec<Vec<u64>> = timeline
            .slots
            .iter()
            .map(|slot| {
                let of = |start: &usize| {
                    let end = (last_of(*start) + 1).min(slot.heat.len());
                    let within = slot.heat.get(*start..end).unwrap_or_default();
                    within
                        .iter()
                        .fold(0u64, |sum, count| sum.saturating_add(*count))
                };
                starts.iter().map(of).collect()
            })
            .collect();
        let most = counts.iter().flatten().copied().max()?;
        Some(Map {
            timeline: timeline.clone(),
            bands,
            counts,
            from: levels(most, Style::HEAT.len()),
        })
    }

    fn figure(&self, summary: &Summary) -> Figure {
        let (lowest, highest) = (self.bands[0].0, self.bands[self.bands.len() - 1].1);
        let last = |level: usize| match self.from.get(level + 1) {
            Some(next) => next - 1,
            None => self.counts.iter().flatten().copied().max().unwrap_or(0),
        };
        let key = |(level, from): (usize, &u64)| {
            let range = match last(level) {
                to if to == *from => from.to_string(),
                to => format!("{from} to {to}"),
            };
            Key::fill(self.style(level), range)
        };
        let (band, count) = self.densest();
        let latency = &summary.latency;
        let said = format!(
            "Number of requests by latency, in slots of {}: from {} to {}; the most, {count} of them, lie between {} and {}; \
             half of all took no longer than {}.",
            Nanos(self.timeline.slot_ns),
            span(Nanos(lowest as u64)),
            span(Nanos(highest as u64)),
            span(Nanos(self.bands[band].0 as u64)),
            span(Nanos(self.bands[band].1 as u64)),
            span(Nanos(latency.p50_ns)),
        );
        Figure {
            title: text(format!(
                "Number of requests by latency, in slots of {}",
                Nanos(self.timeline.slot_ns)
            )),
            said,
            keys: self
                .from
                .iter()
                .enumerate()
                .map(key)
                .chain(event_keys(summary))
                .collect(),
            plot: Plot {
                x: time_axis(&self.timeline, 0.0).marked(&event_marks(summary)),
                y: Axis::spans_between(lowest, highest),
                layers: self.layers(),
            },
            across: "since the start",
            table: Some(self.table().render()),
            size: Size::Full,
        }
    }

    /// The style of a level. A few levels use styles that are far apart.
    fn style(&self, level: usize) -> Style {
        let styles = Style::HEAT.len() - 1;
        match self.from.len() {
            1 => Style::HEAT[styles / 2],
            levels => Style::HEAT[level * styles / (levels - 1)],
        }
    }

    /// The rectangles of each level. Neighbours in time that look the same are one rectangle.
    fn layers(&self) -> Vec<Layer> {
        let width = seconds(self.timeline.slot_ns);
        let mut cells = vec![Vec::new(); self.from.len()];
        for (band, (low, high)) in self.bands.iter().enumerate() {
            let levels = self.counts.iter().map(|counts| {
                let count = counts[band];
                self.from.iter().rposition(|from| count >= *from)
            });
            let levels: Vec<_> = levels.collect();
            let mut start = 0;
            for same in levels.chunk_by(|one, next| one == next) {
                let end = start + same.len();
                if let Some(level) = same[0] {
                    let corners = [(start as f64 * width, *low), (end as f64 * width, *high)];
                    cells[level].push(corners);
                }
                start = end;
            }
        }
        let layer = |(level, cells)| Layer::Cells {
            style: self.style(level),
            cells,
        };
        cells.into_iter().enumerate().map(layer).collect()
    }

    /// The band with the most requests, and their number.
    fn densest(&self) -> (usize, u64) {
        let sum = |band: usize| self.counts.iter().map(|counts| counts[band]).sum::<u64>();
        (0..self.bands.len())
            .map(|band| (band, sum(band)))
            .max_by_key(|(_, sum)| *sum)
            .unwrap_or((0, 0))
    }

    /// The map as a table of a few parts of the time: nobody would listen to a column for every slot.
    fn table(&self) -> Table {
        let parts = downsampled(&self.timeline, PARTS);
        let together = self.timeline.slots.len().div_ceil(PARTS).max(1);
        let counts: Vec<Vec<u64>> = self
            .counts
            .chunks(together)
            .map(|slots| {
                let sum = |band: usize| slots.iter().map(|counts| counts[band]).sum();
                (0..self.bands.len()).map(sum).collect()
            })
            .collect();
        let all: u64 = counts.iter().flatten().sum();
        let row = |(band, (_, high)): (usize, &(f64, f64))| {
            let of_parts = counts.iter().map(|counts| counts[band]);
            let total: u64 = of_parts.clone().sum();
            let mut cells: Vec<_> = of_parts.map(|count| count.to_string()).collect();
            cells.push(share(total, all));
            (text(span(Nanos(*high as u64))), texts(cells))
        };
        let from =
            |part: usize| format!("from {}", Nanos(parts.slot_ns.saturating_mul(part as u64)));
        let columns = std::iter::once("latency up to".to_owned())
            .chain((0..counts.len()).map(from))
            .chain(["of all".to_owned()]);
        Table {
            caption: "Requests by latency and time".to_owned(),
            columns: texts(columns),
            rows: self.bands.iter().enumerate().rev().map(row).collect(),
            numbers: true,
        }
    }
}

/// The lowest counts of at most `styles` levels, each about the same multiple of the one before.
fn levels(most: u64, styles: usize) -> Vec<u64> {
    let step = |level: usize| {
        let share = level as f64 / styles as f64;
        (most as f64).powf(share).round().max(1.0) as u64
    };
    let mut from: Vec<_> = (0..styles).map(step).collect();
    if most <= styles as u64 {
        from = (1..=most).collect();
    }
    from.dedup();
    from
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::summary::Slot;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn levels_rise_from_one_to_no_more_than_the_most(most in 1u64..1_000_000_000) {
            let levels = levels(most, 6);
            prop_assert!((1..=6).contains(&levels.len()));
            prop_assert_eq!(levels[0], 1);
            prop_assert!(levels.is_sorted_by(|one, next| one < next));
            prop_assert!(levels[levels.len() - 1] <= most);
        }
    }

    fn timeline(heat: &[&[u64]], bands: u64) -> Timeline {
        let slot = |heat: &&[u64]| Slot {
            heat: heat.to_vec(),
            ..Slot::default()
        };
        Timeline {
            slot_ns: 1_000_000_000,
            slots: heat.iter().map(slot).collect(),
            bands_ns: (1..=bands).map(|band| band * 1_000).collect(),
            ..Timeline::default()
        }
    }

    #[test]
    fn only_bands_that_were_met_are_drawn_and_neighbours_are_one() {
        let map = Map::new(&timeline(&[&[0, 0, 1], &[0, 0, 1], &[0, 2]], 9)).unwrap();
        assert_eq!(map.bands, [(1_000.0, 2_000.0), (2_000.0, 3_000.0)]);
        let cells = |layer: &Layer| match layer {
            Layer::Cells { cells, .. } => cells.clone(),
            other => panic!("{other:?}"),
        };
        let drawn: Vec<_> = map.layers().iter().map(cells).collect();
        let one = vec![[(0.0, 2_000.0), (2.0, 3_000.0)]];
        let two = vec![[(2.0, 1_000.0), (3.0, 2_000.0)]];
        assert_eq!(drawn, [one, two]);
    }

    #[test]
    fn many_bands_are_taken_together_and_lose_nothing() {
        let heat = [1; 1_000];
        let map = Map::new(&timeline(&[&heat], 1_000)).unwrap();
        assert!(map.bands.len() <= BANDS);
        assert_eq!(map.counts[0].iter().sum::<u64>(), 1_000);
    }

    #[test]
    fn counts_without_a_band_and_bands_without_counts_are_no_map() {
        assert!(Map::new(&timeline(&[&[1, 1]], 0)).is_none());
        assert!(Map::new(&timeline(&[&[], &[0, 0]], 3)).is_none());
        assert!(Map::new(&timeline(&[], 3)).is_none());
    }
}
