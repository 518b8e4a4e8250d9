//! The contents of the requests.

use super::urls::URLS;
use super::values::{file, read_file};
use super::{Arguments, Opt, Options, Refusal, opt};
use crate::base::text::{MAX_DURATION, whole, whole_millis};
use crate::base::{Nanos, Target};
use crate::core::audit;
use crate::core::keys::{self, Allowance, Keys, MAX_LIMIT, Tier};
use crate::core::plan::Plan;
use crate::core::presets::{self, Preset};
use crate::core::request::parse::{self, HeaderLine};
use crate::core::request::{
    Constants, MAX_FILLED, Paths, Placeholder, RequestTemplate, Spelling, Template, TemplateError,
};
use clap::Args;
use clap::builder::ArgPredicate;
use std::iter;
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::http::{HeaderName, Method, header};

#[derive(Debug, Args)]
#[command(next_help_heading = "Requests")]
pub struct Requests {
    /// The limiter under test, whose requests and answers the preset defines. `loadgen presets` lists them. With URLs as
    /// arguments, and with --replay, the default is `http`
    #[arg(long, env = "LOADGEN_PRESET", hide_env_values = true, value_name = "NAME", value_parser = opt(preset),
          default_value = presets::ALL[0].name, default_value_ifs([
              (URLS, ArgPredicate::IsPresent, presets::http::PRESET.name),
              ("demo", ArgPredicate::Equals("true".into()), presets::ALL[0].name),
              ("replay", ArgPredicate::IsPresent, presets::http::PRESET.name),
          ]))]
    pub preset: Opt<&'static Preset>,

    /// The request's method, instead of the preset's. The preset's body is sent with POST, PUT and PATCH only. With --body,
    /// the default is POST even if the preset's is GET
    #[arg(long, short = 'm', visible_short_alias = 'X', env = "LOADGEN_METHOD", hide_env_values = true, value_name = "METHOD", value_parser = parse::method)]
    pub method: Option<Method>,

    /// The path, instead of the preset's. It is appended to each target and may have a query. An empty one sends requests to
    /// the targets as they are. In URLs, in the path, in headers and in the body, these placeholders are filled in: {key}, {limit}, {window_ms}, {window_s},
    /// {cost}, {seq}, {uuid}, {target}, {now_ms}, and {env:NAME} with an environment variable, which is never
    /// printed. {{ stands for a brace
    #[arg(long, env = "LOADGEN_PATH", hide_env_values = true, value_name = "PATH",
          value_parser = opt(path), conflicts_with = URLS)]
    pub path: Option<Opt<Template>>,

    /// A header, instead of the preset's header of that name. `Name:` sends none. May be repeated; the
    /// variable has one header per line. `Authorization: Bearer {env:TOKEN}` keeps a secret out of the command
    #[arg(long = "header", short = 'H', env = "LOADGEN_HEADER", hide_env_values = true, value_name = "NAME: VALUE",
          value_parser = opt(header_lines))]
    pub header: Vec<Opt<HeaderLines>>,

    /// The body, instead of the preset's. An empty text sends none
    #[arg(long, short = 'd', env = "LOADGEN_BODY", hide_env_values = true, value_name = "TEXT", value_parser = opt(parse::body),
          allow_hyphen_values = true)]
    pub body: Option<Opt<Template>>,

    /// A file with the body, of at most 1 MiB, instead of the preset's
    #[arg(long, env = "LOADGEN_BODY_FILE", hide_env_values = true, value_name = "FILE",
          value_parser = opt(file()), conflicts_with = "body")]
    pub body_file: Option<Opt<PathBuf>>,

    #[command(flatten)]
    pub quota: Quota,

    /// The units that each request counts, for a limiter that counts units: sent as {cost}, and what the audit
    /// adds up
    #[arg(long, env = "LOADGEN_COST", hide_env_values = true, value_name = "N", value_parser = opt(keys::cost),
          default_value = "1", allow_hyphen_values = true)]
    pub cost: Opt<u64>,
}

/// The limit of each key.
#[derive(Debug, Args)]
pub struct Quota {
    /// The limit of each key: sent in each check, and what the audit holds the limiter to. --audit or the keys
    /// file may have another
    #[arg(long, env = "LOADGEN_LIMIT", hide_env_values = true, value_name = "N", value_parser = opt(limit),
          default_value = "100", allow_hyphen_values = true)]
    pub limit: Opt<u64>,

    /// The window in which that many requests may pass, in whole milliseconds or more: 60s, 500ms, 2m. --audit or
    /// the keys file may have another
    #[arg(long, env = "LOADGEN_WINDOW", hide_env_values = true, value_name = "TIME", value_parser = opt(window),
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
    /// Whether a path is appended to each target, even to one with a path of its own.
    pub(super) fn has_path(&self) -> bool {
        self.path.as_deref().is_some_and(|path| !path.is_empty())
    }

    /// The preset's request, with its parts replaced by those that were given, and with the targets' `own_paths`. It carries
    /// the limit and the window of `quota`, unless its key has a limit of its own. It asks for an uncompressed answer if a
    /// rule `reads_bodies`.
    pub(super) fn request(
        &self,
        arguments: &Arguments<Options>,
        own_paths: Vec<Option<Template>>,
        keys: &Keys,
        quota: audit::Quota,
        reads_bodies: bool,
    ) -> Result<RequestTemplate, Refusal> {
        let preset = *self.preset;
        let given_body = self.given_body(arguments)?;
        let method = self.method_with(given_body.as_ref());
        // Other methods carry no body of a preset.
        let carries_body = [Method::POST, Method::PUT, Method::PATCH].contains(&method);
        let body = given_body.or_else(|| carries_body.then(|| preset.body()));
        let body = body.filter(|body| !body.is_empty());
        let path = match &self.path {
            Some(path) if path.is_empty() => parse::path("/").expect("a path"),
            Some(path) => filled(arguments, path, (**path).clone().as_path(), |_| true)?,
            None => preset.path(),
        };
        let headers = self.headers(arguments, body.is_some(), reads_bodies)?;
        let request = RequestTemplate {
            method,
            paths: Paths::new(path, own_paths),
            spelling: Spelling::new(headers.iter().map(|line| &*line.spelled)),
            headers: headers.into_iter().filter_map(HeaderLine::field).collect(),
            body,
            shows_secrets: arguments.options.results.show_secrets,
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

    /// The headers that recorded requests do not bring, because the run has its own or none.
    pub(super) fn own_headers(&self, reads_bodies: bool) -> Vec<HeaderName> {
        let given = self.header.iter().flat_map(|lines| &lines.0);
        let given = given.map(|line| line.name.clone());
        given
            .chain(reads_bodies.then_some(header::ACCEPT_ENCODING))
            .collect()
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
        let cluster = &arguments.options.cluster;
        Err(match (part, &self.path, self.header.first()) {
            ("path", Some(path), _) if self.has_path() => arguments.refuse(path, allowed),
            ("path", ..) => cluster.refuse(arguments, allowed),
            ("header", _, Some(header)) => arguments.refuse(header, allowed),
            _ => arguments.refuse(&self.preset, allowed),
        })
    }

    /// The method. A `GET` with a body has no meaning ([RFC 9110](https://www.rfc-editor.org/rfc/rfc9110), section 9.3.1).
    fn method_with(&self, body: Option<&Template>) -> Method {
        let has_body = body.is_some_and(|body| !body.is_empty());
        match (&self.method, self.preset.method()) {
            (Some(method), _) => method.clone(),
            (None, Method::GET) if has_body => Method::POST,
            (None, method) => method,
        }
    }

    /// The body that was given, which may be empty.
    fn given_body(&self, arguments: &Arguments<Options>) -> Result<Option<Template>, Refusal> {
        if let Some(body) = &self.body {
            if let Some(file) = body.text.strip_prefix('@')
                && Path::new(file).is_file()
            {
                let allowed =
                    format!("must be the text itself; to send a file, give --body-file {file}");
                return Err(arguments.refuse(body, allowed));
            }
            return filled(arguments, body, (**body).clone().as_body(), |_| true).map(Some);
        }
        if let Some(file) = &self.body_file {
            let body = body_file(file).map_err(|why| {
                let form = format!("must be a file with text of at most {MAX_BODY} bytes");
                arguments.refuse(file, format!("{form}; {why}"))
            });
            return filled(arguments, file, body?.as_body(), |_| true).map(Some);
        }
        Ok(None)
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
        let mut headers: Vec<_> = defaults.collect();
        for option in &self.header {
            for line in &option.0 {
                let mut line = line.clone();
                if let Some(value) = line.value.take() {
                    let value = value.as_header(line.name.as_str());
                    let value = filled(arguments, option, value, |c| line.may_have(c))?;
                    line.value = Some(value);
                }
                headers.push(line);
            }
        }
        Ok(headers)
    }
}

/// The template of an option, with the environment's variables.
pub(super) fn filled<T>(
    arguments: &Arguments<Options>,
    option: &Opt<T>,
    template: Template,
    wanted: impl Fn(char) -> bool,
) -> Result<Template, Refusal> {
    let filled = template.with_variables(&|name| std::env::var(name).ok(), wanted);
    filled.map_err(|error| arguments.refuse(option, error))
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
    let bytes = read_file(file, MAX_BODY).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "the file is not UTF-8")?;
    // Some editors put a byte order mark before UTF-8.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    text.parse()
        .map_err(|error: TemplateError| error.to_string())
}

fn path(text: &str) -> Result<Template, String> {
    match text {
        "" => Ok(text.parse().expect("a template")),
        text => parse::path(text),
    }
}

pub(super) fn preset(text: &str) -> Result<&'static Preset, String> {
    presets::find(text.trim()).ok_or_else(|| {
        let names: Vec<_> = presets::ALL.iter().map(|preset| preset.name).collect();
        format!("must be one of {}", names.join(", "))
    })
}

fn limit(text: &str) -> Result<u64, String> {
    whole(text, 1..=MAX_LIMIT).map_err(|allowed| match text.contains('/') {
        true => format!("{allowed}; the time after the slash is --window"),
        false => allowed,
    })
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
