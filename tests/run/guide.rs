//! The commands and the transcripts of the guide and the README.

use crate::support::run::loadgen;
use std::fs;
use std::path::{Path, PathBuf};

/// A block of code, with its language.
struct Block {
    language: String,
    text: String,
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = root.join("src/guide").read_dir().expect("a folder");
    let guide = guide.map(|entry| entry.expect("an entry").path());
    let mut pages: Vec<_> = guide
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.push(root.join("README.md"));
    pages
}

fn blocks(page: &Path) -> Vec<Block> {
    let text = fs::read_to_string(page).expect("a page");
    let parts = text.split("\n```");
    let blocks = parts.skip(1).step_by(2).map(|block| {
        let (language, text) = block.split_once('\n').unwrap_or((block, ""));
        Block {
            language: language.to_owned(),
            text: text.to_owned(),
        }
    });
    blocks.collect()
}

#[test]
fn transcripts_are_what_the_command_prints() {
    let mut tried = 0;
    for page in pages() {
        for block in blocks(&page) {
            let Some((command, output)) = block
                .text
                .strip_prefix("$ loadgen plan")
                .and_then(|rest| rest.split_once('\n'))
            else {
                continue;
            };
            let arguments = shlex::split(command).expect("balanced quotes");
            let finished = loadgen("plan").args(arguments).finish();
            assert_eq!(finished.code(), Some(0), "{finished}");
            let printed = finished.stdout();
            match output.strip_suffix("\n…") {
                Some(beginning) => assert!(
                    printed.starts_with(&format!("{beginning}\n")),
                    "{}: {command}\n{printed}",
                    page.display()
                ),
                None => assert_eq!(printed.trim_end(), output, "{}", page.display()),
            }
            tried += 1;
        }
    }
    assert!(tried >= 5, "{tried} transcripts");
}

/// The commands of shell blocks that begin a run, as arguments.
fn runs(block: &Block) -> Vec<Vec<String>> {
    let mut runs = Vec::new();
    let text = block.text.replace("\\\n", " ");
    for line in text.lines().filter(|_| block.language == "sh") {
        let words = shlex::split(line).expect("balanced quotes");
        if let Some((program, arguments)) = words.split_first()
            && program == "loadgen"
            && !arguments.iter().any(|word| word == "|")
            && !matches!(
                &*arguments[0],
                "audit" | "merge" | "report" | "compare" | "schema" | "discover" | "completions"
            )
        {
            let own = arguments.iter().take_while(|word| *word != ">");
            let without_plan = own.filter(|word| *word != "plan");
            runs.push(without_plan.cloned().collect());
        }
    }
    runs
}

#[test]
fn commands_are_accepted() {
    let mut tried = 0;
    for page in pages() {
        for arguments in blocks(&page).iter().flat_map(runs) {
            // A search without its steps is like a plan.
            let command = match &*arguments[0] {
                "capacity" => "capacity --dry-run=true",
                "kubernetes" => "kubernetes",
                _ => "plan",
            };
            let is_command = |word: &String| ["capacity", "kubernetes"].contains(&&**word);
            let options = arguments.iter().filter(|word| !is_command(word));
            // A variable that a page sets aside for a secret.
            let launch = loadgen(command).args(options).env("TOKEN", "a secret");
            let finished = launch.finish();
            // Files that a page names are not here.
            let is_missing_file = finished.stderr.contains("No such file or directory");
            // Nor are all programs that events run.
            let is_missing_program = finished.stderr.contains("is not in the folders of PATH");
            assert!(
                finished.code() == Some(0) || is_missing_file || is_missing_program,
                "{}: {arguments:?}\n{finished}",
                page.display()
            );
            tried += 1;
        }
    }
    assert!(tried >= 5, "{tried} commands");
}
