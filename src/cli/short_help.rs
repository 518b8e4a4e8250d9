//! The help of `-h`: one screen with examples and the options that are used most. `--help` has all of them.

use super::Cli;
use super::command_line::{CommandLine, Role};
use clap::CommandFactory;
use std::ffi::OsString;

const RUN: &str = "\
loadgen sends checks to a rate limiter on an exact schedule, and says whether
the limiter keeps its limit.

  loadgen --demo                            try it, with nodes in this process
  loadgen -q 50 -z 30s http://127.0.0.1:8000/items         GET that URL
  loadgen --targets http://127.0.0.1:8000 --limit 50 --window 10s --audit
  loadgen --profile 'ramp 10/s to 500/s over 2m' plan      only show the plan
  loadgen discover http://127.0.0.1:8000/items     find out what it enforces

  --targets URLS        nodes that get POST /check, separated by commas
  -q, --rps RATE        steady rate: 10, 0.5/s or 600/m             [10]
  -z, --duration TIME   90, 90s or '1m 30s'; 0 runs until stopped   [60]
  --burst-enabled BOOL  bursts of --burst-multiplier times the rate [true]
  --preset NAME         the kind of limiter, from `loadgen presets` [check]
  --limit N, --window TIME, --keys N    each key's limit    [100, 60s, 7]
  --audit PROMISE       judge the limiter; the flag alone means any kind
  --threshold 'latency.p99 < 50ms'      exit code 4 if missed
  --report FILE, --summary-json FILE    the results as a page, as JSON
  --wait TIME           first wait until the first target is there

Commands: plan, discover, capacity, audit, merge, compare, report, kubernetes,
  presets, schema, man, completions
Exit codes: 0 fine, 1 broke, 2 refused, 3 inconclusive, 4 a check failed
All options: loadgen --help. Each is a variable too: LOADGEN_RPS=50
";

const PLAN: &str = "\
loadgen plan prints what a run with the same options would send, and when. It
sends nothing.

  loadgen plan --rps 50 --duration 2m
  loadgen --profile '50/s for 30s, burst 500 at once' plan
  loadgen plan --preset envoy --header 'X-Key: {key}'

  --rps RATE            steady rate: 10, 0.5/s or 600/m             [10]
  --duration TIME       90, 90s or '1m 30s'; 0 is without an end    [60]
  --burst-enabled BOOL  bursts of --burst-multiplier times the rate [true]
  --profile PIECES      a rate over time instead
  --preset NAME         the kind of limiter, from `loadgen presets` [check]
  --method METHOD, --path PATH, --header 'Name: value', --body TEXT
  --show-secrets        show the values that are masked otherwise

All options: loadgen plan --help. They are those of a run.
";

const DISCOVER: &str = "\
loadgen discover finds out what a limiter enforces of each key, with few
requests: limit, window, algorithm, what shares a count, and whether headers
such as Retry-After are right.

  loadgen discover --demo
  loadgen discover --targets http://node-1:8000,http://node-2:8000
  loadgen discover 'https://api.example.com/items?user={key}' --then-audit

  --targets URLS, --preset NAME, --method, --path, --header, --body
                        the requests, as in a run; {key} stands for the key
  --allowed RULES, --blocked RULES    which answers are which
  --max-requests N      send at most so many requests           [20000]
  --max-time TIME       take at most so long                    [5m]
  --max-rate RATE       send at most so many in a second        [200/s]
  --then-audit          then run the audit that holds the limiter to it
  --report FILE, --summary-json FILE    the results as a page, as JSON

Exit codes: 0 found, or no limit up to these bounds; 2 refused; 3 unknown
All options: loadgen discover --help
";

const CAPACITY: &str = "\
loadgen capacity finds the highest rate at which the limiter still meets every
threshold. It doubles the rate until a step does not hold, and then narrows.

  loadgen capacity http://127.0.0.1:8000/items
  loadgen capacity --from 1000 --to 5000 --threshold 'latency.p99 < 20ms'
  loadgen capacity --audit 'fixed-window 20/2s' --keys 50 --confirm 60s
  loadgen capacity --dry-run               only say how long it may take

  --from RATE, --to RATE      the rates of the search    [100/s, 50000/s]
  --step TIME                 how long each step lasts              [10s]
  --precision SHARE           how close it comes                     [5%]
  --settle TIME               the pause after each step              [2s]
  --confirm TIME              keep the result up for so long          [0]
  --threshold CONDITION       what must hold, instead of
                              latency.p99 < 50ms and failed.rate < 0.1%
  --report FILE, --summary-json FILE    the results as a page, as JSON

Exit codes: 0 found, 2 refused, 3 inconclusive, 4 not even --from holds
All options: loadgen capacity --help. Most are those of a run.
";

const AUDIT: &str = "\
loadgen audit judges recorded requests: files of --requests, or logs of other
programs as CSV or JSON lines.

  loadgen audit requests.csv --limit 100 --window 60s
  loadgen audit node-1.csv node-2.csv --audit 'fixed-window 20/2s by clock'
  loadgen audit access.csv --time start_ms --status code --key client

  --audit PROMISE       what the limiter promises   [auto: any kind of limit]
  --limit N, --window TIME    the limit of each key            [100, 60s]
  --complete            the files have every request that counted
  --time COLUMN, --took COLUMN, --done COLUMN     when a request was
  --key COLUMN, --status COLUMN, --verdict COLUMN, --target COLUMN
  --one-key             all requests share one limit
  --report FILE         an HTML page of the verdict

Exit codes: 0 kept, 2 refused, 3 inconclusive, 4 broken
All options: loadgen audit --help
";

const MERGE: &str = "\
loadgen merge makes one result of the stripes of a schedule, and judges the
thresholds on it. Stripes are runs with --stripe I/N, one on each machine.

  loadgen merge stripe-0.json stripe-1.json --output all.json
  loadgen merge results/ --output all.json --report all.html
  loadgen merge results/ --stripes 8 --wait 15m --output results/all.json

  FILE...               what --summary-json wrote for each stripe, or folders
  --output FILE         the merged summary as JSON; - is standard output
  --report FILE, --summary-markdown FILE    its pages
  --wait TIME           wait until the summaries of all stripes are there
  --stripes N           how many there are; by default, the summaries say it
  --start-at INSTANT    merge only stripes that started then

Exit codes: 0 fine, 2 refused, 3 inconclusive or a stripe is missing,
            4 a threshold was missed
All options: loadgen merge --help
";

const REPORT: &str = "\
loadgen report makes an HTML page of saved summaries.

  loadgen report summary.json --output report.html
  loadgen report before.json after.json --output compared.html

  FILE...               what --summary-json wrote; - is standard input.
                        Several are compared, each with the first
  --output FILE         the page; - is standard output

All options: loadgen report --help
";

const COMPARE: &str = "\
loadgen compare tells a change between runs from noise.

  loadgen compare base.json new.json
  loadgen compare base.json new.json --fail-if 'latency.p99 > 10% worse'
  loadgen compare base1.json base2.json --to new1.json new2.json

  FILE...               what --summary-json wrote: a base run and a new one
  --to FILE...          several new runs; the files before are base runs
  --fail-if CONDITION   exit code 4 if it is met
  --output FILE         an HTML page of the comparison

Exit codes: 0 no condition is met, 2 refused, 3 too noisy to tell, 4 one is met
All options: loadgen compare --help
";

const KUBERNETES: &str = "\
loadgen kubernetes prints the manifests of a run whose load several pods share:
each sends a stripe of one schedule, and their results are merged.

  loadgen kubernetes --stripes 8 -- --rps 50000 http://node/items >run.yaml
  kubectl apply --server-side -f run.yaml

  --stripes N           how many pods share the load
  --name NAME, --namespace NAME       of the objects
  --image IMAGE         the image of loadgen, as the nodes pull it
  --start-in TIME       the start: the first full minute after this time  [2m]
  --claim NAME          an existing volume claim for the results
  --storage-class NAME, --storage SIZE                of the new claim  [1Gi]
  --secret NAME         a Secret with the variables that {env:NAME} stands for
  --merge-wait TIME     how long the merge waits for all results
  -- OPTIONS            the options of the run and its URLs

All options: loadgen kubernetes --help
";

const SCHEMA: &str = "\
loadgen schema prints the JSON schema of a result.

  loadgen schema                     of the summary of a run
  loadgen schema audit               of the audit of recorded requests
";

/// The short help that a command line asks for. `None` if it asks for the whole help, or the command has no shorter one.
pub(super) fn requested(typed: &[OsString]) -> Option<&'static str> {
    let command = Cli::command();
    let line = CommandLine::new(&command, typed);
    let asks = |(word, role): &(&str, &Role)| {
        matches!(role, Role::Flag(_)) && ["-h", "--help", "-V", "--version"].contains(word)
    };
    let words = line.words.iter().map(|word| &**word);
    let (word, _) = words.zip(&line.roles).find(asks)?;
    if word != "-h" {
        return None;
    }
    match line.subcommand().map(|subcommand| subcommand.get_name()) {
        None => Some(RUN),
        Some("plan") => Some(PLAN),
        Some("discover") => Some(DISCOVER),
        Some("capacity") => Some(CAPACITY),
        Some("audit") => Some(AUDIT),
        Some("merge") => Some(MERGE),
        Some("report") => Some(REPORT),
        Some("compare") => Some(COMPARE),
        Some("kubernetes") => Some(KUBERNETES),
        Some("schema") => Some(SCHEMA),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit_code::MEANINGS;

    #[test]
    fn the_short_help_is_one_screen_and_names_options_that_exist() {
        let command = Cli::command();
        for (name, text) in [
            (None, RUN),
            (Some("plan"), PLAN),
            (Some("discover"), DISCOVER),
            (Some("capacity"), CAPACITY),
            (Some("audit"), AUDIT),
            (Some("merge"), MERGE),
            (Some("report"), REPORT),
            (Some("compare"), COMPARE),
            (Some("kubernetes"), KUBERNETES),
            (Some("schema"), SCHEMA),
        ] {
            assert!(text.lines().count() <= 25, "{name:?} is too long");
            for line in text.lines() {
                assert!(line.chars().count() <= 79, "{line}");
            }
            let own = name.map_or(&command, |name| command.find_subcommand(name).unwrap());
            let is_long = |c: char| c.is_ascii_lowercase() || c == '-';
            let lines = text.lines();
            let own_lines: Vec<_> = lines.filter(|line| !line.contains("kubectl ")).collect();
            for flag in own_lines.join("\n").split("--").skip(1) {
                let long = flag.split(|c| !is_long(c)).next().unwrap();
                let mut all = own.get_arguments().chain(command.get_arguments());
                let is_known = all.any(|argument| argument.get_long() == Some(long));
                // Behind `--` alone stand words of another command line.
                let is_no_option = ["help", ""].contains(&long);
                assert!(is_known || is_no_option, "{name:?}: --{long}");
            }
        }
        for subcommand in command.get_subcommands() {
            assert!(RUN.contains(subcommand.get_name()));
        }
        for meaning in &MEANINGS[..5] {
            assert!(RUN.contains(&format!("{} ", meaning.codes[0])));
        }
    }

    #[test]
    fn its_defaults_are_those_of_the_options() {
        let command = Cli::command();
        for (long, shown) in [
            ("rps", "[10]"),
            ("duration", "[60]"),
            ("burst-enabled", "[true]"),
            ("preset", "[check]"),
            ("limit", "[100, "),
            ("window", ", 60s, "),
            ("keys", ", 7]"),
        ] {
            let mut all = command.get_arguments();
            let argument = all.find(|argument| argument.get_long() == Some(long));
            let default = argument.unwrap().get_default_values()[0].to_str().unwrap();
            assert!(shown.contains(default) && RUN.contains(shown), "--{long}");
        }
        let discover = command.find_subcommand("discover").unwrap();
        for (long, shown) in [
            ("max-requests", "[20000]"),
            ("max-time", "[5m]"),
            ("max-rate", "[200/s]"),
        ] {
            let mut all = discover.get_arguments();
            let argument = all.find(|argument| argument.get_long() == Some(long));
            let default = argument.unwrap().get_default_values()[0].to_str().unwrap();
            assert!(
                shown.contains(default) && DISCOVER.contains(shown),
                "--{long}"
            );
        }
    }
}
