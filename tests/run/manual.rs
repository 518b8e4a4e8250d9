//! `loadgen completions SHELL` and `loadgen man`, as shells and `man` take them.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::support::run::loadgen;

/// Returns the printed text.
#[track_caller]
fn printed(line: &str) -> String {
    let finished = loadgen(line).finish();
    assert_eq!(finished.code(), Some(0), "{finished}");
    assert!(finished.stderr.is_empty(), "{finished}");
    finished.stdout()
}

/// Runs a program with this text as its standard input. Returns `None` if it is not installed.
fn fed(program: &str, arguments: &[&str], input: &str) -> Option<Output> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    let mut stdin = child.stdin.take().expect("a pipe");
    let writer = std::thread::spawn({
        let input = input.to_owned();
        move || stdin.write_all(input.as_bytes())
    });
    let output = child.wait_with_output().expect("a child to wait for");
    // A program may stop reading at its first error. Its exit code then reports that.
    let _ = writer.join().expect("a writer that did not panic");
    Some(output)
}

#[track_caller]
fn assert_accepts(program: &str, arguments: &[&str], input: &str) {
    let Some(output) = fed(program, arguments, input) else {
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "{program}: {said}"
    );
}

#[test]
fn shells_accept_their_scripts() {
    assert_accepts("bash", &["-n"], &printed("completions bash"));
    assert_accepts("zsh", &["-n"], &printed("completions zsh"));
    assert_accepts("fish", &["-n"], &printed("completions fish"));
    assert!(printed("completions elvish").contains("edit:completion"));
    assert!(printed("completions powershell").contains("Register-ArgumentCompleter"));
}

#[test]
fn bash_completes_options_their_values_and_subcommands() {
    let script = printed("completions bash");
    let complete = r#"
        complete_words() {
            COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMPREPLY=()
            _loadgen loadgen "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            echo "$*:${COMPREPLY[*]}"
        }
        complete_words loadgen --thr
        complete_words loadgen --preset kon
        complete_words loadgen --demo-limiter per
        complete_words loadgen --abort-on-fail t
        complete_words loadgen plan --burst-en
        complete_words loadgen compl
        complete_words loadgen completions pow
        complete_words loadgen presets ngi
    "#;
    let output = fed("bash", &["--norc"], &format!("{script}\n{complete}")).expect("bash");
    let expected = "loadgen --thr:--threshold
loadgen --preset kon:kong
loadgen --demo-limiter per:per-node
loadgen --abort-on-fail t:true
loadgen plan --burst-en:--burst-enabled
loadgen compl:completions
loadgen completions pow:powershell
loadgen presets ngi:nginx
";
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{said}");
}

#[test]
fn the_man_page_is_valid_roff() {
    let page = printed("man");
    assert!(page.contains(".TH loadgen 1 "), "{page}");
    for section in [
        "NAME",
        "SYNOPSIS",
        "THRESHOLDS",
        "SUBCOMMANDS",
        "\"EXIT STATUS\"",
    ] {
        assert!(page.contains(&format!("\n.SH {section}\n")), "{section}");
    }
    let macros = [
        ".TH", ".SH", ".TP", ".RS", ".RE", ".PP", ".br", ".ie", ".el",
    ];
    for line in page.lines().filter(|line| line.starts_with(['.', '\''])) {
        let name = line.split(' ').next().unwrap_or_default();
        assert!(macros.contains(&name), "{line}");
    }
    assert_accepts("groff", &["-man", "-Tutf8", "-Kutf8", "-ww", "-z"], &page);
}

#[test]
fn an_unknown_shell_is_refused() {
    for (line, says) in [
        (
            "completions tcsh",
            "SHELL 'tcsh': must be one of bash, elvish, fish, powershell, zsh",
        ),
        (
            "completions",
            "SHELL: must be given; usage: loadgen completions <SHELL>",
        ),
    ] {
        let finished = loadgen(line).finish();
        assert_eq!(finished.code(), Some(2), "{finished}");
        assert_eq!(finished.stderr, format!("loadgen: {says}\n"));
    }
}
