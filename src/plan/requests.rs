//! What each request says.

use crate::cli::{self, Arguments, Options, Refusal};
use crate::keys::Keys;
use crate::request::{Constants, Form, Placeholder, Template};
use std::iter;
use ureq::http::{HeaderName, Method, header};

/// The preset's form, with what was given in its place.
pub(super) fn form(arguments: &Arguments<Options>, keys: &Keys) -> Result<Form, Refusal> {
    let requests = &arguments.options.requests;
    let preset = requests.preset;
    let method = requests.method.clone().unwrap_or_else(|| preset.method());
    let (body_option, body) = if arguments.prevails("body", &["body_file"])? {
        ("body", requests.body.clone())
    } else if arguments.prevails("body_file", &["body"])? {
        ("body_file", requests.body_file.clone())
    } else {
        // A preset's body is for a method like the preset's.
        let carried = [Method::POST, Method::PUT, Method::PATCH].contains(&method);
        ("preset", carried.then(|| preset.body()))
    };
    let body = body.filter(|body| !body.is_empty());
    let form = Form {
        method,
        path: requests.path.clone().unwrap_or_else(|| preset.path()),
        headers: headers(requests, body.is_some()),
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

/// Without a body the preset's `Content-Type` has nothing to be of.
fn headers(requests: &cli::Requests, has_body: bool) -> Vec<(HeaderName, Template)> {
    let given = |name: &HeaderName| requests.header.iter().any(|line| line.name == name);
    let agent = concat!("loadgen/", env!("CARGO_PKG_VERSION"));
    let agent = agent.parse().expect("text without a brace");
    let defaults = iter::once((header::USER_AGENT, agent)).chain(requests.preset.headers());
    let defaults = defaults.filter(|(name, _)| {
        let of_nothing = *name == header::CONTENT_TYPE && !has_body;
        !given(name) && !of_nothing
    });
    let lines = requests.header.iter();
    let added = lines.filter_map(|line| Some((line.name.clone(), line.value.clone()?)));
    defaults.chain(added).collect()
}
