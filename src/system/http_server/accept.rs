//! Content negotiation: RFC 9110, section 12.5.1.

use http::HeaderValue;

/// The media type that the fields `Accept` prefer. Of equally preferred ones it is the first, and also if there is no
/// `Accept`, or none that allows any of them. A type that is excluded by `q=0` comes after those that are not mentioned.
///
/// A media range that can't be understood is disregarded, as is a parameter of a range that the type does not have, such
/// as Prometheus's `escaping`.
///
/// # Panics
/// There are no types, or one is not ASCII.
pub(super) fn preferred<'a>(
    accept: impl IntoIterator<Item = &'a HeaderValue>,
    types: &[HeaderValue],
) -> HeaderValue {
    let fields = accept.into_iter().filter_map(|field| field.to_str().ok());
    let ranges: Vec<MediaRange> = fields
        .flat_map(|field| field.split(','))
        .filter_map(MediaRange::read)
        .collect();
    let by_preference = types.iter().rev().max_by_key(|value| {
        let text = value.to_str().expect("a media type in ASCII");
        MediaType::read(text).map(|media_type| media_type.preference(&ranges))
    });
    by_preference.expect("a media type").clone()
}

/// `text/plain; version=0.0.4`, without quotation marks in its parameters.
struct MediaType<'a> {
    main: &'a str,
    sub: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> MediaType<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (main, sub) = parts.next()?.split_once('/')?;
        let parameters = parts.filter_map(|parameter| parameter.split_once('='));
        let parameters =
            parameters.map(|(name, value)| (name.trim(), value.trim().trim_matches('"')));
        Some(Self {
            main,
            sub,
            parameters: parameters.collect(),
        })
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        let mut parameters = self.parameters.iter();
        let found = parameters.find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| *value)
    }

    /// The weight that the most specific of the ranges gives this type: 1 to 1000, 0 if no range has it, and -1 if the
    /// range excludes it.
    fn preference(&self, ranges: &[MediaRange]) -> i32 {
        let matching = ranges.iter().filter_map(|range| {
            let specificity = range.specificity(self)?;
            Some((specificity, range.weight))
        });
        match matching.max() {
            None => 0,
            Some((_, 0)) => -1,
            Some((_, weight)) => weight,
        }
    }
}

/// A media type, or several of them, as a client accepts them.
struct MediaRange<'a> {
    media_type: MediaType<'a>,
    /// In thousandths.
    weight: i32,
}

impl<'a> MediaRange<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let media_type = MediaType::read(text)?;
        let weight = media_type.parameter("q").map_or(Some(1000), weight)?;
        Some(Self { media_type, weight })
    }

    /// How closely the range describes the type: 0 for any type, 1 for a type with any subtype, and 2 for the very type, and
    /// 1 more for each parameter. `None` if it describes other types.
    fn specificity(&self, of: &MediaType) -> Option<usize> {
        let is = |range: &str, name: &str| range.eq_ignore_ascii_case(name);
        let range = &self.media_type;
        let base = match (range.main, range.sub) {
            ("*", "*") => 0,
            (main, "*") if is(main, of.main) => 1,
            (main, sub) if is(main, of.main) && is(sub, of.sub) => 2,
            _ => return None,
        };
        let mut agreeing = 0;
        for (name, value) in &range.parameters {
            match of.parameter(name) {
                Some(own) if own.eq_ignore_ascii_case(value) => agreeing += 1,
                Some(_) => return None,
                None => {}
            }
        }
        Some(base + agreeing)
    }
}

/// A weight from `0` to `1` with at most three decimals, in thousandths.
fn weight(text: &str) -> Option<i32> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_number = decimals.len() <= 3 && decimals.bytes().all(|digit| digit.is_ascii_digit());
    match whole {
        "0" if is_number => format!("{decimals:0<3}").parse().ok(),
        "1" if is_number && decimals.bytes().all(|digit| digit == b'0') => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// The first word of the type that these fields prefer.
    fn of(accept: &[&'static str]) -> &'static str {
        let fields: Vec<_> = accept
            .iter()
            .copied()
            .map(HeaderValue::from_static)
            .collect();
        let types = [OPEN, PLAIN].map(HeaderValue::from_static);
        match preferred(&fields, &types) {
            open if open == OPEN => "open",
            _ => "plain",
        }
    }

    #[test]
    fn the_higher_weight_wins_and_the_first_type_among_equals() {
        assert_eq!(of(&[]), "open");
        assert_eq!(of(&["*/*"]), "open");
        assert_eq!(of(&["text/plain, application/openmetrics-text"]), "open");
        assert_eq!(of(&["text/plain"]), "plain");
        assert_eq!(of(&["TEXT/Plain ; Version=0.0.4"]), "plain");
        assert_eq!(
            of(&["application/openmetrics-text;q=0.5, text/plain;q=0.501"]),
            "plain"
        );
        assert_eq!(
            of(&["application/openmetrics-text;q=0.5, text/plain;q=0.50"]),
            "open"
        );
        assert_eq!(
            of(&["application/openmetrics-text;q=0.001", "text/plain;q=1.000"]),
            "plain"
        );
        assert_eq!(of(&["text/*, */*;q=0.9"]), "plain");
    }

    #[test]
    fn the_most_specific_range_decides() {
        assert_eq!(of(&["*/*, application/*;q=0.2"]), "plain");
        assert_eq!(
            of(&["text/plain;q=0.2, text/*, application/*;q=0.5"]),
            "open"
        );
        let versions = "text/plain;version=0.0.4;q=0.9, text/plain;q=0.1, */*;q=0.5";
        assert_eq!(of(&[versions]), "plain");
        // Another version is another type.
        assert_eq!(
            of(&["application/openmetrics-text;version=0.0.1, text/plain;q=0.1"]),
            "plain"
        );
        assert_eq!(of(&["text/plain;version=1.0.0, */*;q=0.5"]), "open");
    }

    #[test]
    fn a_zero_excludes_a_type() {
        assert_eq!(
            of(&["application/openmetrics-text;q=0, */*;q=0.1"]),
            "plain"
        );
        assert_eq!(of(&["application/openmetrics-text;q=0"]), "plain");
        assert_eq!(of(&["text/plain;q=0.0, */*"]), "open");
    }

    #[test]
    fn an_accept_that_allows_neither_or_is_malformed_is_disregarded() {
        for accept in [
            "application/json",
            "",
            "text",
            "text/plain;q=2",
            "text/plain;q=0.1234",
            "text/plain;q=-1",
            "text/plain;q=",
            "text/plain;q=0.+1",
            "text/plain;q=1.001",
            ",;/=,,",
        ] {
            assert_eq!(of(&[accept]), "open", "{accept}");
        }
    }
}
