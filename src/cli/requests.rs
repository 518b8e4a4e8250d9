//! The contents of the requests.

use super::values::{file, read_at_most};
use super::{Arguments, Opt, Options, Refusal, opt};
use crate::base::text::{MAX_DURATION, whole, whole_millis};
use crate::base::{Nanos, Target};
use crate::core::audit;
use crate::core::keys::{self, Allowance, Keys, MAX_LIMIT, Tier};
use crate::core::plan::Plan;
use crate::core::presets::{self, Preset};
use crate::core::request::parse::{self, HeaderLine};
use crate::core::request::{
    Constants, MAX_FILLED, Placeholder, RequestTemplate, Spelling, Template, TemplateError,
};
use clap::Args;
use std::iter;
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::http::{HeaderName, Method, header};

#[derive(Debug, Args)]
#[command(next_help_heading = "Requests")]
pub struct Requests {
    /// The limiter under test, whose requests and answers the preset defines. `loadgen presets` lists them
    #[arg(long, env, hide_env_values = true, value_name = "NAME", value_parser = opt(preset),
          default_value = presets::ALL[0].name)]
    pub preset: Opt<&'static Preset>,

    /// The request's method, instead of the preset's. The preset's body is sent with POST, PUT and PATCH only
    #[arg(long, env, hide_env_values = true, value_name = "METHOD", value_parser = parse::method)]
    pub method: Option<Method>,

    /// The path, instead of the preset's. It is appended to each target and may have a query. In the path, in
    /// headers and in the body, these placeholders are filled in: {key}, {limit}, {window_ms}, {window_s},
    /// {cost}, {seq}, {uuid}, {target} and {now_ms}. {{ stands for a brace
    #[arg(long, env = "CHECK_PATH", hide_env_values = true, value_name = "PATH",
          value_parser = opt(parse::path))]
    pub path: Option<Opt<Template>>,

    /// A header, instead of the preset's header of that name. `Name:` sends none. May be repeated; the
    /// variable has one header per line
    #[arg(long = "header", env = "HEADERS", hide_env_values = true, value_name = "NAME: VALUE",
          value_parser = opt(header_lines))]
    pub header: Vec<Opt<HeaderLines>>,

    /// The body, instead of the preset's. An empty text sends none
    #[arg(long, env, hide_env_values = true, value_name = "TEXT", value_parser = opt(parse::body),
          allow_hyphen_values = true)]
    pub body: Option<Opt<Template>>,

    /// A file with the body, instead of the preset's
    #[arg(long, env, hide_env_values = true, value_name = "FILE",
          value_parser = opt(file()), conflicts_with = "body")]
    pub body_file: Option<Opt<PathBuf>>,

    #[command(flatten)]
    pub quota: Quota,

    /// The units that each request counts, for a limiter that counts units: sent as {cost}, and what the audit
    /// adds up
    #[arg(long, env, hide_env_values = true, value_name = "N", value_parser = opt(keys::cost),
          default_value = "1", allow_hyphen_values = true)]
    pub cost: Opt<u64>,
}

/// The limit of each key.
#[derive(Debug, Args)]
pub struct Quota {
    /// The limit of each key: sent in each check, and what the audit holds the limiter to. --audit or the keys
    /// file may have another
    #[arg(long, env, hide_env_values = true, value_name = "N", value_parser = opt(limit),
          default_value = "100", allow_hyphen_values = true)]
    pub limit: Opt<u64>,

    /// The window in which that many requests may pass, in whole milliseconds or more: 60s, 500ms, 2m. --audit or
    /// the keys file may have another
    #[arg(long, env, hide_env_values = true, value_name = "TIME", value_parser = opt(window),
          default_value = "60s", allow_hyphen_values = true)]
    pub window: Opt<Duration>,
}

/// The most headers: ten times as many as common servers take.
const MAX_HEADERS: usize = 1_000;

/// The longest body, in bytes. Every worker may hold one.
const MAX_BODY: u64 = 1024 * 1024;

impl Quota {
    /// The window that each check carries.
    pub(super) fn window(&self) -> Nanos {
        Nanos::from(*self.window)
    }

    /// The limit of a promise without numbers.
    pub(super) fn promised(&self) -> audit::Quota {
        audit::Quota::new(*self.limit, self.window())
    }
}

impl Requests {
    /// The preset's request, with its parts replaced by those that were given. It carries the limit and the window of
    /// `quota`, unless its key has a limit of its own. It asks for an uncompressed answer if a rule `reads_bodies`.
    pub(super) fn request(
        &self,
        arguments: &Arguments<Options>,
        keys: &Keys,
        quota: audit::Quota,
        reads_bodies: bool,
    ) -> Result<RequestTemplate, Refusal> {
        let preset = *self.preset;
        let method = self.method.clone().unwrap_or_else(|| preset.method());
        let body = self.body_for(arguments, &method)?;
        let body = body.filter(|body| !body.is_empty());
        let path = self.path.as_deref().cloned();
        let headers = self.headers(arguments, body.is_some(), reads_bodies)?;
        let request = RequestTemplate {
            method,
            path: path.unwrap_or_else(|| preset.path()),
            spelling: Spelling::new(headers.iter().map(|line| &*line.spelled)),
            headers: headers.into_iter().filter_map(HeaderLine::field).collect(),
            body,
        };
        if request.has(Placeholder::WindowS) {
            check_whole_seconds(arguments, keys, quota)?;
        }
        let constants = Constants {
            keys,
            limit: quota.limit,
            window: quota.window,
        };
        request.check_json(&constants).map_err(|error| {
            let allowed = format!("must be JSON, because its Content-Type is JSON; {error}");
            match (&self.body, &self.body_file) {
                (Some(body), _) => arguments.refuse(body, allowed),
                (None, Some(file)) => arguments.refuse(file, allowed),
                (None, None) => arguments.refuse(&self.preset, allowed),
            }
        })?;
        Ok(request)
    }

    /// Checks that no part of a request is too long, with the longest values filled in.
    pub(super) fn check_lengths(
        &self,
        arguments: &Arguments<Options>,
        plan: &Plan,
        targets: &[Target],
    ) -> Result<(), Refusal> {
        let Some((part, longest)) = plan.requests(targets).too_long() else {
            return Ok(());
        };
        let allowed = format!(
            "must be at most {MAX_FILLED} bytes with the longest values filled in, not {longest}"
        );
        Err(match (part, &self.path, self.header.first()) {
            ("path", Some(path), _) => arguments.refuse(path, allowed),
            ("header", _, Some(header)) => arguments.refuse(header, allowed),
            _ => arguments.refuse(&self.preset, allowed),
        })
    }

    fn body_for(
        &self,
        arguments: &Arguments<Options>,
        method: &Method,
    ) -> Result<Option<Template>, Refusal> {
        if let Some(body) = &self.body {
            return Ok(Some((**body).clone()));
        }
        if let Some(file) = &self.body_file {
            let body = body_file(file).map_err(|why| {
                let form = format!("must be a file with text of at most {MAX_BODY} bytes");
                arguments.refuse(file, format!("{form}; {why}"))
            });
            return body.map(Some);
        }
        // Other methods carry no body.
        let carries_body = [Method::POST, Method::PUT, Method::PATCH].contains(method);
        Ok(carries_body.then(|| self.preset.body()))
    }

    /// The preset's headers and those that were given. Without a body, the preset's `Content-Type` is left out.
    fn headers(
        &self,
        arguments: &Arguments<Options>,
        has_body: bool,
        reads_bodies: bool,
    ) -> Result<Vec<HeaderLine>, Refusal> {
        let lines: Vec<_> = self.header.iter().flat_map(|lines| &lines.0).collect();
        let hosts = lines.iter().filter(|line| line.name == header::HOST);
        if let Some(first) = self.header.first()
            && (lines.len() > MAX_HEADERS || hosts.count() > 1)
        {
            let allowed =
                format!("must be at most {MAX_HEADERS} headers, and at most one of them Host");
            return Err(arguments.refuse(first, allowed));
        }
        let is_given = |name: &HeaderName| lines.iter().any(|line| line.name == name);
        let agent = concat!("user-agent: loadgen/", env!("CARGO_PKG_VERSION"));
        let uncompressed = reads_bodies.then_some("accept-encoding: identity");
        let own = iter::once(agent).chain(uncompressed);
        let own = own.map(|line| parse::header_line(line).expect("a header without a brace"));
        let defaults = own.chain(self.preset.headers()).filter(|line| {
            let is_needless = line.name == header::CONTENT_TYPE && !has_body;
            !is_given(&line.name) && !is_needless
        });
        let given = lines.iter().map(|&line| line.clone());
        Ok(defaults.chain(given).collect())
    }
}

/// Checks that every window that a request may carry is whole seconds.
fn check_whole_seconds(
    arguments: &Arguments<Options>,
    keys: &Keys,
    quota: audit::Quota,
) -> Result<(), Refusal> {
    const ALLOWED: &str = "must be whole seconds, because the request has {window_s}";
    let has_fraction = |window: Nanos| !window.0.is_multiple_of(1_000_000_000);
    if has_fraction(quota.window) {
        return Err(refuse_window(arguments, quota, ALLOWED));
    }
    let has_own_fraction = |tier: Tier| match tier.allowance {
        Allowance::Limit { window, .. } => has_fraction(window),
        Allowance::Default | Allowance::Unlimited => false,
    };
    match &arguments.options.keys.keys_file {
        Some(file) if keys.tiers().any(has_own_fraction) => {
            Err(arguments.refuse(file, format!("every window in it {ALLOWED}")))
        }
        _ => Ok(()),
    }
}

/// The line that refuses the limit of the requests, by the option that gave it.
pub(super) fn refuse_limit(
    arguments: &Arguments<Options>,
    quota: audit::Quota,
    allowed: &str,
) -> Refusal {
    let limit = &arguments.options.requests.quota.limit;
    refuse(arguments, limit, quota.limit == **limit, allowed)
}

/// The line that refuses the window of the requests, by the option that gave it.
pub(super) fn refuse_window(
    arguments: &Arguments<Options>,
    quota: audit::Quota,
    allowed: &str,
) -> Refusal {
    let window = &arguments.options.requests.quota.window;
    let is_given = quota.window == arguments.options.requests.quota.window();
    refuse(arguments, window, is_given, allowed)
}

fn refuse<T>(
    arguments: &Arguments<Options>,
    option: &Opt<T>,
    gives_value: bool,
    allowed: &str,
) -> Refusal {
    match &arguments.options.audit.judging.audit {
        Some(audit) if !gives_value => arguments.refuse(audit, allowed),
        _ => arguments.refuse(option, allowed),
    }
}

fn body_file(file: &Path) -> Result<Template, String> {
    let bytes = read_at_most(file, MAX_BODY).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "the file is not UTF-8")?;
    // Some editors put a byte order mark before UTF-8.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    text.parse()
        .map_err(|error: TemplateError| error.to_string())
}

pub(super) fn preset(text: &str) -> Result<&'static Preset, String> {
    presets::find(text.trim()).ok_or_else(|| {
        let names: Vec<_> = presets::ALL.iter().map(|preset| preset.name).collect();
        format!("must be one of {}", names.join(", "))
    })
}

fn limit(text: &str) -> Result<u64, String> {
    whole(text, 1..=MAX_LIMIT)
}

fn window(text: &str) -> Result<Duration, String> {
    whole_millis(text, MAX_DURATION, "3650d")
}

/// The headers of one value: a variable may have several.
#[derive(Debug, Clone)]
pub struct HeaderLines(pub Vec<HeaderLine>);

fn header_lines(text: &str) -> Result<HeaderLines, String> {
    parse::header_lines(text).map(HeaderLines)
}
