//! Envoy's ratelimit service, by its JSON endpoint (envoyproxy/ratelimit, `NewJsonHandler`).
//!
//! The body is `{"domain":"d","descriptors":[{"entries":[{"key":"k","value":"v"}]}]}`, a `RateLimitRequest` in protobuf's
//! JSON: `null` stands for a default, and an unknown field, such as a descriptor's own `limit`, is refused. A request has
//! one descriptor. Its domain and entries make the key, and the node's policy applies. A `hitsAddend` of 0 counts 1, as if
//! there were none; a descriptor's own `hitsAddend` of 0 would count nothing, and is refused like other numbers.
//!
//! The answer is
//! `{"overallCode":"OK","statuses":[{"code":"OK","currentLimit":{"requestsPerUnit":100,"unit":"MINUTE"},"limitRemaining":99,"durationUntilReset":"60s"}]}`
//! with 200, or with 429 and `OVER_LIMIT` twice. Defaults are left out, as the service does: a `limitRemaining` of 0, and
//! the `unit` (it then means `UNKNOWN`) if the window is not a second, minute, hour or day.
//!
//! A refusal is a 400 in plain text, and so is the answer while the store fails: the service does the same. It does not
//! fail open (its client, Envoy, does); failing open, the node answers as the service does for a key without a limit.

use super::proto3::{Integer, Message, nullable};
use super::*;
use serde::Deserialize;
use serde_json::value::RawValue;

pub(super) const SHAPE: Shape = Shape {
    preset: &presets::envoy::PRESET,
    any_method: false,
    read,
    answer,
};

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct RateLimitRequest {
    #[serde(deserialize_with = "nullable")]
    domain: String,
    #[serde(deserialize_with = "nullable")]
    descriptors: Vec<Message<Descriptor>>,
    #[serde(alias = "hits_addend")]
    hits_addend: Integer,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Descriptor {
    #[serde(deserialize_with = "nullable")]
    entries: Vec<Message<Entry>>,
    #[serde(alias = "hits_addend")]
    hits_addend: Option<Integer>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Entry {
    #[serde(deserialize_with = "nullable")]
    key: String,
    #[serde(deserialize_with = "nullable")]
    value: String,
}

fn read(incoming: &Incoming<'_>) -> Result<CheckRequest, Refused> {
    let read = || -> Result<Key, String> {
        let Message(request): Message<RateLimitRequest> =
            serde_json::from_slice(incoming.body).map_err(|error| error.to_string())?;
        key(&SHAPE, &request.names()?)
    };
    let key = read().map_err(|why| bad_request(&why))?;
    Ok(incoming.policy.check(key).into())
}

impl RateLimitRequest {
    /// The names that make the key: the domain, then each entry's key and value.
    fn names(&self) -> Result<Vec<&str>, &'static str> {
        if self.domain.is_empty() {
            return Err("domain must not be empty");
        }
        let [Message(descriptor)] = &self.descriptors[..] else {
            return Err("descriptors must be exactly one, since a check is for one key");
        };
        if descriptor.entries.is_empty() {
            return Err("entries must not be empty");
        }
        let of_descriptor = descriptor.hits_addend.unwrap_or(Integer(1));
        if !matches!(self.hits_addend, Integer(0 | 1)) || of_descriptor != Integer(1) {
            return Err("hitsAddend must be 1, since a check counts one request");
        }
        let entries = descriptor.entries.iter();
        let entries = entries.flat_map(|Message(entry)| [&*entry.key, &*entry.value]);
        Ok([&*self.domain].into_iter().chain(entries).collect())
    }
}

fn answer(request: &CheckRequest, verdict: &Verdict<'_>, _: &str) -> Response {
    let decision = match verdict {
        Verdict::Decided(decision) => decision,
        Verdict::FailedClosed(error) => return bad_request(error),
        Verdict::FailedOpen(_) => {
            return response(StatusCode::OK, "OK", object! { "code": "OK" });
        }
    };
    let code = if decision.allowed { "OK" } else { "OVER_LIMIT" };
    let current_limit = object! {
        "requestsPerUnit": decision.limit.get(),
        "unit": unit(request.check.window).map(str::to_ascii_uppercase),
    };
    let of_descriptor = object! {
        "code": code,
        "currentLimit": current_limit,
        "limitRemaining": Some(decision.remaining).filter(|&remaining| remaining > 0),
        "durationUntilReset": format!("{}s", decision.reset.as_secs_ceil()),
    };
    response(status(decision), code, of_descriptor)
}

fn response(status: StatusCode, code: &str, of_descriptor: Box<RawValue>) -> Response {
    let object = object! { "overallCode": code, "statuses": [of_descriptor] };
    json(status, &object)
}

fn bad_request(why: &str) -> Response {
    text_response(StatusCode::BAD_REQUEST, format!("Bad Request: {why}\n"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{answer, check, parts, refusal};
    use super::*;

    const BODY: &str = r#"{"domain":"d","descriptors":[{"entries":[{"key":"k"}]}]}"#;

    #[test]
    fn domain_and_entries_make_the_key_and_are_read_as_protobufs_json() {
        // The entries, the rest of the descriptor, the rest of the request, and the names.
        let table = r#"
            {"key":"k"} => => => "d","k",""
            {"key":"k"},{"key":"l","value":"v"} => => => "d","k","","l","v"
            {"key":"k","value":null} => => ,"hitsAddend":null => "d","k",""
            {"key":"k"} => ,"hitsAddend":1 => ,"hits_addend":"1" => "d","k",""
            {"key":"k"} => ,"hits_addend":null => ,"hitsAddend":0 => "d","k","""#;
        for line in table.trim().lines() {
            let [entries, of_descriptor, of_request, names] = columns(line);
            let descriptor = format!(r#"{{"entries":[{entries}]{of_descriptor}}}"#);
            let body = format!(r#"{{"domain":"d","descriptors":[{descriptor}]{of_request}}}"#);
            let key = format!(r#"["envoy",[{names}]]"#);
            assert_eq!(check(&SHAPE, &body), (key, 100, 60_000), "{body}");
        }
    }

    fn columns<const N: usize>(line: &str) -> [&str; N] {
        let columns: Vec<_> = line.split("=>").map(str::trim).collect();
        columns.try_into().expect(line)
    }

    #[test]
    fn other_requests_are_bad_requests_in_plain_text() {
        let long = "d".repeat(257);
        let table = r#"
            => => domain must not be empty
            d => => descriptors must be exactly one
            d => ,"descriptors":[["k","v"]] => expected an object
            d => ,"descriptors":[{},{}] => descriptors must be exactly one
            d => ,"descriptors":[{}] => entries must not be empty
            d => ,"descriptors":[{"entries":[{}]}],"hitsAddend":2 => hitsAddend must be 1
            d => ,"descriptors":[{"entries":[{}],"hitsAddend":0}] => hitsAddend must be 1
            d => ,"descriptors":[{"limit":{}}] => unknown field `limit`
            d => ,"descriptor":[] => unknown field `descriptor`
            LONG => ,"descriptors":[{"entries":[{}]}] => must be at most 256 bytes"#;
        for line in table.replace("LONG", &long).trim().lines() {
            let [domain, fields, why] = columns(line);
            let body = format!(r#"{{"domain":"{domain}"{fields}}}"#);
            let (status, text) = refusal(&SHAPE, &body);
            assert_eq!(status, 400, "{fields}");
            assert!(text.starts_with("Bad Request: "), "{text}");
            assert!(text.contains(why), "{why} is not in {text}");
        }
    }

    #[test]
    fn an_answer_gives_the_limit_the_rest_of_it_and_the_reset() {
        let text = |code, rest| {
            format!(
                r#"{{"overallCode":"{code}","statuses":[{{"code":"{code}","currentLimit":{{"requestsPerUnit":100,"unit":"MINUTE"}},{rest}}}]}}"#
            )
        };
        let allowed = answer(&SHAPE, BODY, (true, 99, 59_000_001));
        let rest = r#""limitRemaining":99,"durationUntilReset":"60s""#;
        assert_eq!(parts(allowed), (200, text("OK", rest)));
        let blocked = answer(&SHAPE, BODY, (false, 0, 1));
        let rest = r#""durationUntilReset":"1s""#;
        assert_eq!(parts(blocked), (429, text("OVER_LIMIT", rest)));
    }
}
