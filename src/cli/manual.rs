//! The completion scripts and the man page, made from the options' definitions.

use super::Cli;
use crate::core::audit::Algorithm;
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

    #[test]
    fn the_man_page_has_every_option_with_its_variable_and_default() {
        let page = man().replace("\\-", "-").replace("\\&", "");
        for option in Cli::command().get_arguments() {
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

    #[test]
    fn every_completion_script_has_every_option_and_subcommand() {
        with_values(Cli::command()).debug_assert();
        for shell in Shell::value_variants() {
            let script = completions(*shell);
            for option in Cli::command().get_arguments() {
                let long = option.get_long().expect("a flag");
                assert!(script.contains(long), "{shell}: {long}");
            }
            for word in ["plan", "presets", "audit", "completions", "man"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
