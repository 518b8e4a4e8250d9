use super::Preset;

/// As in its `NewJsonHandler`, which answers 400 to any error of the service, and 500 to an unknown verdict.
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
        "Limit and window are the service's own: --limit and --window-ms are not sent.",
        "What its configuration has no limit for is allowed: a domain or key that is misspelled there blocks nothing.",
        "Its windows are whole units of the clock: a minute begins when the clock's does, for all keys at once.",
        "It answers 400 while its own store fails, which counts as failed.",
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
