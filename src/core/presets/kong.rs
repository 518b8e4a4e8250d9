use super::Preset;

pub const PRESET: Preset = Preset {
    name: "kong",
    about: "Kong with its rate-limiting plugin, in front of any service",
    method: "GET",
    path: "/",
    headers: &["X-Key: {key}"],
    body: "",
    allowed: "200-399",
    blocked: "429",
    notes: &[
        "Limit and window are the plugin's own: --limit and --window are not sent.",
        "Without limit_by: header, all requests have one key: the consumer, or this machine's address if there is none.",
        "While its store fails, it lets everything pass, which counts as allowed. With fault_tolerant: false it answers \
         500, which counts as failed.",
        "It counts a request only after it passed, so simultaneous requests may exceed the limit.",
        "Its windows are whole units of the clock: for all keys, a minute begins with the minute of the clock.",
    ],
    config: "\
plugins:
  - name: rate-limiting
    config:
      minute: 100
      limit_by: header
      header_name: X-Key
      policy: local
      fault_tolerant: false
",
};
