//! Saved summaries, of each version: a text is read, or refused in one line. The reports of one that was read are whole,
//! bounded, without markup that came from it, and without numbers that are none.

use crate::cost::within;
use crate::mangling::{mangled, nasty, one_in};
use crate::refusals::check_line;
use crate::summaries;
use loadgen::base::text::printable;
use loadgen::core::summary::Summary;
use loadgen::report::{self, Display};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;
use std::sync::OnceLock;

const MARKUP: &str = "</title></svg><script>alert(1)</script><img src=x onerror=y>\" onload=\"z";

/// Summaries of every version, as JSON.
fn examples() -> &'static [Value] {
    static EXAMPLES: OnceLock<Vec<Value>> = OnceLock::new();
    EXAMPLES.get_or_init(|| {
        let made = [
            summaries::demo(),
            summaries::per_node(),
            summaries::failing(),
            summaries::second(),
            summaries::empty(),
            summaries::events(),
        ];
        let json = made.map(|summary| serde_json::to_value(summary).expect("JSON"));
        let mut all = json.to_vec();
        all.push(of_version_2(&json[2]));
        let mut first_version = of_version_2(&json[0]);
        first_version["schema_version"] = 1.into();
        first_version["requests"]["failed"] = 0.into();
        all.push(first_version);
        all
    })
}

fn zero_for_null(value: &mut Value) {
    match value {
        Value::Null => *value = 0.into(),
        Value::Array(items) => items.iter_mut().for_each(zero_for_null),
        Value::Object(fields) => fields.values_mut().for_each(zero_for_null),
        _ => {}
    }
}

/// A summary as loadgen wrote it when the version was 2.
fn of_version_2(summary: &Value) -> Value {
    let mut summary = summary.clone();
    zero_for_null(&mut summary);
    summary["schema_version"] = 2.into();
    let rename = |object: &mut Value, name: &str, old: &str| {
        let fields = object.as_object_mut().expect("an object");
        let value = fields.remove(name).expect("a field");
        fields.insert(old.to_owned(), value);
    };
    rename(
        &mut summary["resources"],
        "peak_memory_bytes",
        "peak_memory",
    );
    for slot in summary["timeline"]["slots"].as_array_mut().expect("slots") {
        rename(slot, "asked_per_s", "asked");
        for name in ["p50_ns", "p90_ns", "p99_ns", "p99_9_ns", "max_ns"] {
            rename(slot, &format!("latency_{name}"), name);
        }
        slot.as_object_mut().expect("an object").remove("second");
    }
    summary
}

#[test]
fn a_summary_of_version_2_is_read_as_what_it_was() {
    let now = serde_json::to_value(summaries::failing()).expect("JSON");
    let old = of_version_2(&now);
    assert_eq!(old["timeline"]["slots"][22]["p50_ns"], 0, "a pause");
    let mut read = Summary::from_json(&old.to_string()).expect("a summary");
    assert_eq!(read.schema_version, 2);
    read.schema_version = summaries::failing().schema_version;
    for (slot, number) in read.timeline.slots.iter_mut().zip(0..) {
        slot.second = number;
    }
    assert_eq!(serde_json::to_value(read).expect("JSON"), now);
}

/// Another value for a place: mostly of the kind that is there, so that the summary may still be read.
fn changed(old: &Value, number: f64, large: u64, word: &str, any: bool) -> Value {
    match old {
        _ if any => [
            Value::Null,
            word.into(),
            number.into(),
            Value::Array(Vec::new()),
            true.into(),
        ][large as usize % 5]
            .clone(),
        Value::Number(old) if old.is_u64() => large.into(),
        Value::Number(_) => number.into(),
        Value::String(_) => word.into(),
        Value::Bool(old) => (!old).into(),
        Value::Array(items) => {
            let mut items = items.clone();
            match large % 3 {
                0 => items.clear(),
                1 => items.extend(items.clone()),
                _ => items.truncate(1),
            }
            items.into()
        }
        Value::Object(fields) => {
            let mut fields = fields.clone();
            let name = fields
                .keys()
                .nth(large as usize % fields.len().max(1))
                .cloned();
            let value = name.and_then(|name| fields.remove(&name));
            fields.insert(word.to_owned(), value.unwrap_or(Value::Null));
            fields.into()
        }
        Value::Null => word.into(),
    }
}

/// Every place in a value, in order, as a JSON pointer.
fn places(value: &Value, here: &mut Vec<String>, all: &mut Vec<String>) {
    all.push(
        here.iter()
            .map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1")))
            .collect(),
    );
    let mut visit = |step: String, inner: &Value| {
        here.push(step);
        places(inner, here, all);
        here.pop();
    };
    match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(place, item)| visit(place.to_string(), item)),
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, field)| visit(name.clone(), field)),
        _ => {}
    }
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        select(
            &[
                0.0,
                -0.0,
                -1.0,
                1.0,
                1e-300,
                5e-324,
                1e300,
                f64::MAX,
                f64::MIN,
                0.1,
                1e17
            ][..]
        ),
        -10.0..10.0,
    ]
}

fn large() -> impl Strategy<Value = u64> {
    prop_oneof![
        select(
            &[
                0,
                1,
                2,
                1 << 53,
                u64::MAX,
                u64::MAX - 1,
                u64::MAX / 2,
                i64::MAX as u64,
                1_000_000_000
            ][..]
        ),
        any::<u64>(),
        0_u64..1_000,
    ]
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![3 => Just(MARKUP.to_owned()), 1 => Just("](javascript:x) `|` **b**".to_owned()), 3 => nasty()]
}

fn summary() -> impl Strategy<Value = String> {
    let change = (
        any::<Index>(),
        number(),
        large(),
        word(),
        proptest::bool::weighted(0.05),
    );
    let hostile = (select(examples()), vec(change, 0..6)).prop_map(|(mut summary, changes)| {
        for (at, number, large, word, any) in changes {
            let mut all = Vec::new();
            places(&summary, &mut Vec::new(), &mut all);
            let place = summary
                .pointer_mut(&all[at.index(all.len())])
                .expect("a place");
            *place = changed(place, number, large, &word, any);
        }
        summary.to_string()
    });
    let hostile = hostile.boxed();
    prop_oneof![8 => hostile.clone(), 2 => mangled(hostile), 1 => nasty()]
}

/// Checks that a page's elements are closed where they were opened, that it runs and fetches nothing, and that it shows no
/// number that is none. `input` is what it was made of.
#[track_caller]
pub fn check_page(page: &str, input: &str) {
    let start = page.find("</style>").expect("a style sheet");
    let mut open = vec!["html", "head", "style"];
    for piece in page[start..].split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect("a closed tag");
        assert!(!text.contains('>'), "{piece}");
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        match name.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop(), Some(closed), "{piece}"),
            None if ["br", "meta", "wbr"].contains(&name) || attributes.ends_with('/') => {}
            None => open.push(name),
        }
        assert!(
            !["script", "img", "iframe", "link", "object"].contains(&name),
            "{piece}"
        );
        let outside: Vec<_> = attributes.split('"').step_by(2).collect();
        assert!(!outside.iter().any(|part| part.contains(" on")), "{piece}");
    }
    assert!(open.is_empty(), "{open:?}");
    check_numbers(&page[start..], input);
    let most = (4 << 20) + 30 * input.len();
    assert!(page.len() < most, "{} bytes of {}", page.len(), input.len());
}

/// Checks that no number is infinite or none at all.
#[track_caller]
fn check_numbers(text: &str, input: &str) {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    for wrong in ["inf", "NaN", "nan", "infinity"] {
        let is_there = |text: &str| text.split(|c| !is_word(c)).any(|word| word == wrong);
        if is_there(text) && !is_there(input) {
            let at = text.find(wrong).expect("the word");
            let from = text[..at]
                .char_indices()
                .rev()
                .nth(80)
                .map_or(0, |(from, _)| from);
            panic!("{wrong} in …{}", &text[from..at + wrong.len()]);
        }
    }
}

/// Markdown without its code, which is shown as it is: from some backticks to the next of the same number.
fn without_code(markdown: &str) -> String {
    let mut shown = String::new();
    let mut rest = markdown;
    while let Some(next) = rest.chars().next() {
        let fence = &rest[..rest.len() - rest.trim_start_matches('`').len()];
        if !fence.is_empty() {
            let inner = &rest[fence.len()..];
            let mut ends = inner.match_indices(fence).map(|(at, _)| at);
            let is_alone = |at: &usize| {
                !inner[..*at].ends_with('`') && !inner[at + fence.len()..].starts_with('`')
            };
            let end = ends.find(is_alone);
            let end = end.unwrap_or_else(|| panic!("code without an end in {markdown}"));
            rest = &inner[end + fence.len()..];
            continue;
        }
        shown.push(next);
        rest = &rest[next.len_utf8()..];
        // A backslash takes a backtick its meaning.
        if next == '\\' && rest.starts_with('`') {
            rest = &rest[1..];
        }
    }
    shown
}

fn check(text: &str) {
    let short: String = text.chars().take(20_000).collect();
    let summary = match within(3, 64, &short, || Summary::from_json(text)) {
        Ok(summary) => summary,
        // As the program shows it.
        Err(error) => return check_line(&printable(&error.to_string()), text),
    };
    let reports = within(10, 256, &short, || {
        let named = [
            ("a".to_owned(), summary.clone()),
            (MARKUP.to_owned(), summary.clone()),
        ];
        let pages = [
            report::html::page(&summary),
            report::html::comparison(&named, &report::with_the_first(&named)),
        ];
        let mut printed = vec![report::summary(&summary), report::verdict(&summary)];
        printed.extend(
            summary
                .audit
                .iter()
                .map(|audit| report::audit(audit, &summary.target_names())),
        );
        printed.extend(report::thresholds(&summary.thresholds, None));
        let narrow = Display {
            width: 80,
            colours: true,
        };
        let displayed = printed
            .iter()
            .flat_map(|text| [text.to_string(), text.display(narrow)]);
        let texts = std::iter::once(report::markdown(&summary)).chain(displayed);
        (pages, texts.collect::<Vec<_>>())
    });
    let (pages, texts) = reports;
    for page in pages {
        check_page(&page, text);
    }
    let markdown = without_code(&texts[0]);
    assert!(!markdown.contains("<script"), "markup in {markdown}");
    for shown in texts {
        check_numbers(&shown, text);
        assert!(
            shown.len() < (1 << 20) + 10 * text.len(),
            "{} bytes",
            shown.len()
        );
    }
}

#[test]
fn an_example_of_each_version_is_reported() {
    for example in examples() {
        let text = example.to_string();
        Summary::from_json(&text).expect("a summary");
        check(&text);
    }
}

proptest! {
    #![proptest_config(one_in(8))]

    #[test]
    fn a_summary_is_reported_or_refused_in_one_line(text in summary()) {
        check(&text);
    }
}
