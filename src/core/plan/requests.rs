//! What each request says.

use crate::cli::{Arguments, Options, Refusal};
use crate::core::keys::Keys;
use crate::core::presets::Preset;
use crate::core::request::parse::HeaderLine;
use crate::core::request::{Constants, Placeholder, RequestTemplate, Template, TemplateError};
use std::fs::File;
use std::io::{self, Read};
use std::iter;
use std::path::Path;
use ureq::http::{HeaderName, Method, header};

/// The preset's form, with what was given in its place.
pub(super) fn form(
    arguments: &Arguments<Options>,
    keys: &Keys,
) -> Result<RequestTemplate, Refusal> {
    let requests = &arguments.options.requests;
    let preset = requests.preset;
    let method = requests.method.clone().unwrap_or_else(|| preset.method());
    let (body_option, body) = if arguments.prevails("body", &["body_file"])? {
        ("body", requests.body.clone())
    } else if arguments.prevails("body_file", &["body"])? {
        let file = requests.body_file.as_ref().map(|file| {
            body_file(file).map_err(|why| {
                let form = format!("must be a file with text of at most {MAX_BODY} bytes");
                arguments.refuse("body_file", format!("{form}; {why}"))
            })
        });
        ("body_file", file.transpose()?)
    } else {
        // A preset's body is for a method like the preset's.
        let carried = [Method::POST, Method::PUT, Method::PATCH].contains(&method);
        ("preset", carried.then(|| preset.body()))
    };
    let body = body.filter(|body| !body.is_empty());
    let lines = requests.header.iter().flat_map(|lines| &lines.0);
    let lines: Vec<_> = lines.collect();
    let hosts = lines.iter().filter(|line| line.name == header::HOST);
    if lines.len() > MAX_HEADERS || hosts.count() > 1 {
        let allowed = format!("must be at most {MAX_HEADERS} headers, one Host among them");
        return Err(arguments.refuse("header", allowed));
    }
    let form = RequestTemplate {
        method,
        path: requests.path.clone().unwrap_or_else(|| preset.path()),
        headers: headers(requests.preset, &lines, body.is_some()),
        body,
    };
    if form.has(Placeholder::WindowS) && !requests.window_ms.is_multiple_of(1_000) {
        let allowed = "must be whole seconds (thousands), since {window_s} is sent";
        return Err(arguments.refuse("window_ms", allowed));
    }
    let constants = Constants {
        keys,
        limit: requests.limit,
        window_ms: requests.window_ms,
    };
    form.check_json(&constants).map_err(|error| {
        let allowed = format!("must be JSON, as its Content-Type says; {error}");
        arguments.refuse(body_option, allowed)
    })?;
    Ok(form)
}

/// Ten times as many as common servers take.
const MAX_HEADERS: usize = 1_000;

/// In bytes. Every worker may hold one.
const MAX_BODY: u64 = 1024 * 1024;

fn body_file(file: &Path) -> Result<Template, String> {
    let read = || -> io::Result<String> {
        let mut text = String::new();
        File::open(file)?
            .take(MAX_BODY + 1)
            .read_to_string(&mut text)?;
        match text.len() as u64 > MAX_BODY {
            true => Err(io::ErrorKind::FileTooLarge.into()),
            false => Ok(text),
        }
    };
    let text = read().map_err(|error| error.to_string())?;
    // A mark of UTF-8, as some editors put it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    text.parse()
        .map_err(|error: TemplateError| error.to_string())
}

/// Without a body the preset's `Content-Type` has nothing to be of.
fn headers(preset: &Preset, lines: &[&HeaderLine], has_body: bool) -> Vec<(HeaderName, Template)> {
    let given = |name: &HeaderName| lines.iter().any(|line| line.name == name);
    let agent = concat!("loadgen/", env!("CARGO_PKG_VERSION"));
    let agent = agent.parse().expect("text without a brace");
    let defaults = iter::once((header::USER_AGENT, agent)).chain(preset.headers());
    let defaults = defaults.filter(|(name, _)| {
        let of_nothing = *name == header::CONTENT_TYPE && !has_body;
        !given(name) && !of_nothing
    });
    let added = lines
        .iter()
        .filter_map(|line| Some((line.name.clone(), line.value.clone()?)));
    defaults.chain(added).collect()
}
