//! The layers of `src/`: a file uses its own layer and those under it, and no modules use each other in a circle.
//!
//! This reads the `use` declarations and the paths that begin with `crate`, `super`, `self` or `loadgen`. Tests and
//! comments do not count. A path that leads through a re-export counts as a use of the module that it comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fmt, fs};

/// From the top to the bottom. A module may use those of its own row and of the rows under it.
const LAYERS: &[&[&str]] = &[
    &["main", "run", "bin"],
    &["cli", "command", "report", "client", "limiter"],
    &["engine"],
    &["core"],
    &["system"],
    &["base"],
];

/// The core is pure: it must not use the operating system, although that is under it.
const PURE: &str = "core";
const IMPURE: &str = "system";

#[test]
fn no_file_uses_a_layer_above_its_own_and_no_modules_form_a_circle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    read_folder(&root, &root, &mut files);
    assert!(files.len() > 100, "only {} files in {root:?}", files.len());
    let faults = faults(&files);
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Adds every source file with its path relative to the root.
fn read_folder(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            read_folder(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).expect("a path under the root");
            let text = fs::read_to_string(&path).expect("a readable file");
            files.push((name.to_str().expect("a path in UTF-8").to_owned(), text));
        }
    }
}

type ModulePath = Vec<String>;

/// One source file.
#[derive(Default)]
struct Module {
    file: String,
    /// The names that its `use` declarations bring in, and what they stand for.
    imports: BTreeMap<String, ModulePath>,
    /// The paths that it names, made absolute, each with its line.
    paths: Vec<(usize, ModulePath)>,
    /// The files that are compiled for tests only.
    test_modules: Vec<ModulePath>,
}

/// A file names a module other than itself.
struct Use<'a> {
    file: &'a str,
    line: usize,
    from: &'a [String],
    to: ModulePath,
}

impl fmt::Display for Use<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from.join("::"), self.to.join("::"));
        write!(f, "src/{}:{}: {from} uses {to}", self.file, self.line)
    }
}

/// Each upward use and each circle, one string each.
fn faults(files: &[(String, String)]) -> Vec<String> {
    let mut modules: BTreeMap<ModulePath, Module> = files
        .iter()
        .map(|(file, text)| (module_path(file), read_module(file, text)))
        .collect();
    let tests: Vec<ModulePath> = modules
        .values()
        .flat_map(|module| module.test_modules.clone())
        .collect();
    modules.retain(|path, _| !tests.iter().any(|test| path.starts_with(test)));
    let uses = uses(&modules);
    let mut faults = upward(&modules, &uses);
    faults.extend(circles(&uses));
    faults
}

/// `core/plan/mod.rs` is `core::plan`, and so is `core/plan.rs`.
fn module_path(file: &str) -> ModulePath {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    let path = if path == "lib" { "" } else { path };
    path.split('/')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

fn uses(modules: &BTreeMap<ModulePath, Module>) -> Vec<Use<'_>> {
    let mut uses = Vec::new();
    for (from, module) in modules {
        for (line, path) in &module.paths {
            let to = defining_module(modules, path);
            if to != *from {
                uses.push(Use {
                    file: &module.file,
                    line: *line,
                    from,
                    to,
                });
            }
        }
    }
    uses
}

/// The module that defines the last name of a path, however many re-exports lead there.
fn defining_module(modules: &BTreeMap<ModulePath, Module>, path: &[String]) -> ModulePath {
    let mut path = path.to_vec();
    let mut at = 0;
    // Imports that lead to each other have no end.
    for _ in 0..100 {
        let Some(name) = path.get(at) else { break };
        if modules.contains_key(&path[..=at]) {
            at += 1;
            continue;
        }
        let import = modules
            .get(&path[..at])
            .and_then(|module| module.imports.get(name));
        let Some(import) = import else { break };
        let rest = path.split_off(at + 1);
        path.clone_from(import);
        path.extend(rest);
        at = 0;
    }
    path.truncate(at);
    path
}

/// Its row in [`LAYERS`].
fn layer(path: &[String]) -> Option<usize> {
    let room = path.first()?.as_str();
    LAYERS.iter().position(|layer| layer.contains(&room))
}

fn upward(modules: &BTreeMap<ModulePath, Module>, uses: &[Use<'_>]) -> Vec<String> {
    let homeless = modules
        .iter()
        .filter(|(path, _)| !path.is_empty() && layer(path).is_none())
        .map(|(_, module)| format!("src/{}: this belongs to no layer", module.file));
    let upward = uses
        .iter()
        .filter(|used| !used.to.is_empty() && layer(&used.to) < layer(used.from))
        .map(|used| format!("{used}, which is in a layer above"));
    let impure = uses
        .iter()
        .filter(|used| {
            used.from.starts_with(&[PURE.into()]) && used.to.starts_with(&[IMPURE.into()])
        })
        .map(|used| format!("{used}, and {PURE} is pure"));
    homeless.chain(upward).chain(impure).collect()
}

/// The circles among the children of each module, what is inside of a child counted with it. A circle through several
/// layers has an upward use, which is reported as such.
fn circles(uses: &[Use<'_>]) -> Vec<String> {
    // The uses between two children, by their parent.
    let mut families: BTreeMap<&[String], BTreeMap<(&str, &str), &Use<'_>>> = BTreeMap::new();
    let in_one_layer = |used: &&Use<'_>| layer(used.from) == layer(&used.to);
    for used in uses.iter().filter(in_one_layer) {
        let mut both = used.from.iter().zip(&used.to);
        if let Some(depth) = both.position(|(from, to)| from != to) {
            let pair = (used.from[depth].as_str(), used.to[depth].as_str());
            let family = families.entry(&used.from[..depth]).or_default();
            family.entry(pair).or_insert(used);
        }
    }
    families.values().flat_map(circles_of_siblings).collect()
}

fn circles_of_siblings(edges: &BTreeMap<(&str, &str), &Use<'_>>) -> Vec<String> {
    let mut reaches: BTreeSet<(&str, &str)> = edges.keys().copied().collect();
    let names: BTreeSet<&str> = edges.keys().flat_map(|(from, to)| [*from, *to]).collect();
    for through in &names {
        for from in &names {
            for to in &names {
                if reaches.contains(&(from, through)) && reaches.contains(&(through, to)) {
                    reaches.insert((from, to));
                }
            }
        }
    }
    // Each circle is reported by the first of its names.
    let circle = |name: &&str| -> Vec<&str> {
        let on_it =
            |other: &&&str| reaches.contains(&(name, other)) && reaches.contains(&(other, name));
        names.iter().filter(on_it).copied().collect()
    };
    let mut faults = Vec::new();
    for name in &names {
        let circle = circle(name);
        if circle.first() == Some(name) {
            let within = |pair: &(&str, &str)| circle.contains(&pair.0) && circle.contains(&pair.1);
            let uses = edges.iter().filter(|(pair, _)| within(pair));
            let uses: Vec<String> = uses.map(|(_, used)| format!("\n    {used}")).collect();
            faults.push(format!(
                "a circle of {}:{}",
                circle.join(", "),
                uses.concat()
            ));
        }
    }
    faults
}

/// A word or one character of punctuation, with its line.
type Token<'a> = (usize, &'a str);

/// The tokens of a source text, without comments, literals and lifetimes.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let word = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let after_word = &rest[word..];
        let hashes = after_word.len() - after_word.trim_start_matches('#').len();
        let raw = matches!(&rest[..word], "r" | "br") && after_word[hashes..].starts_with('"');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if raw {
            let end = format!("\"{}", "#".repeat(hashes));
            let content = word + hashes + 1;
            rest[content..]
                .find(&end)
                .map_or(rest.len(), |at| content + at + end.len())
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' {
            // A lifetime has no closing quote where a character has one.
            let mut next = rest[1..].chars();
            let (second, third) = (next.next(), next.next());
            if second == Some('\\') || third == Some('\'') {
                quoted(rest, '\'')
            } else {
                1
            }
        } else if word > 0 {
            tokens.push((line, &rest[..word]));
            word
        } else {
            if !first.is_whitespace() {
                tokens.push((line, &rest[..first.len_utf8()]));
            }
            first.len_utf8()
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

/// The length of a literal that begins and ends with this quote.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

fn read_module(file: &str, text: &str) -> Module {
    let tokens = tokens(text);
    let mut module = Module {
        file: file.to_owned(),
        ..Module::default()
    };
    // The innermost module, and the depths of braces at which the modules in the file begin.
    let mut path = module_path(file);
    let (mut depth, mut inner) = (0, Vec::new());
    let mut at = 0;
    while let Some(&(line, token)) = tokens.get(at) {
        let word = |ahead: usize| tokens.get(at + ahead).map_or("", |token| token.1);
        match token {
            "#" if word(1) == "[" && word(2) == "cfg" => {
                let end = closing(&tokens, at + 1);
                let condition = &tokens[at + 2..end];
                let has = |wanted| condition.iter().any(|token| token.1 == wanted);
                if has("test") && !has("not") {
                    let item = &tokens[end + 1..];
                    if let Some(name) = module_declared(item) {
                        module.test_modules.push([&path[..], &[name]].concat());
                    }
                    at = end + 1 + item_length(item);
                    continue;
                }
            }
            "mod" if word(2) == "{" => {
                path.push(word(1).to_owned());
                inner.push(depth);
            }
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if inner.last() == Some(&depth) {
                    inner.pop();
                    path.pop();
                }
            }
            "use" => {
                let mut leaves = Vec::new();
                at = path_tree(&tokens, at + 1, &[], &mut leaves);
                for (line, name, used) in leaves {
                    let used = absolute(&path, &used);
                    if inner.is_empty() {
                        module.imports.insert(name, used.clone());
                    }
                    module.paths.push((line, used));
                }
                continue;
            }
            "crate" | "super" | "self" | "loadgen" if word(1) == ":" && word(2) == ":" => {
                let mut leaves = Vec::new();
                at = path_tree(&tokens, at, &[], &mut leaves);
                let used = leaves.into_iter().map(|leaf| absolute(&path, &leaf.2));
                module.paths.extend(used.map(|used| (line, used)));
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    module
}

/// `#[…] pub(super) mod name;` gives `name`.
fn module_declared(item: &[Token<'_>]) -> Option<String> {
    let end = item.iter().position(|token| token.1 == ";")?;
    match &item[..end] {
        [.., (_, "mod"), (_, name)] => Some((*name).to_owned()),
        _ => None,
    }
}

/// Up to the end of an item, a field or a statement.
fn item_length(item: &[Token<'_>]) -> usize {
    let mut at = 0;
    while let Some(&(_, token)) = item.get(at) {
        match token {
            ";" => return at + 1,
            "{" => return closing(item, at) + 1,
            "(" | "[" => at = closing(item, at),
            ")" | "]" | "}" => return at,
            _ => {}
        }
        at += 1;
    }
    at
}

/// The place of the bracket that closes the one at this place.
fn closing(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.1 {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len() - 1
}

/// Reads a path, or a tree of paths as in `a::{b, c as d}`, into its leaves: the line, the name that it brings in, and the
/// segments. Returns the place of the first token after it.
fn path_tree(
    tokens: &[Token<'_>],
    mut at: usize,
    prefix: &[String],
    leaves: &mut Vec<(usize, String, ModulePath)>,
) -> usize {
    let mut path = prefix.to_vec();
    let mut line = 0;
    let word = |at: usize| tokens.get(at).map_or("", |token| token.1);
    loop {
        match word(at) {
            "{" => {
                let end = closing(tokens, at);
                at += 1;
                while at < end {
                    at = path_tree(tokens, at, &path, leaves);
                    at += usize::from(word(at) == ",");
                }
                return end + 1;
            }
            name if name.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                line = tokens[at].0;
                // `a::{self}` is `a`.
                if name != "self" || path.is_empty() {
                    path.push(name.to_owned());
                }
                at += 1;
            }
            _ => at += 1,
        }
        let goes_on = word(at) == ":" && word(at + 1) == ":" && word(at + 2) != "<";
        if !goes_on {
            break;
        }
        at += 2;
    }
    let mut name = path.last().cloned().unwrap_or_default();
    if word(at) == "as" {
        name = word(at + 1).to_owned();
        at += 2;
    }
    leaves.push((line, name, path));
    at
}

/// From the root of the crate. The path of another crate stays as it is, and leads to no module.
fn absolute(module: &[String], path: &[String]) -> ModulePath {
    let supers = path.iter().take_while(|name| *name == "super").count();
    let (base, skipped) = match path.first().map(String::as_str) {
        Some("crate" | "loadgen") => (&module[..0], 1),
        Some("self") => (module, 1),
        Some("super") => (&module[..module.len().saturating_sub(supers)], supers),
        _ => (module, 0),
    };
    [base, &path[skipped..]].concat()
}

// Tests of the above.

fn faults_of(files: &[(&str, &str)]) -> Vec<String> {
    let owned = |(file, text): &(&str, &str)| ((*file).to_owned(), (*text).to_owned());
    faults(&files.iter().map(owned).collect::<Vec<_>>())
}

#[test]
fn an_upward_use_is_reported_with_its_place() {
    let files = [
        ("cli/mod.rs", "use crate::engine::Run;\npub struct Options;"),
        ("engine/mod.rs", "fn run(\n) -> crate::cli::Options {}"),
        (
            "core/keys.rs",
            "use crate::{\n    base::time,\n    engine::{self},\n};",
        ),
        ("core/presets.rs", "use crate::system::clock;"),
        ("system/mod.rs", "use crate::base::time;"),
        ("base/mod.rs", ""),
        ("base/time.rs", "use super::super::system::clock;"),
        ("elsewhere.rs", ""),
    ];
    assert_eq!(
        faults_of(&files),
        [
            "src/elsewhere.rs: this belongs to no layer",
            "src/base/time.rs:1: base::time uses system, which is in a layer above",
            "src/core/keys.rs:3: core::keys uses engine, which is in a layer above",
            "src/engine/mod.rs:2: engine uses cli, which is in a layer above",
            "src/core/presets.rs:1: core::presets uses system, and core is pure",
        ]
    );
}

#[test]
fn a_circle_of_siblings_is_reported_even_if_it_leads_through_a_reexport() {
    let files = [
        ("cli/mod.rs", "use crate::report::Console;"),
        ("report/mod.rs", "use crate::cli::Options;"),
        (
            "core/mod.rs",
            "mod a; mod b; mod c; mod d;\npub use c::Third as Last;",
        ),
        ("core/a/mod.rs", "use super::d;"),
        ("core/a/inner.rs", "use crate::core::b;"),
        ("core/b.rs", "use super::Last;"),
        ("core/c.rs", "fn third() { super::a::first() }"),
        ("core/d.rs", ""),
    ];
    assert_eq!(
        faults_of(&files),
        [
            "a circle of cli, report:\n    \
          src/cli/mod.rs:1: cli uses report\n    \
          src/report/mod.rs:1: report uses cli",
            "a circle of a, b, c:\n    \
          src/core/a/inner.rs:1: core::a::inner uses core::b\n    \
          src/core/b.rs:1: core::b uses core::c\n    \
          src/core/c.rs:1: core::c uses core::a"
        ]
    );
}

#[test]
fn downward_uses_and_ancestors_are_allowed_and_tests_comments_and_literals_do_not_count() {
    let engine = r##"
        //! Reads [`crate::cli`].
        /* use crate::cli; */
        use crate::core::{keys::Dealer, plan as plans};
        use std::cli;
        #[cfg(test)]
        use crate::report::Console;
        #[cfg(test)]
        mod tests;
        #[cfg(not(test))]
        use crate::base::Nanos;
        const TEXT: &str = "crate::cli";
        const RAW: &str = r#"" crate::cli"#;
        fn quotes<'a>(c: char) -> bool { c == '"' || c == '\'' }
        #[cfg(all(test, unix))]
        fn fake() -> [crate::cli::Options; 2] { crate::cli::options() }
    "##;
    let files = [
        ("main.rs", "use loadgen::cli;\nuse loadgen::engine;"),
        ("base/mod.rs", ""),
        ("cli/mod.rs", "mod given;\nuse given::Given;"),
        (
            "cli/given.rs",
            "use super::Options;\nuse crate::core::keys;",
        ),
        ("core/mod.rs", ""),
        ("core/keys.rs", "use super::super::base;"),
        ("engine/mod.rs", engine),
        ("engine/tests.rs", "use crate::cli::Options;"),
        ("report/mod.rs", ""),
    ];
    assert_eq!(faults_of(&files), [""; 0]);
}
