//! Each preset against a stand-in for its limiter, which takes no request that the limiter itself would not.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::support::at_once;
use crate::support::report::Report;
use crate::support::run::{Launch, loadgen};
use crate::support::server::{Reply, Request, Server};
use loadgen::core::presets::{self, Preset};
use serde_json::{Value, json};

const LIMIT: u64 = 3;

/// What a stand-in read of a request.
struct Check {
    key: String,
    /// What the request asks for, or what the limiter has configured.
    limit: u64,
}

/// What a limiter reads of a request, and what it answers with.
struct Limiter {
    /// `None` of what the limiter would not take for a check.
    read: fn(&Request) -> Option<Check>,
    answer: fn(allowed: bool) -> Reply,
    /// To what it did not take.
    refusal: fn() -> Reply,
}

/// The JSON body of a request to this path, which must be said to be one.
fn posted(request: &Request, path: &str) -> Option<Value> {
    let asked = (request.method.as_str(), request.path.as_str());
    let json = request.header_values("Content-Type") == ["application/json"];
    (asked == ("POST", path) && json).then(|| serde_json::from_slice(&request.body).ok())?
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// A request without a body that names its key in a header.
fn asked_by_header(request: &Request) -> Option<Check> {
    let plain = request.method == "GET" && request.path == "/" && request.body.is_empty();
    let untyped = request.header_values("Content-Type").is_empty();
    let [key] = request.header_values("X-Key")[..] else {
        return None;
    };
    (plain && untyped).then(|| Check {
        key: key.to_owned(),
        limit: LIMIT,
    })
}

fn reply(status: &str, body: &Value) -> Reply {
    let body = body.to_string();
    Reply::raw(format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

fn ok_or_too_many(allowed: bool) -> Reply {
    match allowed {
        true => reply("200 OK", &Value::Null),
        false => reply("429 Too Many Requests", &Value::Null),
    }
}

fn bad_request() -> Reply {
    reply("400 Bad Request", &Value::Null)
}

fn limiter(preset: &Preset) -> Limiter {
    match preset.name {
        "check" => Limiter {
            read: |request| {
                let body = posted(request, "/check")?;
                assert_eq!(body["window_ms"], 60_000);
                Some(Check {
                    key: text(&body["key"])?,
                    limit: body["limit"].as_u64()?,
                })
            },
            answer: ok_or_too_many,
            refusal: bad_request,
        },
        "envoy" => Limiter {
            read: |request| {
                let body = posted(request, "/json")?;
                let entries = &body["descriptors"][0]["entries"];
                let known = body["domain"] == "loadgen" && entries[0]["key"] == "key";
                let key = text(&entries[0]["value"])?;
                known.then_some(Check { key, limit: LIMIT })
            },
            answer: ok_or_too_many,
            refusal: bad_request,
        },
        "limitador" => Limiter {
            read: |request| {
                let body = posted(request, "/check_and_report")?;
                let known = body["namespace"] == "loadgen" && body["delta"] == 1;
                let key = text(&body["values"]["key"])?;
                (known && body["response_headers"] == "DraftVersion03")
                    .then_some(Check { key, limit: LIMIT })
            },
            answer: ok_or_too_many,
            refusal: bad_request,
        },
        "gubernator" => Limiter {
            read: |request| {
                let body = posted(request, "/v1/GetRateLimits")?;
                let [asked] = &body["requests"].as_array()?[..] else {
                    return None;
                };
                let known = asked["name"] == "loadgen" && asked["hits"] == 1;
                let key = text(&asked["uniqueKey"])?;
                let limit = asked["limit"].as_u64()?;
                (known && asked["duration"] == 60_000).then_some(Check { key, limit })
            },
            answer: |allowed| {
                let status = if allowed { "UNDER_LIMIT" } else { "OVER_LIMIT" };
                let verdict = json!({
                    "status": status, "limit": "3", "remaining": "0", "reset_time": "1", "error": "", "metadata": {},
                });
                reply("200 OK", &json!({ "responses": [verdict] }))
            },
            refusal: || {
                let verdict = json!({ "status": "UNDER_LIMIT", "error": "field 'unique_key' cannot be empty" });
                reply("200 OK", &json!({ "responses": [verdict] }))
            },
        },
        "throttlecrab" => Limiter {
            read: |request| {
                let body = posted(request, "/throttle")?;
                let limit = body["max_burst"].as_u64()?;
                let known = body["count_per_period"] == limit && body["period"] == 60;
                let key = text(&body["key"])?;
                known.then_some(Check { key, limit })
            },
            answer: |allowed| {
                let after = if allowed { 0 } else { 20 };
                let verdict = json!({
                    "allowed": allowed, "limit": 3, "remaining": 0, "reset_after": 60, "retry_after": after,
                });
                reply("200 OK", &verdict)
            },
            refusal: || {
                reply(
                    "500 Internal Server Error",
                    &json!({ "error": "Internal server error" }),
                )
            },
        },
        "nginx" => Limiter {
            read: asked_by_header,
            answer: |allowed| match allowed {
                true => Reply::raw("HTTP/1.1 304 Not Modified\r\n\r\n"),
                false => Reply::status(503, "Service Temporarily Unavailable"),
            },
            refusal: bad_request,
        },
        "kong" => Limiter {
            read: asked_by_header,
            answer: |allowed| match allowed {
                true => Reply::status(200, "OK"),
                false => reply(
                    "429 Too Many Requests",
                    &json!({ "message": "API rate limit exceeded" }),
                ),
            },
            refusal: || {
                reply(
                    "404 Not Found",
                    &json!({ "message": "no Route matched with those values" }),
                )
            },
        },
        other => panic!("no stand-in for {other}"),
    }
}

/// A stand-in that counts every key on its own, for ever.
fn stand_in(preset: &Preset) -> Server {
    let limiter = limiter(preset);
    let counts = Mutex::new(BTreeMap::<String, u64>::new());
    Server::start(move |request| {
        let Some(check) = (limiter.read)(request) else {
            return (limiter.refusal)();
        };
        let mut counts = counts.lock().expect("counts");
        let count = counts.entry(check.key).or_default();
        *count += 1;
        (limiter.answer)(*count <= check.limit)
    })
}

/// Ten requests for two keys.
fn run_against(server: &Server) -> Launch {
    let line = format!(
        "--targets {} --rps 20 --duration 0.5 --workers 1 --keys 2",
        server.url()
    );
    loadgen(format!("{line} --limit {LIMIT} --window-ms 60000"))
}

#[track_caller]
fn assert_limited(preset: &Preset, report: &Report) {
    let counts = (report.allowed, report.blocked, report.failed);
    assert_eq!(
        counts,
        (2 * LIMIT, 10 - 2 * LIMIT, 0),
        "{}\n{report}",
        preset.name
    );
}

#[test]
fn each_preset_asks_and_understands_its_limiter() {
    at_once(presets::ALL, |preset| {
        let server = stand_in(preset);
        let report = run_against(&server)
            .arg("--preset")
            .arg(preset.name)
            .report();
        assert_limited(preset, &report);
    });
}

#[test]
fn what_a_preset_is_shown_as_does_the_same() {
    at_once(presets::ALL, |preset| {
        let details = presets::details(preset);
        let paragraphs = details.split("\n\n");
        let mut commands = paragraphs.filter(|paragraph| paragraph.starts_with("loadgen "));
        let command = commands.next().expect("a command").replace("\\\n", "");
        let words = shlex::split(&command).expect("balanced quotes");
        let server = stand_in(preset);
        let launch = words[1..]
            .iter()
            .fold(run_against(&server), |launch, word| launch.arg(word));
        assert_limited(preset, &launch.report());
    });
}

#[test]
fn what_a_preset_is_shown_as_can_be_tried_on_the_demo() {
    let answerable = presets::ALL
        .into_iter()
        .filter(|preset| preset.name != "nginx");
    at_once(answerable, |preset| {
        let details = presets::details(preset);
        let command = details.split("\n\n").nth(1).expect("a command");
        let words = shlex::split(&command.replace("\\\n", "")).expect("balanced quotes");
        let demo =
            format!("--demo --rps 20 --duration 0.5 --keys 2 --limit {LIMIT} --window-ms 60000");
        let launch = words[1..]
            .iter()
            .fold(loadgen(demo), |launch, word| launch.arg(word));
        assert_limited(preset, &launch.report());
    });
}

#[test]
fn what_a_limiter_does_not_take_is_failed() {
    at_once(presets::ALL, |preset| {
        let server = stand_in(preset);
        let launch = run_against(&server).arg("--preset").arg(preset.name);
        let report = launch.arg("--path").arg("/elsewhere").report();
        assert_eq!(report.failed, 10, "{}\n{report}", preset.name);
    });
}
