use super::Preset;

/// Its gateway writes every field, also those with default values (`EmitUnpopulated`), enumerations by
/// their names, and 64-bit integers as strings. A verdict with an error is none: `UNDER_LIMIT` is the
/// default value of a status that was never set.
pub const PRESET: Preset = Preset {
    name: "gubernator",
    about: "Gubernator, by its HTTP gateway",
    method: "POST",
    path: "/v1/GetRateLimits",
    headers: &["Content-Type: application/json"],
    body: concat!(
        r#"{"requests":[{"name":"loadgen","uniqueKey":"{key}","hits":1,"limit":{limit},"#,
        r#""duration":{window_ms}}]}"#
    ),
    allowed: r#"200 and json /responses/0/status = UNDER_LIMIT and json /responses/0/error = """#,
    blocked: r#"200 and json /responses/0/status = OVER_LIMIT and json /responses/0/error = """#,
    notes: &[
        "It answers 200 either way, and with an error in the body while it fails, such as when a key's owner is gone: \
         those are failed, as unmatched.",
        "A key's window begins with its first request and is over --window-ms later (its token bucket, the default).",
        "Its integers are strings in JSON: a rule for what remains is json /responses/0/remaining = \"0\".",
    ],
    config: "",
};
