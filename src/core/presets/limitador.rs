use super::Preset;

pub const PRESET: Preset = Preset {
    name: "limitador",
    about: "Limitador, by its HTTP API",
    method: "POST",
    // Its /check tells the same, but counts nothing.
    path: "/check_and_report",
    headers: &["Content-Type: application/json"],
    body: concat!(
        r#"{"namespace":"loadgen","values":{"key":"{key}"},"delta":1,"#,
        r#""response_headers":"DraftVersion03"}"#
    ),
    allowed: "200",
    blocked: "429",
    notes: &[
        "Limit and window are in its limits file: --limit and --window-ms are not sent.",
        "What the file has no limit for is allowed: a namespace or variable that is misspelled there blocks nothing.",
        "In memory it keeps 1,000 counters unless told otherwise, and forgets the oldest beyond that: mind --keys.",
    ],
    config: "\
- namespace: loadgen
  max_value: 100
  seconds: 60
  conditions: []
  variables: [\"descriptors[0].key\"]
",
};
