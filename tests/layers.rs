//! The layers of `src/`: a file uses its own layer and those under it, and no modules use each other in a circle.
//!
//! This reads the `use` declarations and the paths that begin with `crate`, `super`, `self` or `loadgen`. Tests, comments
//! and the arguments of macros do not count. A path that leads through a re-export counts as a use of the module that it comes from.

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use std::collections::BTreeMap;
use std::path::Path;
use std::{fmt, fs};
use syn::visit::{self, Visit};
use syn::{Attribute, Ident, ImplItemFn, Item, ItemMod, ItemUse, UseTree};

/// From the top to the bottom. A module may use those of its own row and of the rows under it.
const LAYERS: &[&[&str]] = &[
    &["main", "run", "bin"],
    &[
        "cli",
        "command",
        "guide",
        "report",
        "recording",
        "client",
        "limiter",
    ],
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
    let graph = DiGraphMap::<&str, ()>::from_edges(edges.keys());
    let mut circles = tarjan_scc(&graph);
    circles.retain(|circle| circle.len() > 1);
    circles.iter_mut().for_each(|circle| circle.sort_unstable());
    circles.sort();
    let fault = |circle: &Vec<&str>| {
        let within = |(from, to): &(&str, &str)| circle.contains(from) && circle.contains(to);
        let uses = edges.iter().filter(|(pair, _)| within(pair));
        let uses: String = uses.map(|(_, used)| format!("\n    {used}")).collect();
        format!("a circle of {}:{uses}", circle.join(", "))
    };
    circles.iter().map(fault).collect()
}

fn read_module(file: &str, text: &str) -> Module {
    let source = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut reader = Reader {
        path: module_path(file),
        is_inner: false,
        module: Module {
            file: file.to_owned(),
            ..Module::default()
        },
    };
    reader.visit_file(&source);
    reader.module
}

/// Collects what a source file uses, without the parts that are compiled for tests only.
struct Reader {
    /// The innermost module.
    path: ModulePath,
    /// Whether that is a module within the file.
    is_inner: bool,
    module: Module,
}

impl Reader {
    fn add(&mut self, ident: &Ident, path: &[String]) -> ModulePath {
        let used = absolute(&self.path, path);
        let line = ident.span().start().line;
        self.module.paths.push((line, used.clone()));
        used
    }

    /// Adds each leaf of a tree such as `a::{b, c as d}`.
    fn add_tree(&mut self, tree: &UseTree, prefix: &[String]) {
        let path = |ident: &Ident| [prefix, &[ident.to_string()]].concat();
        let (ident, path, name) = match tree {
            UseTree::Path(tree) => return self.add_tree(&tree.tree, &path(&tree.ident)),
            UseTree::Group(group) => {
                return group
                    .items
                    .iter()
                    .for_each(|tree| self.add_tree(tree, prefix));
            }
            UseTree::Glob(_) => return,
            // `a::{self}` is `a`.
            UseTree::Name(name) if name.ident == "self" => {
                (&name.ident, prefix.to_vec(), prefix.last().cloned())
            }
            UseTree::Name(name) => (&name.ident, path(&name.ident), Some(name.ident.to_string())),
            UseTree::Rename(tree) => (
                &tree.ident,
                path(&tree.ident),
                Some(tree.rename.to_string()),
            ),
        };
        let used = self.add(ident, &path);
        if let Some(name) = name
            && !self.is_inner
        {
            self.module.imports.insert(name, used);
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Struct(item) => &item.attrs,
            Item::Const(item) => &item.attrs,
            Item::Type(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        } else if let Item::Mod(item) = item {
            let path = [&self.path[..], &[item.ident.to_string()]].concat();
            self.module.test_modules.push(path);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if item.content.is_some() {
            let was_inner = std::mem::replace(&mut self.is_inner, true);
            self.path.push(item.ident.to_string());
            visit::visit_item_mod(self, item);
            self.path.pop();
            self.is_inner = was_inner;
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.add_tree(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let first = &path.segments[0].ident;
        let roots = ["crate", "super", "self", "loadgen"];
        if path.segments.len() > 1 && roots.iter().any(|root| first == root) {
            let names = path
                .segments
                .iter()
                .map(|segment| segment.ident.to_string());
            self.add(first, &Vec::from_iter(names));
        }
        visit::visit_path(self, path);
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = attribute
            .meta
            .require_list()
            .map(|list| list.tokens.to_string());
        let has = |word| {
            let words = condition
                .iter()
                .flat_map(|text| text.split(|c: char| !c.is_alphabetic()));
            words.into_iter().any(|other| other == word)
        };
        attribute.path().is_ident("cfg") && has("test") && !has("not")
    })
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
