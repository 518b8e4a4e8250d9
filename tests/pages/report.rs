//! Report pages: they show every part of a summary, no content breaks them, and files that are not summaries are refused.

use crate::summaries;
use assert_cmd::Command;
use loadgen::core::summary::Summary;
use loadgen::report::{html, markdown};
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
        pages.push(("two".to_owned(), html::comparison(&named[..2])));
        pages.push(("all".to_owned(), html::comparison(&named)));
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
                None if ["br", "meta"].contains(&tag) || attributes.ends_with('/') => {}
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
    let expected = [
        "Key numbers",
        "Rates over time",
        "Latency over time",
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
        assert_eq!(headings, expected, "{name}");
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
    for (name, said) in [
        ("demo", "The limit was kept and all 3 thresholds are met"),
        ("per-node", "The limit was broken"),
        ("failing", "2 of 5 thresholds missed"),
        ("second", "10 requests sent on schedule"),
        ("empty", "Nothing was sent"),
        (
            "huge",
            "The limit was broken and 1000 of 1000 thresholds missed",
        ),
    ] {
        let summary = example(name);
        assert!(
            html::page(summary).contains(&format!("{said}</h1>")),
            "{name}"
        );
        let markdown = markdown(summary);
        assert!(
            markdown
                .lines()
                .next()
                .is_some_and(|line| line.ends_with(said)),
            "{markdown}"
        );
    }
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
fn one_file_makes_its_page_and_several_are_compared() {
    let [demo, second] = ["demo", "second"].map(|name| saved("pages", name));
    let printed = report().arg(&demo).output().expect("an end");
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

    let piped = report()
        .arg("-")
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
            Some("{\"schema_version\":3}"),
            "schema_version 3, and this loadgen reads up to 2",
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
