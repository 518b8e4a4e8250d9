//! Report pages: they show every part of a summary, no content breaks them, and files that are not summaries are refused.

use crate::summaries;
use assert_cmd::Command;
use loadgen::core::summary::Summary;
use loadgen::report::{html, markdown, with_the_first};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

fn examples() -> &'static [(&'static str, Summary)] {
    static EXAMPLES: OnceLock<Vec<(&str, Summary)>> = OnceLock::new();
    EXAMPLES.get_or_init(summaries::examples)
}

fn example(name: &str) -> &'static Summary {
    let found = examples().iter().find(|(known, _)| *known == name);
    &found.expect("an example").1
}

fn compared(runs: &[(String, Summary)]) -> String {
    html::comparison(runs, &with_the_first(runs))
}

/// Every example's page, and comparisons of few and of many.
fn pages() -> &'static [(String, String)] {
    static PAGES: OnceLock<Vec<(String, String)>> = OnceLock::new();
    PAGES.get_or_init(|| {
        let mut pages: Vec<_> = examples()
            .iter()
            .map(|(name, summary)| ((*name).to_owned(), html::page(summary)))
            .collect();
        let named: Vec<_> = examples()
            .iter()
            .map(|(name, summary)| (format!("<b>{name}</b>"), summary.clone()))
            .collect();
        pages.push(("two".to_owned(), compared(&named[..2])));
        pages.push(("all".to_owned(), compared(&named)));
        pages
    })
}

/// The tags of a page in their order: the name, led by a slash where it is closed, and the attributes.
fn tags(page: &str) -> Vec<(&str, &str)> {
    let start = page.find("</style>").expect("a style sheet");
    let pieces = page[start..].split('<').skip(1);
    pieces
        .map(|piece| {
            let (tag, text) = piece.split_once('>').expect("a closed tag");
            assert!(!text.contains('>'), "{piece}");
            tag.split_once(' ').unwrap_or((tag, ""))
        })
        .collect()
}

#[test]
fn every_element_is_closed_where_it_was_opened() {
    for (name, page) in pages() {
        let mut open = vec!["html", "head", "style"];
        for (tag, attributes) in tags(page) {
            match tag.strip_prefix('/') {
                Some(closed) => assert_eq!(open.pop(), Some(closed), "{name}"),
                None if ["br", "meta", "wbr"].contains(&tag) || attributes.ends_with('/') => {}
                None => open.push(tag),
            }
        }
        assert!(open.is_empty(), "{name}: {open:?}");
    }
}

#[test]
fn a_page_has_no_script_and_fetches_nothing() {
    for (name, page) in pages() {
        for (tag, attributes) in tags(page) {
            let fetching = [
                "script", "img", "link", "iframe", "object", "embed", "image", "use",
            ];
            assert!(!fetching.contains(&tag), "{name}: {tag}");
            for attribute in [" src=", " on", "srcset=", "data:"] {
                let quoted = attributes.split('"').step_by(2);
                let is_there = quoted.clone().any(|outside| outside.contains(attribute));
                assert!(!is_there, "{name}: {attributes}");
            }
            if let Some(link) = attributes.strip_prefix("href=\"") {
                assert!(link.starts_with('#'), "{name}: {link}");
            }
        }
        let urls = page.split("url(").skip(1);
        assert!(urls.clone().all(|url| url.starts_with('#')), "{name}");
        assert!(!page.contains("@import"), "{name}");
    }
}

#[test]
fn ids_are_unique_and_every_link_leads_to_one() {
    for (name, page) in pages() {
        let ids = page.split(" id=\"").skip(1);
        let ids: Vec<_> = ids.filter_map(|rest| rest.split('"').next()).collect();
        let unique: HashSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len(), "{name}: {ids:?}");
        for (tag, attributes) in tags(page) {
            if tag == "a" {
                let link = attributes
                    .trim_start_matches("href=\"#")
                    .trim_end_matches('"');
                assert!(ids.contains(&link), "{name}: {link}");
            }
        }
    }
}

#[test]
fn a_page_has_every_part_under_its_heading_in_order() {
    let pictures = ["Admitted per window", "Blocked too early"];
    let expected = [
        "The run",
        "Rates over time",
        "Latency over time",
        "Key numbers",
        "Latency spectrum",
        "Heat map of latency",
        "Targets",
        "Phases",
        "Failures",
        "Audit",
        "Thresholds",
        "The generator itself",
        "Configuration",
    ];
    for (name, summary) in examples() {
        let page = html::page(summary);
        let headings = page.split("<h2>").skip(1);
        let headings: Vec<_> = headings.filter_map(|rest| rest.split('<').next()).collect();
        let mut expected = expected.to_vec();
        if !summary.events.is_empty() {
            expected.insert(4, "Events");
        }
        if summary.merged.is_some() {
            expected.insert(1, "Stripes");
        }
        let drawn = headings.len().saturating_sub(expected.len());
        assert_eq!(headings[drawn..], expected, "{name}");
        assert!(
            pictures
                .iter()
                .filter(|one| headings[..drawn].contains(one))
                .count()
                == drawn,
            "{name}"
        );
        assert_eq!(page.matches("<h1").count(), 1, "{name}");
        let verdict = page.find("<h1").expect("a heading");
        assert!(verdict < page.find("<h2>").expect("a heading"), "{name}");
    }
}

#[test]
fn every_chart_says_what_it_shows() {
    for (name, page) in pages() {
        let charts = page.split("<figure").skip(1);
        for chart in charts {
            let said = chart.split("role=\"img\" aria-label=\"").nth(1);
            let said = said
                .and_then(|rest| rest.split('"').next())
                .unwrap_or_default();
            let tells = said.contains(|c: char| c.is_ascii_digit()) || said.contains("no request");
            assert!(said.len() > 20 && tells, "{name}: {said:?}");
        }
        let drawn = page.matches("<svg viewBox=\"0 0 3000 1000\"").count();
        assert_eq!(drawn, page.matches("<figure").count(), "{name}");
    }
    assert!(html::page(example("demo")).matches("<figure").count() >= 8);
}

#[test]
fn a_page_stays_small_whatever_the_run() {
    for (name, page) in pages() {
        let most = match &**name {
            "huge" | "all" => 2 << 20,
            _ => 400_000,
        };
        assert!(page.len() < most, "{name}: {} bytes", page.len());
    }
}

#[test]
fn the_verdict_comes_first() {
    for (name, verdict) in [
        ("demo", "Kept: Every answer fits"),
        (
            "per-node",
            "Broken: 300 admitted within 32.1 s where 100 are promised",
        ),
        (
            "failing",
            "2 of 5 thresholds missed: latency.p99 &lt; 50ms measured 2.01 s",
        ),
        ("second", "10 requests sent on schedule"),
        ("empty", "Nothing was sent"),
        ("huge", "Broken: "),
    ] {
        let summary = example(name);
        let page = html::page(summary);
        let start = page.find("<h1").expect("a heading");
        let heading = page[start..].split("</h1>").next().unwrap_or_default();
        assert!(heading.contains(verdict), "{name}: {heading}");
        let markdown = markdown(summary);
        let first = markdown.lines().next();
        assert!(
            first.is_some_and(|line| line.contains(verdict)),
            "{markdown}"
        );
    }
}

#[test]
fn an_audits_pictures_come_before_everything_else() {
    let headings = |name| {
        let page = html::page(example(name));
        let headings = page.split("<h2>").skip(1);
        let headings = headings.filter_map(|rest| rest.split('<').next().map(str::to_owned));
        headings.take(3).collect::<Vec<_>>()
    };
    let expected = ["Admitted per window", "Blocked too early", "The run"];
    assert_eq!(headings("per-node"), expected);
    assert_eq!(headings("second")[0], "The run");
}

#[test]
fn markdown_is_bounded_and_its_tables_are_whole() {
    for (name, summary) in examples() {
        let text = markdown(summary);
        assert!(text.len() < 64 * 1024, "{name}: {} bytes", text.len());
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        let lines: Vec<_> = text.lines().collect();
        for pair in lines.windows(2) {
            if pair.iter().all(|line| line.starts_with('|')) {
                assert_eq!(cells(pair[0]), cells(pair[1]), "{name}: {pair:?}");
            }
        }
        assert!(!text.contains("<script"), "{name}");
        assert!(!text.contains("\n\n\n"), "{name}: two blank lines");
        assert!(!text.contains("kept**: schedule"), "{name}: said twice");
        assert_eq!(
            text.matches("<details>").count(),
            text.matches("</details>").count(),
            "{name}"
        );
    }
    let text = markdown(example("demo"));
    for part in [
        "| latency |",
        "| http://127.0.0.1:8001 |",
        "```sh\nloadgen --demo",
        "`latency.p99 < 50ms`",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let text = markdown(example("events"));
    for part in [
        "| redis goes | Failed open and closed: ",
        "| `docker compose start redis`: exit code 1 |",
        "- Outage: 50 requests to http://127.0.0.1:8002 failed from 30.000s",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let explained = "failed from 10.000s to 20.000s";
    assert!(!text.contains(explained), "{explained} in {text}");
}

#[test]
fn a_summary_is_the_same_after_it_was_saved() {
    for (name, summary) in examples() {
        let text = serde_json::to_string(summary).expect("JSON");
        assert_eq!(
            &Summary::from_json(&text).expect("a summary"),
            summary,
            "{name}"
        );
    }
}

#[test]
fn a_number_that_no_run_has_is_refused_by_its_field() {
    let text = serde_json::to_string(example("demo")).expect("JSON");
    for (pointer, number, says) in [
        (
            "/timeline/slots/0/asked_per_s",
            json!(1e300),
            "timeline.slots[0].asked_per_s is 1e300; it must be from 0 to 1e18",
        ),
        (
            "/timeline/slots/1/asked_per_s",
            json!(-1),
            "timeline.slots[1].asked_per_s is -1e0",
        ),
        ("/timeline/slot_ns", json!(0), "timeline.slot_ns is 0"),
        (
            "/timeline/slots/0/heat",
            json!([u64::MAX, 1]),
            "timeline.slots[0].heat counts more than",
        ),
        ("/requests/sent", json!(u64::MAX), "requests do not balance"),
        (
            "/targets/1/requests/unsent",
            json!(u64::MAX),
            "targets[1].requests do not balance",
        ),
        (
            "/phases/0/requests/allowed",
            json!(0),
            "phases[0].requests do not balance",
        ),
        (
            "/audit/share",
            json!(2),
            "audit.share is 2e0; it must be from 0 to 1",
        ),
        (
            "/latency/spectrum/0/share",
            json!(-0.5),
            "latency.spectrum[0].share is -5e-1",
        ),
    ] {
        let mut summary: Value = serde_json::from_str(&text).expect("JSON");
        *summary
            .pointer_mut(pointer)
            .unwrap_or_else(|| panic!("no {pointer}")) = number;
        let refused = Summary::from_json(&summary.to_string()).expect_err(pointer);
        let refused = refused.to_string();
        assert!(
            refused.contains("has a number that no run has: "),
            "{refused}"
        );
        assert!(refused.contains(says), "{pointer}: {refused}");
    }
}

#[test]
fn an_error_quotes_little_of_a_summary() {
    let long = "Z".repeat(100_000);
    let text = serde_json::to_string(example("demo")).expect("JSON");
    let mut summary: Value = serde_json::from_str(&text).expect("JSON");
    for pointer in [
        "/schedule/kept",
        "/phases/0/mode",
        "/requests/sent",
        "/audit/verdict",
    ] {
        let place = summary
            .pointer_mut(pointer)
            .unwrap_or_else(|| panic!("no {pointer}"));
        let kept = std::mem::replace(place, json!(long));
        let refused = Summary::from_json(&summary.to_string()).expect_err(pointer);
        let refused = refused.to_string();
        assert!(
            refused.len() < 700 && refused.contains("line 1 column"),
            "{refused}"
        );
        *summary.pointer_mut(pointer).expect("the same place") = kept;
    }
}

fn folder(test: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("report_pages")
        .join(test);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn saved(test: &str, name: &str) -> PathBuf {
    let path = folder(test).join(name).with_extension("json");
    fs::write(&path, serde_json::to_string(example(name)).expect("JSON")).expect("a file");
    path
}

fn report() -> Command {
    let mut command = Command::cargo_bin("loadgen").expect("the program");
    command.arg("report");
    command
}

#[test]
fn a_summary_from_before_there_were_events_has_a_page_without_them() {
    let old = saved("old", "events");
    let text = fs::read_to_string(&old).expect("a summary");
    let mut summary: Value = serde_json::from_str(&text).expect("JSON");
    let fields = summary.as_object_mut().expect("an object");
    for later in ["events", "outages", "failing_open"] {
        fields.remove(later).expect(later);
    }
    fs::write(&old, summary.to_string()).expect("a file");
    let printed = report().args(["--output", "-"]).arg(&old).output();
    let printed = printed.expect("an end");
    assert_eq!(printed.status.code(), Some(0));
    let page = String::from_utf8_lossy(&printed.stdout);
    assert!(page.contains("<h2>Rates over time"), "{page}");
    let with_events = html::page(example("events"));
    for later in ["redis goes", "<h2>Events", "href=\"#events\""] {
        assert!(with_events.contains(later), "{later} in {with_events}");
        assert!(!page.contains(later), "{later} in {page}");
    }
    assert!(!page.contains("<h2>Outages"), "{page}");
}

#[test]
fn a_run_with_outages_and_no_events_has_a_section_of_outages() {
    let mut summary = example("events").clone();
    summary.events.clear();
    let page = html::page(&summary);
    assert!(page.contains("<h2>Outages"), "{page}");
    assert!(!page.contains("<h2>Events"), "{page}");
    assert!(page.contains("failed from 30.000s to 31.000s"), "{page}");
}

#[test]
fn one_file_makes_its_page_and_several_are_compared() {
    let [demo, second] = ["demo", "second"].map(|name| saved("pages", name));
    let printed = report()
        .args(["--output", "-"])
        .arg(&demo)
        .output()
        .expect("an end");
    assert_eq!(printed.status.code(), Some(0));
    assert_eq!(
        String::from_utf8_lossy(&printed.stdout),
        html::page(example("demo"))
    );

    let page = folder("pages").join("page.html");
    fs::write(&page, "old").expect("a file");
    let written = report()
        .args([&demo, &second])
        .arg("--output")
        .arg(&page)
        .output();
    assert_eq!(written.expect("an end").status.code(), Some(0));
    let page = fs::read_to_string(page).expect("a page");
    assert!(page.contains("2 runs side by side</h1>"));
    let left = fs::read_dir(folder("pages")).expect("a folder");
    assert!(
        left.flatten()
            .all(|file| !file.file_name().to_string_lossy().starts_with('.'))
    );

    let refused = report().arg(&demo).output().expect("an end");
    assert_eq!(refused.status.code(), Some(2));
    let line = String::from_utf8_lossy(&refused.stderr);
    assert!(line.contains("--output: must be given"), "{line}");

    let piped = report()
        .args(["-", "--output", "-"])
        .pipe_stdin(&demo)
        .expect("a file")
        .output();
    assert_eq!(piped.expect("an end").stdout, printed.stdout);
}

#[test]
fn a_file_without_a_summary_is_refused_by_its_name_and_nothing_is_written() {
    let good = saved("refused", "second");
    let page = folder("refused").join("page.html");
    for (name, content, said) in [
        ("missing.json", None, "No such file"),
        (
            "text.json",
            Some("hello"),
            "is not JSON: expected value at line 1 column 1",
        ),
        (
            "other.json",
            Some("{}"),
            "is JSON, but has no schema_version",
        ),
        (
            "newer.json",
            Some("{\"schema_version\":4}"),
            "schema_version 4, and this loadgen reads up to 3",
        ),
        (
            "cut.json",
            Some("{\"schema_version\":1"),
            "is not JSON: EOF",
        ),
        (
            "partial.json",
            Some("{\"schema_version\":1}"),
            "missing field `loadgen`",
        ),
    ] {
        let path = folder("refused").join(name);
        if let Some(content) = content {
            fs::write(&path, content).expect("a file");
        }
        let done = report()
            .args([&good, &path])
            .arg("--output")
            .arg(&page)
            .output()
            .expect("an end");
        let error = String::from_utf8_lossy(&done.stderr);
        assert_eq!(
            (done.status.code(), error.lines().count()),
            (Some(2), 1),
            "{error}"
        );
        assert!(
            error.contains(&format!("{name}': must be a summary")) && error.contains(said),
            "{error}"
        );
        assert!(!page.exists());
    }
    let nowhere = report()
        .arg(&good)
        .arg("--output")
        .arg(good.join("page.html"))
        .output()
        .expect("an end");
    let error = String::from_utf8_lossy(&nowhere.stderr);
    assert_eq!(
        (nowhere.status.code(), error.lines().count()),
        (Some(2), 1),
        "{error}"
    );
    assert!(error.contains("page.html"), "{error}");
    assert_eq!(report().output().expect("an end").status.code(), Some(2));
}
