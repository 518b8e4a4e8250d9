//! Scrapes `/metrics` and reads the answer as strictly as the OpenMetrics text format is written down.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::run::Run;
use super::{PATIENCE, eventually};

/// The address at which a run serves its metrics, from its heading.
#[track_caller]
pub fn address(run: &Run) -> SocketAddr {
    let line = run.await_line("/metrics").text;
    let url = line.split_whitespace().last().expect("a word");
    let address = url.strip_prefix("http://").expect("a URL");
    let address = address.strip_suffix("/metrics").expect("its path");
    address.parse().expect("an address")
}

/// The answer to a request.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// `None` if nobody is there, or the connection is lost.
pub fn ask(address: SocketAddr, method: &str, path: &str) -> Option<Answer> {
    ask_for(address, method, path, "")
}

/// The same with more header lines, each of which ends with a line break.
pub fn ask_for(address: SocketAddr, method: &str, path: &str, headers: &str) -> Option<Answer> {
    let mut connection = TcpStream::connect(address).ok()?;
    connection.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n"
    );
    connection.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    connection.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some(Answer {
        status: head.split(' ').nth(1)?.parse().ok()?,
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    })
}

/// One scrape that is answered.
#[track_caller]
pub fn scrape(address: SocketAddr) -> Metrics {
    let answer = ask(address, "GET", "/metrics").expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let form = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(answer.head.contains(form), "{}", answer.head);
    match Metrics::parse(&answer.body) {
        Ok(metrics) => metrics,
        Err(wrong) => panic!("{wrong} in:\n{}", answer.body),
    }
}

type Labels = BTreeMap<String, String>;

/// Waits until a run's series of this name add up to this much.
#[track_caller]
pub fn await_sum(address: SocketAddr, name: &str, least: f64) {
    eventually(&format!("a {name} of {least}"), || {
        scrape(address).sum(name) >= least
    });
}

/// Waits until a run is in this mode.
#[track_caller]
pub fn await_mode(address: SocketAddr, mode: &str) {
    eventually(mode, || scrape(address).mode() == mode);
}

/// Every series of a scrape.
#[derive(Debug)]
pub struct Metrics {
    types: BTreeMap<String, String>,
    samples: BTreeMap<(String, Labels), f64>,
}

impl Metrics {
    /// The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines = text.strip_suffix("# EOF\n").ok_or("no # EOF at the end")?;
        let mut reader = Reader::default();
        for line in lines.lines() {
            reader
                .read(line)
                .ok_or_else(|| format!("wrong: {line:?}"))?;
        }
        reader.end_family().ok_or("the last family is wrong")?;
        Ok(Self {
            types: reader.types,
            samples: reader.samples,
        })
    }

    /// The one series of this name and exactly these labels.
    #[track_caller]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let key = (name.to_owned(), labels_of(labels));
        let value = self.samples.get(&key);
        *value.unwrap_or_else(|| panic!("no {key:?} in {:#?}", self.samples))
    }

    /// The requests per second that are scheduled at this instant.
    #[track_caller]
    pub fn rate(&self) -> f64 {
        self.value("loadgen_scheduled_requests_per_second", &[])
    }

    /// The same for a counter.
    #[track_caller]
    pub fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let value = self.value(name, labels);
        assert!(value >= 0.0 && value.fract() == 0.0, "{name} is {value}");
        value as u64
    }

    /// All series of this name together.
    #[track_caller]
    pub fn sum(&self, name: &str) -> f64 {
        let all = self.samples.iter().filter(|((other, _), _)| other == name);
        let values: Vec<f64> = all.map(|(_, value)| *value).collect();
        assert!(!values.is_empty(), "no {name}");
        values.iter().sum()
    }

    /// The values of a label that all series of this name have.
    pub fn values_of(&self, name: &str, label: &str) -> BTreeSet<String> {
        let all = self.samples.keys().filter(|(other, _)| other == name);
        all.map(|(_, labels)| labels[label].clone()).collect()
    }

    /// The mode of the run. Exactly one mode is set.
    #[track_caller]
    pub fn mode(&self) -> String {
        let on = |name: &String| self.count("loadgen_mode", &[("mode", name)]) == 1;
        let all = self.values_of("loadgen_mode", "mode");
        let now: Vec<_> = all.into_iter().filter(on).collect();
        assert_eq!(now.len(), 1, "modes {now:?}");
        now[0].clone()
    }

    /// Asserts that no counter was higher at an earlier scrape.
    #[track_caller]
    pub fn assert_not_less_than(&self, earlier: &Metrics) {
        for (key, before) in &earlier.samples {
            let (name, _) = key;
            let gauge = self.types.get(name).is_some_and(|kind| kind == "gauge");
            let now = self
                .samples
                .get(key)
                .unwrap_or_else(|| panic!("{key:?} has gone"));
            assert!(gauge || now >= before, "{key:?} was {before} and is {now}");
        }
    }
}

fn labels_of(labels: &[(&str, &str)]) -> Labels {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    labels.iter().map(owned).collect()
}

/// Reads line by line. Each step is `None` at what the format does not allow.
#[derive(Default)]
struct Reader {
    /// The metadata by family.
    types: BTreeMap<String, String>,
    samples: BTreeMap<(String, Labels), f64>,
    family: Family,
}

#[derive(Default)]
struct Family {
    name: String,
    help: bool,
    kind: Option<String>,
    unit: Option<String>,
    /// The parts of a histogram by its labels without `le`: the buckets in order, the count, the sum.
    histograms: BTreeMap<Labels, Histogram>,
    samples: usize,
}

#[derive(Default)]
struct Histogram {
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: Option<f64>,
}

impl Reader {
    fn read(&mut self, line: &str) -> Option<()> {
        match line.strip_prefix("# ") {
            Some(metadata) => {
                let mut words = metadata.splitn(3, ' ');
                self.metadata(words.next()?, words.next()?, words.next()?)
            }
            None => self.sample(line),
        }
    }

    fn metadata(&mut self, what: &str, name: &str, text: &str) -> Option<()> {
        if self.family.name != name || self.family.samples > 0 {
            self.end_family()?;
            (is_name(name) && name.starts_with("loadgen_")).then_some(())?;
            self.family.name = name.to_owned();
        }
        let family = &mut self.family;
        match what {
            "HELP" => {
                (!std::mem::replace(&mut family.help, true) && is_escaped(text)).then_some(())
            }
            "TYPE" => {
                ["counter", "gauge", "histogram", "info"]
                    .contains(&text)
                    .then_some(())?;
                family.kind.replace(text.to_owned()).is_none().then_some(())
            }
            "UNIT" => {
                name.ends_with(&format!("_{text}")).then_some(())?;
                family.unit.replace(text.to_owned()).is_none().then_some(())
            }
            _ => None,
        }
    }

    /// A family must have all of its metadata, a name of its own, and consistent histograms.
    fn end_family(&mut self) -> Option<()> {
        let family = std::mem::take(&mut self.family);
        if family.name.is_empty() {
            return self.types.is_empty().then_some(());
        }
        (family.help && family.samples > 0).then_some(())?;
        (family.unit.is_some() == family.name.ends_with("_seconds")).then_some(())?;
        let consistent = family.histograms.values().all(|histogram| {
            let buckets = &histogram.buckets;
            let last = buckets.last();
            buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1)
                && last.is_some_and(|(le, n)| le.is_infinite() && Some(*n) == histogram.count)
                && histogram
                    .sum
                    .is_some_and(|sum| sum >= 0.0 && sum.is_finite())
        });
        consistent.then_some(())?;
        self.types
            .insert(family.name, family.kind?)
            .is_none()
            .then_some(())
    }

    fn sample(&mut self, line: &str) -> Option<()> {
        let name_ends = line.find(['{', ' '])?;
        let (name, rest) = line.split_at(name_ends);
        let (labels, rest) = labels(rest)?;
        let value = number(rest.strip_prefix(' ')?)?;
        let family = &mut self.family;
        family.samples += 1;
        let suffix = name.strip_prefix(&family.name)?;
        match (family.kind.as_deref()?, suffix) {
            ("counter", "_total") => (value >= 0.0 && value.is_finite()).then_some(())?,
            ("gauge", "") => value.is_finite().then_some(())?,
            ("info", "_info") => (value == 1.0).then_some(())?,
            ("histogram", _) => {
                let mut others = labels.clone();
                let le = others.remove("le");
                let histogram = family.histograms.entry(others).or_default();
                match (suffix, le) {
                    ("_bucket", Some(le)) => histogram.buckets.push((number(&le)?, value)),
                    ("_count", None) => histogram.count.replace(value).is_none().then_some(())?,
                    ("_sum", None) => histogram.sum.replace(value).is_none().then_some(())?,
                    _ => return None,
                }
            }
            _ => return None,
        }
        let key = (name.to_owned(), labels);
        self.samples.insert(key, value).is_none().then_some(())
    }
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// True if backslashes and quotes of a help text stand only in escapes.
fn is_escaped(text: &str) -> bool {
    !text.is_empty() && unescaped(&format!("{text}\"")).is_some_and(|(_, rest)| rest.is_empty())
}

/// The text up to the next quote that is not escaped, and what follows that quote.
fn unescaped(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        value.push(match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                _ => return None,
            },
            c => c,
        });
    }
    None
}

/// `{a="b",c="d"}` or nothing, and what follows.
fn labels(text: &str) -> Option<(Labels, &str)> {
    let mut labels = Labels::new();
    let Some(mut rest) = text.strip_prefix('{') else {
        return Some((labels, text));
    };
    loop {
        let (name, value) = rest.split_once("=\"")?;
        let (value, after) = unescaped(value)?;
        (is_name(name) && labels.insert(name.to_owned(), value).is_none()).then_some(())?;
        match after.strip_prefix('}') {
            Some(after) => return Some((labels, after)),
            None => rest = after.strip_prefix(',')?,
        }
    }
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        _ => {
            let plain = |c: char| c.is_ascii_digit() || "+-.e".contains(c);
            text.chars().all(plain).then(|| text.parse().ok())?
        }
    }
}
