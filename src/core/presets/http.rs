use super::Preset;

pub const PRESET: Preset = Preset {
    name: "http",
    about: "any HTTP service behind a limiter; the default with URLs as arguments",
    method: "GET",
    path: "/",
    headers: &[],
    body: "",
    allowed: "200-399",
    blocked: "429",
    notes: &[
        "A URL's own path and query take the place of the path.",
        "With --body and without --method, the request is a POST.",
        "The request has no key, so to a limiter by address all requests are of one caller: this machine. For a limiter by \
         another key, send it: --header 'X-Key: {key}', or {key} in the URL.",
        "Limit and window are the service's own: --limit and --window are not sent. They are what --audit holds the limiter to.",
    ],
    config: "",
};
