use super::*;

/// 2026-01-31T12:00:00Z, in nanoseconds.
const NOON: u64 = 1_769_860_800_000_000_000;

fn read(format: &str, line: &str) -> Result<LoggedRequest, String> {
    let format: LogFormat = format.parse().unwrap();
    format
        .read(line.as_bytes(), None)
        .map_err(|error| error.to_string())
}

fn first_line(request: &LoggedRequest) -> String {
    let parts = &request.parts;
    let method = parts.method.as_ref().map_or("-", |method| method.as_str());
    let path = parts.path.as_ref().map_or("-", |path| path.as_str());
    format!("{method} {path}")
}

fn headers(request: &LoggedRequest) -> Vec<(&str, &str)> {
    let headers = request.parts.headers.iter();
    headers
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect()
}

#[test]
fn the_combined_format_has_the_request_and_two_headers() {
    let line = r#"10.0.0.1 - - [31/Jan/2026:13:00:00 +0100] "GET /a?b=\x22c\x22 HTTP/2.0" 200 12 "-" "curl/8 (a \"b\")""#;
    let request = read("combined", line).unwrap();
    assert_eq!(request.at, NOON);
    assert_eq!(first_line(&request), "GET /a?b=%22c%22");
    assert_eq!(headers(&request), [("user-agent", "curl/8 (a \"b\")")]);
    assert!(!request.has_fraction);
}

#[test]
fn the_format_of_envoy_has_the_start_to_a_millisecond() {
    let line = r#"[2026-01-31T12:00:00.310Z] "POST /api/v1/x HTTP/2" 204 - 154 0 226 100 "10.0.35.28" "nsq2http" "cc21d9b0" "locations" "tcp://10.0.2.1:80""#;
    let request = read("envoy", line).unwrap();
    assert_eq!(request.at, NOON + 310_000_000);
    assert_eq!(first_line(&request), "POST /api/v1/x");
    let expected = [
        ("x-forwarded-for", "10.0.35.28"),
        ("user-agent", "nsq2http"),
        ("x-request-id", "cc21d9b0"),
    ];
    assert_eq!(headers(&request), expected);
    assert!(request.has_fraction);
}

#[test]
fn a_start_is_the_end_minus_the_time_that_the_request_took() {
    for (format, line, at) in [
        (
            "$msec $request_time",
            "1769860800.250 0.125",
            NOON + 125_000_000,
        ),
        (
            "$msec $request_time",
            "1769860800.250 -",
            NOON + 250_000_000,
        ),
        ("$time_iso8601", "2026-01-31T13:00:00+01:00", NOON),
        // The middle of the second stands for it.
        (
            "$time_iso8601 $request_time",
            "2026-01-31T12:00:01+00:00 1.000",
            NOON + 500_000_000,
        ),
        (
            "$time_iso8601 $request_time",
            "2026-01-31T12:00:01.000250Z 1.000",
            NOON + 250_000,
        ),
        // The finer time counts.
        (
            "[$time_local] $time_iso8601",
            "[31/Jan/2026:12:00:00 +0000] 2026-01-31T12:00:00.250+00:00",
            NOON + 250_000_000,
        ),
        (
            "[$time_local] $msec",
            "[31/Jan/2026:12:00:00 +0000] -",
            NOON,
        ),
        (
            "[$time_local] $msec",
            "[31/Jan/2026:12:00:00 +0000] 1769860800.250",
            NOON + 250_000_000,
        ),
        ("%START_TIME(%s.%3f)%", "1769860800.007", NOON + 7_000_000),
        ("%START_TIME(%s%6f)%", "1769860800007000", NOON + 7_000_000),
        (
            "%START_TIME(%Y/%m/%d %H:%M:%S.%6f)%",
            "2026/01/31 12:00:00.000007",
            NOON + 7_000,
        ),
        (
            "%START_TIME(%Y-%m-%dT%H:%M:%S%z)%",
            "2026-01-31T13:00:00+0100",
            NOON,
        ),
    ] {
        assert_eq!(
            read(format, line).map(|request| request.at),
            Ok(at),
            "{format}"
        );
    }
}

#[test]
fn a_time_has_a_fraction_if_its_line_has_one() {
    for (format, time, has_fraction) in [
        ("$msec", "1769860800", false),
        ("$msec", "1769860800.", false),
        ("$msec", "1769860800.000", true),
        ("$time_iso8601", "2026-01-31T12:00:00+00:00", false),
        ("$time_iso8601", "2026-01-31T12:00:00.000000Z", true),
        ("$time_local", "31/Jan/2026:12:00:00 +0000", false),
        ("%START_TIME%", "2026-01-31T12:00:00.000Z", true),
        ("%START_TIME%", "2026-01-31T12:00:00Z", false),
        ("%START_TIME(%s)%", "1769860800", false),
        ("%START_TIME(%s%3f)%", "1769860800000", true),
        ("%START_TIME(%F %T)%", "2026-01-31 12:00:00", false),
        ("%START_TIME(%F %T.%3f)%", "2026-01-31 12:00:00.000", true),
    ] {
        let request = read(format, time).expect(format);
        assert_eq!(
            (request.at, request.has_fraction),
            (NOON, has_fraction),
            "{format} {time}"
        );
        // The fraction of the time that it took does not count.
        let request = read(&format!("{format}|$request_time"), &format!("{time}|0.001"));
        assert!(format.starts_with('%') || request.unwrap().has_fraction == has_fraction);
    }
}

#[test]
fn a_local_time_with_an_unusual_offset_or_a_leap_second_is_read_or_refused() {
    for (time, at) in [
        ("31/Jan/2026:17:45:00 +0545", Some(NOON)),
        ("31/Jan/2026:02:00:00 -1000", Some(NOON)),
        ("01/Feb/2026:02:00:00 +1400", Some(NOON)),
        ("31/Jan/2026:12:00:00 -0000", Some(NOON)),
        // A leap second is counted with the one before it.
        ("31/Jan/2026:11:59:60 +0000", Some(NOON - 1_000_000_000)),
        ("31/Jan/2026:12:00:61 +0000", None),
        ("31/Jan/2026:12:00:00 +9999", None),
        ("31/Jan/2026:12:00:00 +00", None),
        ("31/Jan/2026:12:00:00 ", None),
        ("01/Jan/1970:00:00:00 +2359", None),
        ("21/Jul/2554:23:34:33 +0000", None),
        ("31/Dec/9999:23:59:60 -2359", None),
        ("31/Feb/2026:12:00:00 +0000", None),
    ] {
        for (format, line) in [
            ("$time_local|$request_time", format!("{time}|0")),
            ("$time_local|$request_time", format!("{time}|0.5")),
        ] {
            let read = read(format, &line).ok();
            assert_eq!(read.map(|request| request.at), at, "{time}");
        }
    }
}

#[test]
fn every_part_of_a_request_may_have_a_variable() {
    let format =
        r#"${msec}|$request_method|$uri|$args|$http_x_api_key|$content_type|$request_body"#;
    let line = r#"1769860800.000|PUT|/a|b=c|k-1|text/plain|x\x0Ay"#;
    let request = read(format, line).unwrap();
    assert_eq!(first_line(&request), "PUT /a?b=c");
    assert_eq!(
        headers(&request),
        [("x-api-key", "k-1"), ("content-type", "text/plain")]
    );
    assert_eq!(request.parts.body.as_deref(), Some(&b"x\ny"[..]));

    let format: LogFormat = format.parse().unwrap();
    for typed in ["$http_x_api_key", "${http_x_api_key}", "http_x_api_key"] {
        let key = format.variable(typed);
        let request = format.read(line.as_bytes(), key).unwrap();
        assert_eq!(request.key.as_deref(), Some("k-1"), "{typed}");
    }
    assert_eq!(format.variable("$remote_addr"), None);
}

#[test]
fn the_client_s_own_path_counts_whatever_the_order_of_the_variables() {
    const ORIGINAL: &str = "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%";
    const ALONE: &str = "%REQUEST_HEADER(X-Envoy-Original-Path):99%";
    const PATH: &str = "%REQUEST_HEADER(:path):5%";
    for (variables, sent) in [
        // nginx has decoded $uri, and redirected it internally; $args are those of the redirect.
        (
            &[
                ("$request", "GET /a%20b?c=d HTTP/1.1"),
                ("$uri", "/index.html"),
                ("$args", "e=f"),
            ][..],
            "GET /a%20b?c=d",
        ),
        (
            &[
                ("$request", "GET /a HTTP/1.1"),
                ("$args", "e=f"),
                ("$request_method", "POST"),
            ],
            "GET /a",
        ),
        (
            &[
                ("$request_uri", "/a?c"),
                ("$document_uri", "/b"),
                ("$query_string", "d"),
            ],
            "- /a?c",
        ),
        (
            &[("$request_uri", "-"), ("$uri", "/b"), ("$args", "d")],
            "- /b?d",
        ),
        (
            &[("$uri", "/100%/a?b#c é d"), ("$args", "e=%20")],
            "- /100%25/a%3Fb%23c%20%C3%A9%20d?e=%20",
        ),
        (&[("$uri", "/%41"), ("$args", "-")], "- /%2541"),
        (&[(ORIGINAL, "/client?a"), (PATH, "/up")], "- /client?a"),
        (&[(ALONE, "/client?a"), (PATH, "/up")], "- /client?a"),
        (&[(ALONE, "-"), (PATH, "/%41?")], "- /%41?"),
        (&[(ORIGINAL, "-"), (PATH, "/up")], "- /up"),
    ] {
        let time = match variables[0].0.starts_with('%') {
            true => ("%START_TIME(%s)%", "1769860800"),
            false => ("$msec", "1769860800.000"),
        };
        let joined = |order: &[(&str, &str)]| {
            let all = std::iter::once(&time).chain(order);
            let (format, line): (Vec<_>, Vec<_>) = all.copied().unzip();
            read(&format.join("|"), &line.join("|")).unwrap()
        };
        let mut reverse = variables.to_vec();
        reverse.reverse();
        for order in [variables, &reverse] {
            assert_eq!(first_line(&joined(order)), sent, "{order:?}");
        }
    }
    let format = "%START_TIME% %REQUEST_HEADER(:METHOD)% %REQUEST_HEADER(X-KEY?X-OTHER):3%";
    let request = read(format, "2026-01-31T12:00:00.310Z PUT abc").unwrap();
    assert_eq!(first_line(&request), "PUT -");
    assert_eq!(headers(&request), [("x-key", "abc")]);
}

#[test]
fn a_format_is_read_as_it_stands_in_a_configuration() {
    let line = "[31/Jan/2026:12:00:00 +0000]\t\"PUT /a HTTP/1.1\" 'k'";
    let bare = "[$time_local]\t\"$request\" '$http_x_key'";
    for format in [
        bare,
        r#"[$time_local]\t"$request" '$http_x_key'"#,
        r#"[$time_local]\t\"$request\" '$http_x_key'\n"#,
        r#"'[$time_local]\t"$request" \'$http_x_key\''"#,
        r#"log_format main '[$time_local]\t"$request" '
                      "'$http_x_key'";"#,
        r#" log_format  main  '[$time_local]\t' # the end
            '"$request" ' '\'$http_x_key\'' ;
        "#,
        r#"log_format main escape=default "[$time_local]\t\"$request\" '$http_x_key'""#,
        r#"'[$time_local]\t' '"$request" ' "'$http_x_key'";"#,
        r#"escape=default [$time_local]\t"$request" '$http_x_key';"#,
        &format!("{bare}\r\n"),
        &format!("{bare} "),
    ] {
        for line in [line, &format!("{line} \t")] {
            let request = read(format, line).expect(format);
            assert_eq!(first_line(&request), "PUT /a", "{format}");
            assert_eq!(headers(&request), [("x-key", "k")], "{format}");
        }
    }
    let line = "[2026-01-31T12:00:00.310Z]\t\"PUT /a\" 'k'";
    for format in [
        "[%START_TIME%]\t\"%REQ(:METHOD)% %REQ(:PATH)%\" '%REQ(X-KEY)%'",
        r#"[%START_TIME%]\t"%REQ(:METHOD)% %REQ(:PATH)%" '%REQ(X-KEY)%'\n"#,
        "[%START_TIME%]\\t\"%REQ(:METHOD)% %REQ(:PATH)%\" '%REQ(X-KEY)%' \n",
        r#" "[%START_TIME%]\t\"%REQ(:METHOD)% %REQ(:PATH)%\" '%REQ(X-KEY)%'\n" "#,
        "\"[%START_TIME%]\\t\\\"%REQ(:METHOD)%\n    %REQ(:PATH)%\\\" '%REQ(X-\\\n   KEY)%'\\n\"\n",
        r#"'[%START_TIME%]\t"%REQ(:METHOD)% %REQ(:PATH)%" ''%REQ(X-KEY)%'''"#,
    ] {
        let request = read(format, line).expect(format);
        assert_eq!(first_line(&request), "PUT /a", "{format}");
        assert_eq!(headers(&request), [("x-key", "k")], "{format}");
    }
    // These quotes are those of the lines.
    for (format, line) in [
        (
            r#""$msec" "$request""#,
            r#""1769860800.000" "PUT /a HTTP/1.1""#,
        ),
        (
            r#""$msec","$request""#,
            r#""1769860800.000","PUT /a HTTP/1.1""#,
        ),
        (
            r#""%START_TIME(%s)%" "%REQ(:METHOD)% %REQ(:PATH)%""#,
            r#""1769860800" "PUT /a""#,
        ),
    ] {
        let request = read(format, line).expect(format);
        assert_eq!(first_line(&request), "PUT /a", "{format}");
    }
}

#[test]
fn blanks_at_the_end_of_a_line_count_only_where_the_format_has_them() {
    let request = |format: &str, line: &str| read(format, line).unwrap();
    for (format, line) in [
        ("$request_uri $msec", "/a 1769860800.000 "),
        ("$request_uri $msec ", "/a 1769860800.000"),
        ("$request_uri $msec\t", "/a 1769860800.000 "),
        ("$msec $request_uri", "1769860800.000 /a \t"),
        (r#"$msec "$request_uri" "#, r#"1769860800.000 "/a""#),
        (r#"$msec "$request_uri""#, r#"1769860800.000 "/a"  "#),
        ("$msec\t$request_uri\t$http_x", "1769860800.000\t/a\t"),
        ("$msec\t$request_uri\t$http_x\t", "1769860800.000\t/a\t\t"),
    ] {
        let request = request(format, line);
        assert_eq!(request.at, NOON, "{format:?}");
        assert_eq!(first_line(&request), "- /a", "{format:?}");
    }
    let decoded = request(r#"$msec "$uri""#, r#"1769860800.000 "/a ""#);
    assert_eq!(first_line(&decoded), "- /a%20");
    let with_body = request("$msec $request_body", "1769860800.000 a  ");
    assert_eq!(with_body.parts.body.as_deref(), Some(&b"a  "[..]));
}

#[test]
fn the_escapes_of_a_format_are_undone() {
    let body = |format: &str, line: &str| {
        let request = read(format, line).unwrap();
        let body = request.parts.body.unwrap_or_else(|| b"(none)".to_vec());
        String::from_utf8(body).unwrap()
    };
    let json = r#"log_format j escape=json '{"t":$msec,"b":"$request_body","k":"$http_k"}';"#;
    let with = |value: &str| format!(r#"{{"t":1769860800.000,"b":"{value}","k":""}}"#);
    for (written, value) in [
        (r#"{\"a\":\"\\\\\"}"#, r#"{"a":"\\"}"#),
        (r"\u0000\u001B\n\t\b\f\/", "\0\u{1b}\n\t\u{8}\u{c}/"),
        (r"\u00e9\uD83D\uDE00\uD83Dx", "é😀\u{fffd}x"),
        (r"\u12", "u12"),
        (r"\u12é", "u12é"),
        ("-", "-"),
        ("", "(none)"),
    ] {
        assert_eq!(body(json, &with(written)), value, "{written}");
    }
    // nginx writes a backslash of a value as \x5C, so the escapes of JSON are clear without the word.
    let unnamed = r#"{"t":$msec,"b":"$request_body","k":"$http_k"}"#;
    assert_eq!(body(unnamed, &with(r"\u0041\x22")), "A\"");
    assert_eq!(body(unnamed, &with("-")), "(none)");
    let none = "escape=none '$msec \"$request_body\" $http_k'";
    assert_eq!(body(none, r#"1769860800.000 "\x22\" -"#), r"\x22\");
    assert_eq!(body(none, r#"1769860800.000 "" -"#), "(none)");
}

#[test]
fn a_line_of_a_connection_without_a_request_is_refused() {
    let envoy = "[%START_TIME%] %REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %REQ(:PATH)%";
    let combined =
        |request: &str| format!(r#"h - - [31/Jan/2026:13:00:00 +0100] "{request}" 408 0 "-" "-""#);
    let at = "[2026-01-31T12:00:00.310Z]";
    for (format, line, why) in [
        ("combined", combined("-"), "its $request is missing"),
        ("combined", combined(""), "its $request is missing"),
        (
            envoy,
            format!("{at} - - -"),
            "its %REQ(:METHOD)% is missing",
        ),
        (
            envoy,
            format!("{at} GET - -"),
            "its %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% is missing",
        ),
        (
            envoy,
            format!("{at} - - /a"),
            "its %REQ(:METHOD)% is missing",
        ),
        (
            "$msec $uri?$args",
            "1769860800.250 -?-".to_owned(),
            "its $uri is missing",
        ),
        (
            "$msec $uri?$args",
            "1769860800.250 ?a=b".to_owned(),
            "its $uri is missing",
        ),
        (
            "$msec $args",
            "1769860800.250 a=b".to_owned(),
            "it has a query without a path",
        ),
    ] {
        assert_eq!(read(format, &line).unwrap_err(), why, "{line}");
    }
    // One of several is enough, and a format may have none.
    let request = read(envoy, &format!("{at} GET - /a")).unwrap();
    assert_eq!(first_line(&request), "GET /a");
    let request = read("$msec $remote_addr", "1769860800.250 -").unwrap();
    assert_eq!(first_line(&request), "- -");
}

#[test]
fn a_line_in_another_form_is_refused_with_what_is_missing() {
    let combined =
        |request: &str| format!(r#"h - - [31/Jan/2026:13:00:00 +0100] "{request}" 200 12 "-" "-""#);
    for (line, why) in [
        ("", "there is no ` - ` where it should be"),
        ("h - - 31/Jan", "there is no ` [` where it should be"),
        (&combined("GET / HTTP/1.1")[..60], "where it should be"),
        (
            &(combined("GET / HTTP/1.1") + " 1"),
            "there is no `\"` where it should be",
        ),
        (
            &combined("GET / HTTP/1.1").replace("Jan", "Jam"),
            "its $time_local is not a time in this format",
        ),
        (
            &combined(r"\x16\x03\x01"),
            "its request has no method and path",
        ),
        (
            &combined("OPTIONS * HTTP/1.1"),
            "its path does not begin with a slash",
        ),
        (
            &combined("CONNECT h:443 HTTP/1.1"),
            "no HTTP method other than CONNECT",
        ),
    ] {
        let refused = read("combined", line).unwrap_err();
        assert!(refused.contains(why), "{line}: {refused}");
    }
}

#[test]
fn a_format_needs_a_time_and_text_between_its_variables() {
    for (format, why) in [
        ("", "must be jsonl, csv, combined, common, envoy"),
        ("clf", "must be jsonl, csv"),
        ("$request", "must have the time of each request"),
        ("%PROTOCOL%", "must have the time of each request"),
        ("$msec$request", "must have text between $msec and $request"),
        ("$msec $", "the name of a variable"),
        ("${msec", "a } behind each ${"),
        ("log_format a '$msec", "a second quote"),
        (
            "log_format a '$msec'$uri;",
            "a semicolon behind each quoted",
        ),
        (
            "log_format a '$msec'; log_format b '$msec';",
            "one log_format",
        ),
        ("escape=xml '$msec'", "escape=json"),
        ("$msec\\n$uri", "no line break except at its end"),
        (
            "%START_TIME%\n%REQ(:PATH)%",
            "no line break except at its end",
        ),
        ("%START_TIME", "a second percent sign"),
        ("%START_TIME(%H)%", "must have a date and a time"),
    ] {
        let refused = format.parse::<LogFormat>().unwrap_err();
        assert!(refused.contains(why), "{format}: {refused}");
    }
}

#[test]
fn a_path_and_its_query_may_be_written_as_one() {
    for (line, sent) in [
        (
            "1769860800.000 /a%23#b?x=1%20&y=%3F? 200",
            "- /a%2523%23b?x=1%20&y=%3F?",
        ),
        ("1769860800.000 /a 200", "- /a"),
    ] {
        let request = read("$msec $uri$is_args$args $status", line).unwrap();
        assert_eq!(first_line(&request), sent);
    }
    let refused = "$msec $uri$args".parse::<LogFormat>().unwrap_err();
    assert!(
        refused.contains("must have text between $uri and $args"),
        "{refused}"
    );
}
