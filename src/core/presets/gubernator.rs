use super::Preset;

/// Its gateway writes every field, including those with default values (`EmitUnpopulated`), enumerations by their names,
/// and 64-bit integers as strings. A status beside an error means nothing: `UNDER_LIMIT` is its default value.
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
        "It always answers 200. While it fails (for example because a key's owner is gone), the body has an error; such an \
         answer matches no rule and counts as failed.",
        "A key's window begins with its first request and ends --window later (with the default algorithm, token bucket).",
        "Its integers are strings in JSON. A rule for the remaining number is json /responses/0/remaining = \"0\".",
    ],
    config: "",
};
