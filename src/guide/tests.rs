use super::PAGES;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The identifiers by which links lead to a page's headings.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = without_code(page).filter(|line| line.starts_with('#'));
    let anchors = headings.map(|heading| {
        let title = heading.trim_start_matches('#').trim().to_lowercase();
        let title = title.replace(' ', "-");
        title.replace(|c: char| !c.is_alphanumeric() && c != '-', "")
    });
    anchors.collect()
}

/// The lines outside code blocks.
fn without_code(page: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    page.lines().filter(move |line| {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// The links that a page defines for use where the repository is browsed, by label.
fn defined(page: &str) -> impl Iterator<Item = (&str, &str)> {
    without_code(page).filter_map(|line| line.strip_prefix('[')?.split_once("]: "))
}

/// The module that a link to a file stands for.
fn module_path(link: &str) -> String {
    format!("crate::guide::{}", link.replacen(".md", "", 1))
}

#[test]
fn links_lead_to_headings_of_pages() {
    let pages: BTreeMap<_, _> = PAGES.iter().copied().collect();
    for (name, page) in PAGES {
        for (label, link) in defined(page) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let other = file.strip_suffix(".md").and_then(|file| pages.get(file));
            let other = other.unwrap_or_else(|| panic!("{name}: no page for {link}"));
            assert!(
                anchor.is_empty() || anchors(other).contains(anchor),
                "{name}: no heading for {link}"
            );
            let used = page.matches(&format!("][{label}]")).count();
            assert!(used > 0, "{name}: nothing uses [{label}]");
        }
        for line in without_code(page) {
            for inline in line.split("](").skip(1) {
                let link = inline.split(')').next().unwrap_or_default();
                let anchor = link.strip_prefix('#').unwrap_or_else(|| {
                    panic!("{name}: a link to another page needs a definition: {link}")
                });
                assert!(anchors(page).contains(anchor), "{name}: {link}");
            }
        }
    }
}

#[test]
fn links_of_the_documentation_lead_where_those_of_the_files_do() {
    let source = include_str!("mod.rs");
    let prelude = source.lines().filter_map(|line| {
        let line = line.trim().strip_prefix("#[doc = \"[")?;
        line.strip_suffix("\"]")?.split_once("]: ")
    });
    let prelude: BTreeMap<_, _> = prelude.collect();
    let mut used = BTreeSet::new();
    for (name, page) in PAGES {
        for (label, link) in defined(page) {
            assert_eq!(
                prelude.get(label).copied(),
                Some(&*module_path(link)),
                "{name}: {label}"
            );
            used.insert(label);
        }
    }
    let all: BTreeSet<_> = prelude.keys().copied().collect();
    assert_eq!(used, all, "every link of the documentation is used");
}

#[test]
fn every_page_is_listed() {
    let source = include_str!("mod.rs");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide");
    for entry in folder.read_dir().expect("a folder") {
        let path = entry.expect("an entry").path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if let Some(page) = name.strip_suffix(".md") {
            assert!(PAGES.iter().any(|(name, _)| *name == page), "{page}");
            assert!(source.contains(&format!("//! | [`{page}`] |")), "{page}");
        }
    }
}
