use super::Preset;

pub const PRESET: Preset = Preset {
    name: "check",
    about: "loadgen's own reference limiter",
    method: "POST",
    path: "/check",
    headers: &["Content-Type: application/json"],
    body: r#"{"key":"{key}","limit":{limit},"window_ms":{window_ms}}"#,
    allowed: "200",
    blocked: "429",
    notes: &[],
    config: "",
};
