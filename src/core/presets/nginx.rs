use super::Preset;

pub const PRESET: Preset = Preset {
    name: "nginx",
    about: "nginx with limit_req, in front of any service",
    method: "GET",
    path: "/",
    headers: &["X-Key: {key}"],
    body: "",
    allowed: "200-399",
    blocked: "503",
    notes: &[
        "Limit and window are nginx's own: --limit and --window are not sent.",
        "This configuration lets a key send 100 requests at once and then 100 a minute, evenly. Without nodelay, requests \
         wait instead, which shows as service time.",
        "By default it blocks with 503. Use limit_req_status 429 and --blocked 429 to distinguish that from a 503 of a \
         server behind it.",
        "A location with return is never limited, because nginx returns first.",
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
