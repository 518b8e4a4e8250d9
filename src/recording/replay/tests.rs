use super::*;
use crate::base::Nanos;
use crate::core::replay::{Content, Replay};
use crate::core::schedule::Schedule;
use crate::core::stripe::Stripe;
use proptest::prelude::*;
use std::fs;

fn file(text: &[u8]) -> (tempfile::NamedTempFile, ReplayFile) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let replay = ReplayFile {
        path: file.path().to_owned(),
        format: None,
        key: None,
        skips_unreadable: false,
        speed: Speed::ONE,
        dropped: Vec::new(),
    };
    (file, replay)
}

fn read(text: &str) -> Result<RecordedRequests, String> {
    read_with(text, |_| {})
}

fn read_with(text: &str, change: impl FnOnce(&mut ReplayFile)) -> Result<RecordedRequests, String> {
    let (_file, mut replay) = file(text.as_bytes());
    change(&mut replay);
    let copied = copy(&replay, None).map_err(|error| error.to_string());
    copied.map(|(requests, _)| requests)
}

/// Each request as text: its instant in milliseconds, its first line, headers and body.
fn shown(requests: &RecordedRequests) -> Vec<String> {
    let mut bytes = Vec::new();
    let all = (0..requests.count).map(|number| {
        let at = requests.entry(number).unwrap().at;
        requests.content(number, &mut bytes).unwrap();
        let content = Content::read(&bytes).unwrap();
        let text = |part: Option<&[u8]>| String::from_utf8_lossy(part.unwrap_or(b"-")).into_owned();
        let headers = content
            .headers()
            .map(|(name, value)| format!(" {}={}", text(Some(name)), text(Some(value))));
        let headers: String = headers.collect();
        format!(
            "{} {} {}{headers} {}",
            at.0 / 1_000_000,
            text(content.method),
            text(content.path),
            text(content.body)
        )
    });
    all.collect()
}

#[test]
fn json_lines_and_csv_have_the_same_requests() {
    let json = r#"
{"time": "2026-01-31T12:00:00.5Z", "method": "put", "url": "http://h/a?b", "headers": {"X-A": "1", "Host": "h", "x-b": ["2", "3"]}, "body": "x\ny"}

{"time_ms": 1769860801000, "path": null, "headers": [["A", 1], {"name": "B", "value": "2"}], "body": {"k": [1, 2]}}
{"time": 1769860800, "headers": "A: 1\r\nB: c:d\n", "body": ""}
"#;
    let expected = [
        "0 - - a=1 b=c:d ",
        "500 PUT /a?b x-a=1 x-b=2 x-b=3 x\ny",
        r#"1000 - - a=1 b=2 {"k": [1, 2]}"#,
    ];
    assert_eq!(shown(&read(json).unwrap()), expected);

    let csv = "method,\"time\",path,headers,body\n\
               put,1769860800.5,/a?b,\"{\"\"X-A\"\": \"\"1\"\", \"\"Host\"\": \"\"h\"\", \"\"x-b\"\": [\"\"2\"\", \"\"3\"\"]}\",\"x\ny\"\n\
               ,1769860801,,\"A: 1\nB: 2\",\"{\"\"k\"\": [1, 2]}\"\r\n\
               ,2026-01-31T12:00:00Z,,\"A: 1\nB: c:d\",\n";
    let expected = expected.map(|request| request.trim_end_matches("b=c:d ").to_owned());
    let read = shown(&read(&format!("\u{feff}{csv}")).unwrap());
    assert_eq!(read[1..], expected[1..]);
    // An empty cell is a missing part.
    assert_eq!(read[0], "0 - - a=1 b=c:d -");
}

#[test]
fn common_methods_are_sent_in_capitals_and_others_as_they_were_recorded() {
    let text = "{\"time\":0,\"method\":\"get\"}\n{\"time\":0,\"method\":\"m-Search\"}";
    assert_eq!(shown(&read(text).unwrap()), ["0 GET - -", "0 m-Search - -"]);
    assert!(read("{\"time\":0,\"method\":\"connect\"}").is_err());
}

#[test]
fn what_a_run_wrote_is_replayed_at_its_due_times_without_the_probe() {
    let text = "sequence,key,target,due_ns,sent_ns,source\n\
                0,a,http://h,1000000,5,load\n1,p,http://h,2000000,5,probe\n2,b,http://h,4000000,5,load\n";
    let requests = read(text).unwrap();
    assert_eq!(shown(&requests), ["0 - - -", "3 - - -"]);
    assert_eq!(requests.keys, RecordedKeys::Own(2));
}

#[test]
fn requests_of_a_log_with_whole_seconds_are_spread_within_each() {
    let line = |second: u32, path: &str| {
        format!(
            "h - - [31/Jan/2026:12:00:{second:02} +0000] \"GET {path} HTTP/1.1\" 200 1 \"-\" \"-\"\n"
        )
    };
    let lines = [
        line(3, "/a"),
        line(1, "/b"),
        line(3, "/c"),
        line(3, "/d"),
        line(1, "/e"),
        line(3, "/f"),
    ];
    let requests = read_with(&lines.concat(), |file| {
        file.format = Some("combined".parse().unwrap())
    })
    .unwrap();
    let expected = [
        "0 GET /b -",
        "500 GET /e -",
        "2000 GET /a -",
        "2250 GET /c -",
        "2500 GET /d -",
        "2750 GET /f -",
    ];
    assert_eq!(shown(&requests), expected);
    assert!(requests.is_spread);
    assert_eq!(requests.most_in_a_second, 4);

    // A log whose values have fractions is exact, whatever its variable usually has, and also in its whole seconds.
    for (times, expected) in [
        (["00.000250Z", "00.000750Z", "01Z"], ["0", "0", "999"]),
        (["01Z", "00Z", "01.500Z"], ["0", "1000", "1500"]),
        (["00.000Z", "00.000Z", "01.000Z"], ["0", "0", "1000"]),
        (["00Z", "00Z", "01Z"], ["0", "500", "1000"]),
    ] {
        let lines = times.map(|time| format!("2026-01-31T12:00:{time} x\n"));
        let requests = read_with(&lines.concat(), |file| {
            file.format = Some("$time_iso8601 $status".parse().unwrap())
        })
        .unwrap();
        let expected = expected.map(|at| format!("{at} - - -"));
        assert_eq!(shown(&requests), expected, "{times:?}");
        assert_eq!(requests.is_spread, times[0] == "00Z", "{times:?}");
    }

    // Times of the user's own are exact, even if they are whole seconds.
    let requests = read("time\n1\n1\n2\n").unwrap();
    assert_eq!(shown(&requests), ["0 - - -", "0 - - -", "1000 - - -"]);
    assert!(!requests.is_spread);
}

#[test]
fn a_log_of_tabs_may_have_an_empty_last_field() {
    let lines = "1769860800.000\t/a\tx\r\n1769860801.000\t/b\t\r\n \t\n1769860802.000\t/c\t";
    let requests = read_with(lines, |file| {
        file.format = Some(r"$msec\t$request_uri\t$http_k".parse().unwrap())
    })
    .unwrap();
    assert_eq!(
        shown(&requests),
        ["0 - /a k=x -", "1000 - /b -", "2000 - /c -"]
    );
    // JSON may have blanks behind it.
    let requests = read("{\"time\":1} \t\r\n{\"time\":2}  ").unwrap();
    assert_eq!(requests.count, 2);
}

#[test]
fn a_line_that_can_not_be_read_is_refused_by_its_number_or_counted() {
    let json = "{\"time\":1}\n\n{\"time\":2,\n{\"time\":3}\n{\"time\":\"x\"}\n{\"path\":\"/\"}\n";
    let refused = read(json).unwrap_err();
    assert!(
        refused.starts_with("line 3: it is no JSON object: EOF"),
        "{refused}"
    );
    assert!(
        refused.ends_with("--skip-unreadable skips and counts such lines"),
        "{refused}"
    );
    let skipping = |text: &str| read_with(text, |file| file.skips_unreadable = true);
    let requests = skipping(json).unwrap();
    assert_eq!((requests.count, requests.unreadable), (2, 3));

    for (text, why) in [
        (
            "time,path\n1,/\n2\n",
            "line 3: it has 1 fields, and the first row has 2",
        ),
        (
            "time,body\n\n\n1,\"a\nb\"\n\nnoon,",
            "line 7: its time noon",
        ),
        (
            "time\nnoon\n",
            "line 2: its time noon is neither a number (s) nor an instant",
        ),
        (
            "time,path\n1,a\n",
            "line 2: its path does not begin with a slash",
        ),
        (
            "time,headers\n1,a\n",
            "line 2: its headers are neither lines such as",
        ),
        (
            "time,headers\n1,{\n",
            "line 2: its headers begin like JSON but are not valid JSON",
        ),
        (
            "time,method\n1,G T\n",
            "line 2: its method G T is no HTTP method",
        ),
        (
            "time,key\n1,a\n2,\n",
            "line 3: it has no key, and the others have one",
        ),
        (
            "{\"time\":1,\"headers\":7}",
            "line 1: its headers are neither an object nor a list",
        ),
        (
            "{\"time\":1,\"headers\":{\"a\":\"\\u0000\"}}",
            "line 1: its header a has a control character",
        ),
        (
            "{\"time\":1,\"path\":{}}",
            "line 1: its path is neither a text nor a number",
        ),
        ("{\"time\":-1}", "line 1: its time -1 is less than 0"),
        (
            &format!("{{\"time\":1,\"body\":\"{}\"}}", "x".repeat(1 << 20)),
            "line 1: it has more than 1048576 bytes",
        ),
    ] {
        let refused = read(text).unwrap_err();
        assert!(refused.starts_with(why), "{text:.40}: {refused}");
        let only = skipping(text).map(|requests| requests.unreadable);
        assert!(
            only == Ok(1)
                || only
                    .is_err_and(|why| why.contains("can't be read") || why.contains("can be read"))
        );
    }
}

#[test]
fn a_quote_that_is_not_closed_is_refused_by_its_line_and_never_passed_over() {
    for (text, line) in [
        ("time,path\n1,/a\n2,\"/b\n3,/c\n4,/d\n", 3),
        ("time,path\n1,/a\n\n2,\"/b", 4),
        ("time,path\n1,/a\n2,\"/b\"\"", 3),
        ("time,path\n1,/a\n2,\"/b\n\"\n3,\"", 5),
        ("time,path\n1,/a\n\"", 3),
        ("time,\"path\n1,/a\n2,/b\n", 1),
    ] {
        let refused = format!("line {line}: it has a quote that is not closed");
        assert_eq!(read(text).unwrap_err(), refused, "{text:?}");
        let skipping = read_with(text, |file| file.skips_unreadable = true);
        assert_eq!(skipping.unwrap_err(), refused, "{text:?}");
    }
    // Quotes within a field, and the last words of a file.
    for text in [
        "time,path\n1,/a\"b\n2,\"/\"\"c\"\n",
        "time,path\n1,/a\n2,\"/b\"",
        "time,path\n1,/a\n2,/b\r",
        "time,path\n1,/a\n2,/b\n\n\n",
        "time,path,body\n1,/a,\n2,/b,end",
    ] {
        assert_eq!(read(text).unwrap().count, 2, "{text:?}");
    }
    let only = |text| shown(&read(text).unwrap());
    assert_eq!(only("time,body\n1,end\n"), ["0 - - end"]);
    assert_eq!(only("time,body\n1,\"end\n\"\n"), ["0 - - end\n"]);
}

#[test]
fn a_last_row_that_is_cut_off_is_refused_unless_all_its_fields_are_there() {
    let whole = "time,path,body\n1,/a,\n2,/b,x";
    assert_eq!(read(whole).unwrap().count, 2);
    for cut in ["2", "2,", "2,/b"] {
        let text = format!("time,path,body\n1,/a,\n{cut}");
        let refused = read(&text).unwrap_err();
        assert!(refused.starts_with("line 3: it has "), "{cut}: {refused}");
        let skipping = read_with(&text, |file| file.skips_unreadable = true).unwrap();
        assert_eq!((skipping.count, skipping.unreadable), (1, 1));
    }
}

#[test]
fn the_format_is_that_of_the_whole_first_line_however_little_a_pipe_has_at_a_time() {
    struct ByByte(&'static [u8]);

    impl std::io::Read for ByByte {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let most = buffer.len().min(1);
            self.0.read(&mut buffer[..most])
        }
    }

    for text in ["\n\npath,method,time\n/a,GET,1\n", "\u{feff}time,path\n1,/"] {
        let mut source = Source::new(Box::new(ByByte(text.as_bytes()))).unwrap();
        assert!(matches!(source.format(), Ok(ReplayFormat::Csv)), "{text:?}");
        let mut rows = Rows::new(source, ReplayFormat::Csv, None).unwrap();
        assert!(rows.next().unwrap().unwrap().is_ok(), "{text:?}");
        assert!(rows.next().unwrap().is_none(), "{text:?}");
    }
    let mut source = Source::new(Box::new(ByByte(b"\n\n{\"time\":1}\n"))).unwrap();
    assert!(matches!(source.format(), Ok(ReplayFormat::JsonLines)));
    let compressed = Source::new(Box::new(ByByte(b"\x1f\x8b\x08rest")));
    assert!(compressed.is_err_and(|wrong| wrong.why.contains("gzip")));
}

#[test]
fn a_file_that_is_no_recording_is_refused() {
    for (text, why) in [
        ("", "it has no requests"),
        (" \n\n", "it has no requests"),
        ("time\n", "it has no requests"),
        (
            "a,b\n1,2\n",
            "its first line is neither a JSON object nor names of columns",
        ),
        ("\u{1f}\u{8b}", "its first line is neither"),
        (
            "time;path\n1;/\n",
            "its columns are separated by semicolons, and those of CSV must be by commas",
        ),
        ("t\0i\0m\0e\0\n\0", "it is not text in UTF-8"),
        (
            "timestamp,path\n1769860800123,/\n",
            "line 2: its timestamp 1769860800123 is more than 292 years if its unit is s; the column's name may end with the \
             unit, such as timestamp_ms",
        ),
    ] {
        let refused = read(text).unwrap_err();
        assert!(refused.starts_with(why), "{text:?}: {refused}");
    }
    let (_file, replay) = file(b"\x1f\x8b\x08rest");
    let refused = copy(&replay, None).unwrap_err().to_string();
    assert!(refused.contains("compressed with gzip"), "{refused}");
    let missing = read_with("", |file| file.path = "/nowhere/at/all".into());
    assert!(
        missing.unwrap_err().contains("No such file"),
        "a missing file"
    );
    let folder = read_with("", |file| file.path = "/".into());
    assert_eq!(folder.unwrap_err(), "it is a directory");
    let key = read_with("time\n1\n", |file| file.key = Some("user".to_owned()));
    assert_eq!(key.unwrap_err(), "there is no column user for --replay-key");
    let log = read_with("x", |file| {
        file.format = Some("$msec $remote_addr".parse().unwrap());
        file.key = Some("$user".to_owned());
    });
    assert_eq!(
        log.unwrap_err(),
        "its format has no $user for --replay-key, but $msec, $remote_addr"
    );
    let none = read_with("{}\n{}\n", |file| file.skips_unreadable = true);
    assert_eq!(none.unwrap_err(), "none of its 2 lines can be read");
}

#[test]
fn keys_come_from_a_column_a_header_or_a_variable_behind_those_of_a_list() {
    let keys = |text: &str, key: Option<&str>, format: Option<&str>| {
        let (_file, mut replay) = file(text.as_bytes());
        replay.key = key.map(str::to_owned);
        replay.format = format.map(|format| format.parse().unwrap());
        let listed = KeyList::read(&b"b\t5/1s\nz"[..]).unwrap();
        let (requests, list) = copy(&replay, Some(listed)).unwrap();
        let list = list.unwrap();
        // Nobody has the listed key z.
        assert_eq!((requests.keys, list.len()), (RecordedKeys::Own(3), 4));
        let all = (0..requests.count).map(|number| requests.entry(number).unwrap().key as usize);
        all.map(|place| list.key(place).to_owned())
            .collect::<Vec<_>>()
    };
    let expected = ["a", "b", "a", "c"];
    assert_eq!(keys("time,key\n1,a\n2,b\n3,a\n4,c\n", None, None), expected);
    assert_eq!(
        keys("time,user\n1,a\n2,b\n3,a\n4,c\n", Some("user"), None),
        expected
    );
    let json = expected.map(|key| format!("{{\"time\":1,\"headers\":{{\"X-Key\":\"{key}\"}}}}\n"));
    assert_eq!(keys(&json.concat(), Some("header:x-key"), None), expected);
    let log = "a 1\nb 2\na 3\nc 4\n";
    assert_eq!(
        keys(log, Some("$remote_addr"), Some("$remote_addr $msec")),
        expected
    );
}

#[test]
fn a_first_request_without_a_key_does_not_make_the_others_unreadable() {
    let text = "{\"time\":0}\n{\"time\":1,\"key\":\"a\"}\n{\"time\":2,\"key\":\"b\"}";
    let skipping = |key: Option<&str>| {
        read_with(text, |file| {
            file.skips_unreadable = true;
            file.key = key.map(str::to_owned);
        })
    };
    let refused = skipping(None).unwrap_err();
    let why = "line 2: it has a key, and a request before it has none; with --replay-key key";
    assert!(refused.starts_with(why), "{refused}");
    let requests = skipping(Some("key")).unwrap();
    assert_eq!((requests.count, requests.unreadable), (2, 1));
    assert_eq!(requests.keys, RecordedKeys::Own(2));
}

#[test]
fn common_logs_are_read_by_their_names_of_columns() {
    for (text, expected, times, unread) in [
        (
            // Caddy.
            r#"{"ts":1769860800.1,"level":"info","request":{"method":"POST","uri":"/api/x?y=1","headers":{"X-A":["1"]}},"status":200}"#,
            "0 POST /api/x?y=1 x-a=1 -",
            "ts",
            "level,status",
        ),
        (
            // Traefik, whose `time` is the end.
            r#"{"RequestMethod":"PUT","RequestPath":"/api","StartUTC":"2026-01-31T12:00:00.1Z","time":"2026-01-31T12:00:03Z"}"#,
            "0 PUT /api - ",
            "StartUTC",
            "time",
        ),
        (
            // HAR, whose `time` is a duration.
            r#"{"startedDateTime":"2026-01-31T12:00:00.1Z","time":2.5,"request":{"method":"POST","url":"https://h/a?b","headers":[{"name":"X-A","value":"1"}],"postData":{"mimeType":"text/plain","text":"c"}}}"#,
            "0 POST /a?b x-a=1 c",
            "startedDateTime",
            "time",
        ),
        (
            r#"{"time":"2026-01-31T12:00:00Z","request":"POST /api/x HTTP/1.1","request_time":0.1}"#,
            "0 POST /api/x -",
            "time",
            "request_time",
        ),
        (
            // vegeta's results, whose headers and body are those of the response.
            r#"{"attack":"a","seq":1,"code":200,"timestamp":"2026-01-31T12:00:00Z","latency":5,"method":"GET","url":"http://h/x","body":"b2s=","headers":{"Set-Cookie":["a"]}}"#,
            "0 GET /x -",
            "timestamp",
            "attack,seq,code,latency,headers,body",
        ),
        (
            "Time, Method ,Path,Query,Status\n 0.5 , DELETE, /a , b=c ,200\n",
            "0 DELETE /a?b=c -",
            "Time",
            "Status",
        ),
        (
            "time,request\n1,GET /a HTTP/2.0\n",
            "0 GET /a -",
            "time",
            "",
        ),
        (
            "metric_name,timestamp,method,url\nvus,1,,\nhttp_reqs,1,GET,http://h/k\nhttp_req_duration,1,GET,http://h/k\n",
            "0 GET /k -",
            "timestamp",
            "",
        ),
    ] {
        let requests = read(text).unwrap();
        let shown: Vec<_> = shown(&requests)
            .iter()
            .map(|one| one.trim_end_matches(' ').to_owned())
            .collect();
        let expected = expected.trim_end_matches(' ');
        assert_eq!(shown, [expected], "{text}");
        assert_eq!(requests.time_columns.join(","), times, "{text}");
        assert_eq!(requests.unread_columns.join(","), unread, "{text}");
    }
    // A row's own parts win over those within its request, and a part that nobody has is the run's.
    let text = r#"{"time":1,"path":"/own","request":{"path":"/other","method":"GET"}}
{"time":2,"path":"/b"}"#;
    let requests = read(text).unwrap();
    assert_eq!(shown(&requests), ["0 GET /own -", "1000 - /b -"]);
    assert_eq!((requests.without_method, requests.without_path), (1, 0));
}

#[test]
fn requests_that_differ_only_in_their_keys_are_noticed() {
    let alike = |text: &str, key: Option<&str>| {
        let requests = read_with(text, |file| file.key = key.map(str::to_owned)).unwrap();
        (requests.alike, requests.hiding_key)
    };
    let text = "time,path,key\n1,/x,a\n2,/y,b\n3,/x,c\n";
    assert_eq!(alike(text, None), (Some([2, 4]), 3));
    assert_eq!(alike("time,path\n1,/x\n2,/x\n", None), (None, 0));
    let in_path = "time,path,key\n1,/x?user=a1,a1\n2,/x?user=b2,b2\n3,/x?user=a1,a1\n";
    assert_eq!(alike(in_path, None), (None, 0));
    let in_header = r#"{"time":1,"headers":{"X-Key":"a1"}}
{"time":1,"headers":{"X-Key":"b2"}}"#;
    assert_eq!(alike(in_header, Some("header:x-key")), (None, 0));
    let encoded = "time,path,key\n1,/x?user=a%40h,a@h\n2,/x?user=b%40h,b@h\n";
    assert_eq!(alike(encoded, None), (None, 0));
    // A header may tell the keys apart without their text, if it has one value for each of them, unlike the number of a request.
    let with_header = |values: [&str; 4]| {
        let keys = ["alice", "bob", "alice", "bob"];
        let row = |(value, key): (&str, &str)| {
            format!(
                "{{\"time\":1,\"headers\":{{\"X-Token\":\"{value}\",\"X-Same\":\"1\"}},\"key\":\"{key}\"}}\n"
            )
        };
        values.into_iter().zip(keys).map(row).collect::<String>()
    };
    let told_apart_by = |values| {
        let requests = read(&with_header(values)).unwrap();
        let header = requests.told_apart_by.map(|name| name.to_string());
        (requests.hiding_key, header)
    };
    let token = Some("x-token".to_owned());
    assert_eq!(told_apart_by(["1", "2", "1", "2"]), (4, token));
    assert_eq!(told_apart_by(["1", "2", "3", "4"]), (4, None));
    // Each client may have its own program, by which no limiter counts.
    let programs = with_header(["1", "2", "1", "2"]).replace("X-Token", "User-Agent");
    assert_eq!(read(&programs).unwrap().told_apart_by, None);
    assert_eq!(
        alike(&with_header(["1", "1", "1", "1"]), None),
        (Some([1, 2]), 4)
    );
}

#[test]
fn names_of_headers_are_spelled_as_they_were_recorded_and_the_run_s_own_are_left_out() {
    let json = r#"{"time":1,"headers":{"X-KEY":"a","Authorization":"Bearer b","x-low":"c"}}
{"time":2,"headers":[["X-Key","a"],["X-KEY","b"],["X-KEY","c"]]}"#;
    let requests = read_with(json, |file| {
        file.dropped = vec![ureq::http::header::AUTHORIZATION]
    })
    .unwrap();
    assert_eq!(requests.spelled, ["X-KEY", "X-KEY"]);
    assert!(!shown(&requests).concat().contains("authorization"));
    let names: std::collections::BTreeSet<_> = requests
        .header_names
        .iter()
        .map(HeaderName::as_str)
        .collect();
    assert_eq!(names, ["x-key", "x-low"].into());
}

#[test]
fn any_other_request_makes_another_digest() {
    let texts = [
        "time,path,key\n1,/,a\n",
        "time,path,key\n1,/,b\n",
        "time,path,key\n2,/,a\n",
        "time,path,key\n1,/b,a\n",
        "time,path,key\n1,/,a\n1,/,a\n",
    ];
    let digests: std::collections::HashSet<_> = texts
        .iter()
        .map(|text| read(text).unwrap().digest)
        .collect();
    assert_eq!(digests.len(), texts.len());
    assert_eq!(
        read(texts[0]).unwrap().digest,
        read(texts[0]).unwrap().digest
    );
}

/// Lines with these times in microseconds, each with its number as the path.
fn lines(times: &[u64]) -> String {
    let line =
        |(number, time): (usize, &u64)| format!("{{\"time_us\":{time},\"path\":\"/{number}\"}}\n");
    times.iter().enumerate().map(line).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn requests_are_due_at_their_recorded_instants_in_order_whatever_the_order_of_the_lines(
        times in prop::collection::vec(0..3_000_000_000u64, 1..700), speed in 1..5_000u64, loops: bool,
        of in 1u64..9, cut in prop::option::of(0..5_000_000_000_000u64)
    ) {
        let requests = read(&lines(&times)).unwrap();
        let mut order: Vec<_> = times.iter().copied().enumerate().collect();
        order.sort_by_key(|(number, time)| (*time, *number));
        let first = order[0].1;
        let last = order[order.len() - 1].1 - first;
        prop_assert_eq!(requests.length, Nanos(last * 1_000));
        let paths: Vec<_> = shown(&requests).iter().map(|text| text.split(' ').nth(2).unwrap().to_owned()).collect();
        let expected: Vec<_> = order.iter().map(|(number, _)| format!("/{number}")).collect();
        prop_assert_eq!(paths, expected);

        let speed_text = format!("{}.{:03}x", speed / 1_000, speed % 1_000);
        let loops = loops && last > 0;
        let replay = Replay::new(Arc::new(requests), speed_text.parse().unwrap(), loops).unwrap();
        let scaled = |time: u64| (u128::from(time) * 1_000_000).div_ceil(speed.into()) as u64;
        let n = times.len() as u64;
        let period = if loops {
            let with_gap = u128::from(last * 1_000) + u128::from(last * 1_000).div_ceil(u128::from(n - 1));
            (with_gap * 1_000).div_ceil(speed.into()) as u64
        } else { 0 };
        let rounds = if loops { 3 } else { 1 };
        let due = |number: u64| number / n * period + scaled(order[(number % n) as usize].1 - first);
        let all = (0..rounds * n).map(due);
        let all: Vec<_> = all.take_while(|due| cut.is_none_or(|cut| *due < cut)).collect();

        // All stripes together have each request once, at its instant.
        let whole = Schedule::replay(replay.clone(), cut.map(Nanos));
        let mut places = vec![0; of as usize];
        let stripes: Vec<_> = Stripe::new(0, of).unwrap().all()
            .map(|stripe| Schedule::replay(replay.clone(), cut.map(Nanos)).with_stripe(stripe)).collect();
        let mut tokens: Vec<_> = stripes.iter().map(Schedule::tokens).collect();
        let mut of_whole = whole.tokens();
        for (number, due) in all.iter().enumerate() {
            let stripe = number % of as usize;
            prop_assert_eq!(tokens[stripe].due(places[stripe]), Some(Nanos(*due)));
            prop_assert_eq!(of_whole.due(number as u64), Some(Nanos(*due)));
            places[stripe] += 1;
        }
        if !loops || all.len() < (rounds * n) as usize {
            for (schedule, places) in stripes.iter().zip(places) {
                prop_assert_eq!(schedule.due(places), None);
                prop_assert_eq!(schedule.total().unwrap_or(places), places);
            }
            prop_assert_eq!(whole.total().unwrap_or(all.len() as u64), all.len() as u64);
        }
        // Phases have all requests, and each begins with its round.
        let phases = whole.phases_with_tokens().take(rounds as usize);
        let counts: u64 = phases.filter_map(|(_, tokens)| tokens).sum();
        prop_assert_eq!(counts, if all.len() as u64 == rounds * n { rounds * n } else { all.len() as u64 });
    }

    #[test]
    fn no_bytes_make_a_panic(noise in prop::collection::vec(any::<u8>(), 0..300), json: bool, format in 0..4usize) {
        let beginning: &[u8] = if json { b"{\"time\":1,\"headers\":" } else { b"time,headers,body\n1,{" };
        let (_file, mut replay) = file(&[beginning, &noise].concat());
        replay.skips_unreadable = true;
        replay.format = ["combined", "envoy", "csv"].get(format).map(|format| format.parse().unwrap());
        let _ = copy(&replay, None);
    }
}
