//! The texts of a stripe's summary that people see as they are.

use super::unmergeable::Why;
use crate::core::summary::Summary;

/// Refuses a control character in a text that merged results show as it is: a terminal may obey it. No stripe writes one there.
pub(super) fn check(summary: &Summary) -> Result<(), Why> {
    check_heading(summary)?;
    for (place, target) in summary.targets.iter().enumerate() {
        check_line(|| format!("targets[{place}].name"), &target.name)?;
        let addresses = target.to_merge.iter().flat_map(|of| &of.addresses);
        for address in addresses {
            let name = || format!("targets[{place}].to_merge.addresses");
            check_line(name, &address.address)?;
        }
    }
    for (place, phase) in summary.phases.iter().enumerate() {
        check_line(|| format!("phases[{place}].name"), &phase.name)?;
    }
    for (place, event) in summary.events.iter().enumerate() {
        check_lines(|| format!("events[{place}].name"), &event.name)?;
        check_line(|| format!("events[{place}].kind"), &event.kind)?;
        let error = event.command.iter().flat_map(|command| &command.error);
        for error in error {
            check_lines(|| format!("events[{place}].command.error"), error)?;
        }
    }
    for (place, threshold) in summary.thresholds.iter().enumerate() {
        check_lines(|| format!("thresholds[{place}].text"), &threshold.text)?;
    }
    Ok(())
}

/// The texts above the results.
fn check_heading(summary: &Summary) -> Result<(), Why> {
    let configuration = &summary.configuration;
    let mut texts = vec![
        ("loadgen.version", &summary.loadgen.version),
        ("run.started", &summary.run.started),
        ("run.ended", &summary.run.ended),
        ("configuration.traffic", &configuration.traffic),
        ("configuration.requests", &configuration.requests),
        ("configuration.keys", &configuration.keys),
    ];
    let targets = configuration.targets.iter();
    texts.extend(targets.map(|target| ("configuration.targets", target)));
    if let Some(stripe) = &summary.stripe {
        texts.extend([
            ("stripe.plan", &stripe.plan),
            ("stripe.start", &stripe.start),
        ]);
        let command = stripe.audit_command.iter();
        texts.extend(command.map(|command| ("stripe.audit_command", command)));
    }
    for (name, text) in texts {
        check_lines(|| name.to_owned(), text)?;
    }
    Ok(())
}

fn check_line(name: impl Fn() -> String, text: &str) -> Result<(), Why> {
    refuse_if(text.contains(char::is_control), name)
}

/// Checks a text that may have several lines, as a shell command may.
fn check_lines(name: impl Fn() -> String, text: &str) -> Result<(), Why> {
    refuse_if(text.contains(is_obeyed), name)
}

/// A text of several lines, with escapes for control characters.
pub(super) fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    for character in text.chars() {
        if is_obeyed(character) {
            masked.extend(character.escape_default());
        } else {
            masked.push(character);
        }
    }
    masked
}

/// Whether a terminal may take the character for more than the end of a line or a tab.
fn is_obeyed(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
}

fn refuse_if(is_wrong: bool, name: impl Fn() -> String) -> Result<(), Why> {
    if is_wrong {
        return Err(Why::malformed(&name(), "has a control character"));
    }
    Ok(())
}
