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
        "Its window is in whole seconds, so --window-ms has to be a multiple of 1000.",
        "It is a GCRA: a fresh key may send --limit requests at once and as many again, evenly, in each window. So the \
         first window holds up to twice the limit.",
        "A key that was idle for nearly a window after a request may burst to nearly twice the limit, and with --limit 1 \
         nothing is blocked (version 0.4.40).",
    ],
    config: "",
};
