use super::Preset;

pub const PRESET: Preset = Preset {
    name: "kong",
    about: "Kong with its rate-limiting plugin, whatever is behind it",
    method: "GET",
    path: "/",
    headers: &["X-Key: {key}"],
    body: "",
    allowed: "200-399",
    blocked: "429",
    notes: &[
        "Limit and window are the plugin's own: --limit and --window-ms are not sent.",
        "Without limit_by: header all requests have one key: the consumer or, without one, this machine's address.",
        "While its store fails it lets everything through, which counts as allowed; with fault_tolerant: false it \
         answers 500, which is failed.",
        "It counts a request only after letting it through, so what comes at the same time may exceed the limit.",
        "Its windows are whole units of the clock: a minute begins when the clock's does, for all keys at once.",
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
