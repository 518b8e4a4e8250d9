use super::Preset;

pub const PRESET: Preset = Preset {
    name: "throttlecrab",
    about: "throttlecrab-server, by its HTTP transport",
    method: "POST",
    path: "/throttle",
    headers: &["Content-Type: application/json"],
    body: r#"{"key":"{key}","max_burst":{limit},"count_per_period":{limit},"period":{window_s}}"#,
    allowed: "200 and json /allowed = true",
    blocked: "200 and json /allowed = false",
    notes: &[
        "Its window is in whole seconds, so --window must be whole seconds.",
        "Its algorithm is GCRA: a new key may send --limit requests at once and as many again, evenly, in each window. So \
         the first window admits up to twice the limit.",
        "In version 0.4.40, a key that was idle for nearly a window after a request may send nearly twice the limit at \
         once, and --limit 1 blocks nothing.",
    ],
    config: "",
};
