//! The completion scripts and the man page, made from the options' definitions.

use super::Cli;
use crate::core::audit::Algorithm;
use crate::core::summary::SCHEMAS;
use crate::core::{exit_code, presets};
use crate::limiter::DemoLimiter;
use clap::builder::PossibleValuesParser;
use clap::{Arg, Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use roff::{Inline, Roff, bold, italic, roman};

/// The script that completes the command line in a shell.
pub fn completions(shell: Shell) -> String {
    let mut command = with_values(Cli::command());
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Adds the possible values of options that have few, because their parsers do not list them.
fn with_values(command: Command) -> Command {
    let with_values = |argument: Arg| match values(&argument) {
        Some(values) => argument.value_parser(PossibleValuesParser::new(values)),
        None => argument,
    };
    command
        .mut_args(with_values)
        .mut_subcommands(|command| command.mut_args(with_values))
}

fn values(argument: &Arg) -> Option<Vec<&'static str>> {
    match argument.get_id().as_str() {
        "preset" | "name" => Some(presets::ALL.iter().map(|preset| preset.name).collect()),
        "schema" => Some(SCHEMAS.map(|schema| schema.name).to_vec()),
        "arrivals" => Some(vec!["uniform", "poisson"]),
        "audit" => {
            let algorithms = Algorithm::ALL.map(Algorithm::name);
            Some(algorithms.into_iter().chain(["auto", "off"]).collect())
        }
        "demo_limiter" => Some(DemoLimiter::all().map(DemoLimiter::name).collect()),
        _ => {
            let names = argument.get_value_names().unwrap_or_default();
            let is_boolean = names.iter().any(|name| name == "BOOL");
            is_boolean.then(|| vec!["true", "false"])
        }
    }
}

/// A blank date. clap_mangen would print the version in place of an empty one.
const NO_DATE: &str = " ";

/// The man page, in roff.
pub fn man() -> String {
    let command = Cli::command();
    let man = Man::new(command.clone()).date(NO_DATE).manual("loadgen");
    let mut page = Vec::new();
    let sections = [
        Man::render_title,
        Man::render_name_section,
        Man::render_synopsis_section,
        Man::render_description_section,
        Man::render_options_section,
    ];
    for render in sections {
        render(&man, &mut page).expect("memory to write to");
    }
    let page = String::from_utf8_lossy(&page).into_owned();
    format!("{page}{}{}", subcommands(&command), exit_status())
}

fn subcommands(command: &Command) -> String {
    let mut roff = Roff::new();
    roff.control("SH", ["SUBCOMMANDS"]);
    for subcommand in command.get_subcommands() {
        let mut name = vec![bold(subcommand.get_name())];
        for argument in subcommand.get_positionals() {
            name.push(roman(" "));
            name.push(italic(argument.to_string()));
        }
        if subcommand.get_opts().next().is_some() {
            name.extend([roman(" "), italic("[OPTIONS]")]);
        }
        let about = subcommand.get_about().unwrap_or_default().to_string();
        tagged(&mut roff, name, &format!("{about}."));
    }
    roff.render()
}

fn exit_status() -> String {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for meaning in exit_code::MEANINGS {
        let codes: Vec<_> = meaning.codes.iter().map(u8::to_string).collect();
        tagged(&mut roff, vec![bold(codes.join(", "))], meaning.long);
    }
    roff.render()
}

fn tagged(roff: &mut Roff, tag: Vec<Inline>, text: &str) {
    roff.control("TP", []);
    roff.text(tag);
    roff.text([roman(text)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;
    use std::fs;
    use std::path::{Path, PathBuf};

    #[test]
    fn the_man_page_has_every_option_with_its_variable_and_default() {
        let page = man().replace("\\-", "-").replace("\\&", "");
        for option in Cli::command().get_opts() {
            let long = option.get_long().expect("a flag");
            let begins = page.find(&format!("\\fB--{long}\\fR")).expect(long);
            let said = &page[begins..];
            let said = &said[..said.find(".TP").unwrap_or(said.len())];
            for default in option.get_default_values() {
                let default = format!("[default: {}]", default.display());
                assert!(said.contains(&default), "{default} in {said}");
            }
            if let Some(variable) = option.get_env() {
                let variable = format!("\\fB{}\\fR environment", variable.display());
                assert!(said.contains(&variable), "{variable} in {said}");
            }
        }
        for word in [
            "plan",
            "presets",
            "audit",
            "schema",
            "completions",
            "man",
            "0",
            "4",
            "130, 143",
        ] {
            let tag = format!(".TP\n\\fB{word}\\fR");
            assert!(page.contains(&tag), "{tag}");
        }
    }

    fn options_page() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide/options.md")
    }

    /// The guide's page of all options, in Markdown.
    fn options() -> String {
        let mut page = String::from(
            "# Options\n\nEvery option is a flag and an environment variable; the flag overrides the variable. An empty \
             variable is\nignored. Seven variables also work without their prefix: `TARGETS`, `RPS`, `DURATION`, \
             `BURST_ENABLED`,\n`BURST_MULTIPLIER`, `BURST_DURATION` and `BURST_INTERVAL`. `LOADGEN_AUDIT_DEFAULT` is \
             read if `LOADGEN_AUDIT` is not\nset. The heading of a run names the variables that took effect.\n\n[URLs as arguments][urls] take the \
             place of `--targets`.\n\nTimes are seconds, or `250ms`, `90s`, `2m`, `1h30m`, `7d`.\n",
        );
        let command = Cli::command();
        page += "\n## loadgen and loadgen plan\n";
        add_tables(&mut page, &command, &|_| true);
        for subcommand in command.get_subcommands() {
            let name = subcommand.get_name();
            let is_new = |option: &Arg| {
                !command.get_opts().any(|other| {
                    other.get_long() == option.get_long() && other.get_help() == option.get_help()
                })
            };
            if subcommand.get_opts().any(is_new) {
                page += &format!("\n## loadgen {name}\n");
                add_tables(&mut page, subcommand, &is_new);
            }
        }
        page + "\n[urls]: targets.md#urls-as-arguments\n"
    }

    /// Adds a table for each heading of the help.
    fn add_tables(page: &mut String, command: &Command, is_wanted: &dyn Fn(&Arg) -> bool) {
        let options: Vec<_> = command
            .get_opts()
            .filter(|option| is_wanted(option))
            .collect();
        let mut headings = Vec::new();
        for option in &options {
            let heading = option.get_help_heading();
            if !headings.contains(&heading) {
                headings.push(heading);
            }
        }
        for heading in headings {
            if let Some(heading) = heading {
                *page += &format!("\n### {heading}\n");
            }
            *page += "\n| option | variable | default | |\n| --- | --- | --- | --- |\n";
            let options = options.iter();
            for option in options.filter(|option| option.get_help_heading() == heading) {
                *page += &row(option);
            }
        }
    }

    fn row(option: &Arg) -> String {
        let code = |text: &str| format!("`{text}`");
        let long = option.get_long().expect("a flag");
        let values = option.get_value_names().unwrap_or_default();
        let values: String = values.iter().map(|name| format!(" {name}")).collect();
        let shorts = option.get_short_and_visible_aliases().into_iter().flatten();
        let shorts: String = shorts.map(|short| format!("-{short}, ")).collect();
        let variable = option.get_env().map(|name| code(&name.to_string_lossy()));
        let defaults = option.get_default_values().iter();
        let defaults: Vec<_> = defaults
            .map(|value| code(&value.to_string_lossy()))
            .collect();
        let help = option.get_help().expect("help").to_string();
        let cells = [
            code(&format!("{shorts}--{long}{values}")),
            variable.unwrap_or_default(),
            defaults.join(", "),
            format!("{help}."),
        ];
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        format!("| {} |\n", cells.join(" | "))
    }

    #[test]
    fn the_guide_has_the_options_of_today() {
        let page = fs::read_to_string(options_page()).expect("a page");
        assert!(
            page == options(),
            "{} differs; `cargo test --lib write_the_options -- --ignored` writes it anew",
            options_page().display()
        );
    }

    #[test]
    #[ignore = "writes the guide's page of options"]
    fn write_the_options() {
        fs::write(options_page(), options()).expect("a page that can be written");
    }

    #[test]
    fn every_completion_script_has_every_option_and_subcommand() {
        with_values(Cli::command()).debug_assert();
        for shell in Shell::value_variants() {
            let script = completions(*shell);
            for option in Cli::command().get_opts() {
                let long = option.get_long().expect("a flag");
                assert!(script.contains(long), "{shell}: {long}");
            }
            for word in ["plan", "presets", "audit", "schema", "completions", "man"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
