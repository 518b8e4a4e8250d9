use super::Preset;

/// Source: the service's `NewJsonHandler`. It answers 400 to any error of the service and 500 to an unknown code.
pub const PRESET: Preset = Preset {
    name: "envoy",
    about: "Envoy's ratelimit service, by its JSON endpoint",
    method: "POST",
    path: "/json",
    headers: &["Content-Type: application/json"],
    body: r#"{"domain":"loadgen","descriptors":[{"entries":[{"key":"key","value":"{key}"}]}]}"#,
    allowed: "200",
    blocked: "429",
    notes: &[
        "Limit and window are the service's own: --limit and --window are not sent.",
        "It allows every key without a configured limit, so a domain or key that is misspelled in its configuration blocks nothing.",
        "Its windows are whole units of the clock: for all keys, a minute begins with the minute of the clock.",
        "While its own store fails, it answers 400, which counts as failed.",
    ],
    config: "\
domain: loadgen
descriptors:
  - key: key
    rate_limit:
      unit: minute
      requests_per_unit: 100
",
};
