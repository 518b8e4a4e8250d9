use super::Preset;

pub const PRESET: Preset = Preset {
    name: "limitador",
    about: "Limitador, by its HTTP API",
    method: "POST",
    // Its /check answers likewise, but counts nothing.
    path: "/check_and_report",
    headers: &["Content-Type: application/json"],
    body: concat!(
        r#"{"namespace":"loadgen","values":{"key":"{key}"},"delta":1,"#,
        r#""response_headers":"DraftVersion03"}"#
    ),
    allowed: "200",
    blocked: "429",
    notes: &[
        "Limit and window are in its limits file: --limit and --window are not sent.",
        "It allows every request without a limit in the file, so a namespace or variable that is misspelled there blocks nothing.",
        "By default it keeps 1,000 counters in memory and forgets the oldest ones beyond that. Choose --keys accordingly.",
    ],
    config: "\
- namespace: loadgen
  max_value: 100
  seconds: 60
  conditions: []
  variables: [\"descriptors[0].key\"]
",
};
