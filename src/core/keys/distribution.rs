use super::Keys;
use std::fmt;
use std::str::FromStr;

/// The shares of the keys in the traffic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    /// The keys come in shuffled rounds, each of which has every key once.
    Uniform,
    /// The key of rank k, counted from 1, has a share in proportion to 1/kˢ. The exponent s is over 0 and at most 10.
    /// Each request's key is drawn independently.
    Zipf(f64),
    /// The first key has this share, from 0 to 1, and the others share the rest evenly. Each request's key is drawn
    /// independently.
    Hot(f64),
}

impl Distribution {
    /// The text form, as the end of a sentence that begins with the option.
    pub const FORM: &str = "must be uniform, zipf:S with S over 0 and at most 10, or hot:SHARE with SHARE from 0 to 1, \
        or from 0% to 100%";

    /// Whether this distribution is possible with these keys. All but the uniform one need a set of at least two keys.
    pub fn suits(self, keys: &Keys) -> bool {
        self == Distribution::Uniform || keys.count().is_some_and(|keys| keys > 1)
    }
}

impl FromStr for Distribution {
    type Err = ();

    fn from_str(text: &str) -> Result<Distribution, ()> {
        let text = text.trim().to_ascii_lowercase();
        let number = |text: &str| text.trim().parse::<f64>().map_err(|_| ());
        let (kind, parameter) = text.split_once(':').unwrap_or((&text, ""));
        let (distribution, is_possible) = match kind.trim() {
            "uniform" => (Distribution::Uniform, text == "uniform"),
            "zipf" => {
                let s = number(parameter)?;
                (Distribution::Zipf(s), s > 0.0 && s <= 10.0)
            }
            "hot" => {
                let share = match parameter.strip_suffix('%') {
                    Some(percent) => number(percent)? / 100.0,
                    None => number(parameter)?,
                };
                (Distribution::Hot(share), (0.0..=1.0).contains(&share))
            }
            _ => return Err(()),
        };
        is_possible.then_some(distribution).ok_or(())
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Distribution::Uniform => f.write_str("uniform"),
            Distribution::Zipf(exponent) => write!(f, "zipf:{exponent}"),
            Distribution::Hot(share) => write!(f, "hot:{share}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_distribution_or_refused() {
        for (typed, distribution) in [
            ("uniform", Distribution::Uniform),
            (" Zipf:1.1 ", Distribution::Zipf(1.1)),
            ("zipf: 1", Distribution::Zipf(1.0)),
            ("hot:0.9", Distribution::Hot(0.9)),
            ("hot:90%", Distribution::Hot(0.9)),
            ("hot:0", Distribution::Hot(0.0)),
            ("hot:1", Distribution::Hot(1.0)),
        ] {
            assert_eq!(typed.parse(), Ok(distribution), "{typed}");
            assert_eq!(distribution.to_string().parse(), Ok(distribution));
        }
        let bad = ",zipf,zipf:,zipf:0,zipf:-1,zipf:NaN,zipf:11,hot,hot:1.1,hot:-0.1,hot:101%,hot:x,uniform:1,even";
        for bad in bad.split(',') {
            assert!(bad.parse::<Distribution>().is_err(), "{bad}");
        }
    }
}
