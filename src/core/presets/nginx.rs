use super::Preset;

pub const PRESET: Preset = Preset {
    name: "nginx",
    about: "nginx with limit_req, whatever it serves",
    method: "GET",
    path: "/",
    headers: &["X-Key: {key}"],
    body: "",
    allowed: "200-399",
    blocked: "503",
    notes: &[
        "Limit and window are nginx's own: --limit and --window-ms are not sent.",
        "This lets a key send 100 requests at once and 100 more, evenly, each minute; without nodelay it makes them wait \
         instead, which shows as service time.",
        "It blocks with 503 unless limit_req_status says otherwise; limit_req_status 429 and --blocked 429 tell that from \
         a 503 of a server behind it.",
        "A location with return is never limited: nginx returns before it would limit.",
    ],
    config: "\
limit_req_zone $http_x_key zone=keys:10m rate=100r/m;
server {
  location / {
    limit_req zone=keys burst=99 nodelay;
  }
}
",
};
