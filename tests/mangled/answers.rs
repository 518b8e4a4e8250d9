//! Answers of a server on a raw socket. Every request ends as exactly one outcome, in time and with bounded memory. A valid
//! answer is read right, in whatever pieces it arrives and in every spelling that RFC 9112 lets a recipient accept.

use crate::cost::cost_of;
use crate::mangling::one_in;
use crate::refusals::check_line;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use loadgen::base::{Answer, KeyId, Outcome, Target};
use loadgen::cli::Command;
use loadgen::client::Cluster;
use loadgen::engine::{Caller, Targets};
use loadgen::system::Stop;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The longest time of a request.
const TIMEOUT: Duration = Duration::from_millis(500);

/// How much later than its timeout a request may end on a busy machine.
const BUSY: Duration = Duration::from_secs(10);

/// The most memory that a request may take: buffers, a head, and a body that a rule needs.
const MEBIBYTES: usize = 16;

/// What the server does with each request.
#[derive(Debug, Clone, Default)]
struct Script {
    /// Each is sent by itself.
    pieces: Vec<Vec<u8>>,
    /// Sent over and over behind the pieces, until the client has had enough.
    flood: Vec<u8>,
    after: After,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum After {
    /// The next request is awaited.
    Keep,
    #[default]
    Close,
    /// Nothing more comes, and the connection stays open.
    Hold,
}

/// A server that follows a script.
struct Server {
    port: u16,
    script: Arc<Mutex<Script>>,
}

impl Server {
    fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let script = Arc::new(Mutex::new(Script::default()));
        let shared = script.clone();
        // It ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let script = shared.clone();
                thread::spawn(move || serve(stream, &script));
            }
        });
        Server { port, script }
    }

    fn follow(&self, script: Script) {
        *self.script.lock().expect("a script") = script;
    }
}

/// Answers requests until the client closes the connection. Each request arrives in one piece.
fn serve(mut stream: TcpStream, script: &Mutex<Script>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    // A client that reads nothing more must not keep this thread.
    stream.set_write_timeout(Some(BUSY))?;
    let mut request = [0; 8192];
    while stream.read(&mut request)? > 0 {
        let script = script.lock().expect("a script").clone();
        for (place, piece) in script.pieces.iter().enumerate() {
            if place > 0 {
                // The pieces before have been read by now, mostly.
                thread::sleep(Duration::from_micros(300));
            }
            stream.write_all(piece)?;
        }
        while !script.flood.is_empty() {
            stream.write_all(&script.flood)?;
        }
        match script.after {
            After::Keep => {}
            After::Close => break,
            After::Hold => while stream.read(&mut request)? > 0 {},
        }
    }
    Ok(())
}

/// A server, and a client that counts a body with `yes` as allowed and one with `no` as blocked.
struct Pair {
    server: Server,
    cluster: Cluster,
}

impl Pair {
    fn start() -> Pair {
        let server = Server::start();
        let url = format!("http://127.0.0.1:{}", server.port);
        let allowed = "200 and body contains yes, 204, 201-203 and header x-verdict = \"a b\"";
        let line = [
            "loadgen",
            "--targets",
            &url,
            "--allowed",
            allowed,
            "--blocked",
            "200 and body contains no, 429",
            "--timeout",
            "500ms",
        ];
        let Ok(Command::Run(setup)) = Command::parse(line.map(Into::into)) else {
            panic!("a run");
        };
        let targets = [Target::new(&url).expect("a URL")];
        let cluster = Cluster::start(&targets, &setup.plan, &setup.connecting).expect("a thread");
        assert!(cluster.wait_for_address(BUSY, &Stop::default()));
        Pair { server, cluster }
    }

    /// Sends one request, and checks its bounds.
    fn ask(&self, script: Script, sequence: u64) -> Answer {
        let shown = shown(&script);
        self.server.follow(script);
        let began = Instant::now();
        let mut scratch = Default::default();
        let ((answer, head), cost) = cost_of(|| {
            self.cluster
                .traffic()
                .call(0, sequence, KeyId(0), &mut scratch)
        });
        let took = began.elapsed();
        assert!(took < TIMEOUT + BUSY, "{took:?} for {shown}");
        assert!(cost.memory <= MEBIBYTES << 20, "{cost:?} for {shown}");
        assert!(answer.sent <= answer.done, "{answer:?} for {shown}");
        if let Outcome::Allowed | Outcome::Blocked = answer.outcome {
            assert!(
                answer.status.is_some() && head.is_some() && answer.reason.is_none(),
                "{answer:?} for {shown}"
            );
        }
        if let Some(reason) = answer.reason {
            check_line(reason.text(), &shown);
        }
        answer
    }
}

fn shown(script: &Script) -> String {
    let all = script.pieces.concat();
    let text = String::from_utf8_lossy(&all[..all.len().min(3_000)]).into_owned();
    let pieces: Vec<_> = script.pieces.iter().map(Vec::len).take(100).collect();
    format!("{text:?} in pieces of {pieces:?}, then {:?}", script.after)
}

/// The text, cut at these places.
fn cut(bytes: &[u8], at: &[Index]) -> Vec<Vec<u8>> {
    let mut at: Vec<_> = at.iter().map(|at| at.index(bytes.len() + 1)).collect();
    at.sort_unstable();
    at.dedup();
    let ends = at.iter().copied().chain([bytes.len()]);
    let begins = [0].into_iter().chain(at.iter().copied());
    let pieces = begins.zip(ends).map(|(from, to)| bytes[from..to].to_vec());
    pieces.filter(|piece| !piece.is_empty()).collect()
}

/// A valid answer and what it means.
#[derive(Debug, Clone)]
struct Valid {
    bytes: Vec<u8>,
    status: u16,
    outcome: Outcome,
    /// The connection ends with it, as it says.
    closes: bool,
}

#[derive(Debug, Clone, Copy)]
enum Framing {
    Length,
    Chunked,
    Close,
}

/// A header line with its spelling: the name's case, the blanks around the value, and the line's end.
fn field(name: &str, value: &str, spelling: u8, end: &str) -> String {
    let name = match spelling % 3 {
        0 => name.to_owned(),
        1 => name.to_uppercase(),
        _ => name.to_lowercase(),
    };
    let (before, after) =
        [(" ", ""), ("", ""), ("\t", " "), ("   ", "\t")][spelling as usize / 3 % 4];
    format!("{name}:{before}{value}{after}{end}")
}

fn chunked(body: &[u8], sizes: &[usize], spelling: u8, end: &str, trailer: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut rest, mut sizes) = (body, sizes.iter().cycle());
    let extension = [
        "",
        ";a=b",
        " ; name = \"quoted; text\"",
        ";ieof;x=0123456789012345678901234567890123456789",
    ][spelling as usize % 4];
    while !rest.is_empty() {
        let size = (*sizes.next().expect("a size")).clamp(1, rest.len());
        let number = match spelling % 3 {
            0 => format!("{size:x}"),
            1 => format!("{size:X}"),
            _ => format!("{size:08x}"),
        };
        out.extend_from_slice(format!("{number}{extension}{end}").as_bytes());
        out.extend_from_slice(&rest[..size]);
        out.extend_from_slice(b"\r\n");
        rest = &rest[size..];
    }
    out.extend_from_slice(format!("0{extension}{end}").as_bytes());
    if trailer {
        out.extend_from_slice(b"X-Trailer: 1\r\nExpires: never\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

fn compressed(body: &[u8], coding: usize) -> (Option<&'static str>, Vec<u8>) {
    let all = "in memory";
    match coding {
        0 => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body).expect(all);
            (Some("gzip"), encoder.finish().expect(all))
        }
        1 => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body).expect(all);
            (Some("deflate"), encoder.finish().expect(all))
        }
        2 => {
            // Many servers send it so, and every client reads it.
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body).expect(all);
            (Some("deflate"), encoder.finish().expect(all))
        }
        _ => (None, body.to_vec()),
    }
}

fn valid() -> impl Strategy<Value = Valid> + Clone {
    let meaning = select(
        &[
            (200, "yes"),
            (200, "no"),
            (204, ""),
            (203, ""),
            (429, "x"),
            (503, "down"),
        ][..],
    );
    let framing = select(
        &[
            Framing::Length,
            Framing::Chunked,
            Framing::Chunked,
            Framing::Close,
        ][..],
    );
    let interim = select(
        &[
            "",
            "",
            "",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n",
        ][..],
    );
    let padding = prop_oneof![4 => 0_usize..40, 1 => 0_usize..20_000];
    let status_line = (
        select(&["OK", "", "Too Many Requests", "\u{fc}ber"][..]),
        select(&["1.1", "1.1", "1.1", "1.0"][..]),
    );
    let spelling = (
        any::<u8>(),
        any::<u8>(),
        vec(1_usize..300, 1..5),
        0_usize..8,
        any::<bool>(),
        0_usize..8,
        any::<bool>(),
    );
    (meaning, framing, interim, padding, status_line, spelling)
        .prop_map(
            |((status, word), framing, interim, padding, (reason, version), spelling)| {
                let (names, chunks, sizes, coding, has_trailer, folds, closes) = spelling;
                let text = format!("{}{word}{}", "7".repeat(padding), "8".repeat(padding / 2));
                let has_body = status != 204;
                // A server that closes a connection without these words may meet the next request on its way.
                let closes = closes || has_body && matches!(framing, Framing::Close);
                let (coding, body) = compressed(text.as_bytes(), coding);
                // HTTP/1.0 has no chunks.
                let framing = match framing {
                    Framing::Chunked if version == "1.0" => Framing::Length,
                    framing => framing,
                };
                let end = "\r\n";
                let mut head = format!("{interim}HTTP/{version} {status} {reason}{end}");
                head += &field(
                    "X-Verdict",
                    if status == 203 { "a b" } else { "other" },
                    names,
                    end,
                );
                if folds == 0 {
                    // Obsolete, but a recipient may accept it (RFC 9112, section 5.2).
                    head += "X-Folded: one\r\n  two\r\n";
                }
                if closes {
                    head += &field("Connection", "close", names.rotate_left(1), end);
                }
                let mut bytes = Vec::new();
                if has_body {
                    if let Some(coding) = coding {
                        head += &field("Content-Encoding", coding, names.rotate_left(2), end);
                    }
                    match framing {
                        Framing::Length => {
                            head += &field(
                                "Content-Length",
                                &body.len().to_string(),
                                names.rotate_left(3),
                                end,
                            )
                        }
                        Framing::Chunked => {
                            let value = ["chunked", "Chunked", "CHUNKED"][chunks as usize % 3];
                            head += &field("Transfer-Encoding", value, names.rotate_left(3), end);
                        }
                        Framing::Close => {}
                    }
                    bytes = match framing {
                        Framing::Chunked => chunked(&body, &sizes, chunks, end, has_trailer),
                        _ => body,
                    };
                }
                head += "\r\n";
                let outcome = match (status, word) {
                    (200, "yes") | (203 | 204, _) => Some(Outcome::Allowed),
                    (200, "no") | (429, _) => Some(Outcome::Blocked),
                    _ => None,
                };
                Valid {
                    bytes: [head.into_bytes(), bytes].concat(),
                    status,
                    outcome: outcome
                        .unwrap_or(Outcome::Failed(loadgen::base::FailureKind::Status5xx)),
                    closes,
                }
            },
        )
        .boxed()
}

/// A change of bytes.
fn bytes_edit() -> impl Strategy<Value = (Index, usize, Vec<u8>)> {
    let word = prop_oneof![
        select(
            &[
                "",
                "\r",
                "\n",
                "\r\n",
                "\r\n\r\n",
                "\0",
                ":",
                " ",
                "0",
                "-1",
                "ffffffffffffffff",
                "7fffffffffffffff",
                "18446744073709551616",
                "Content-Length: 5\r\n",
                "Transfer-Encoding: chunked\r\n",
                "Transfer-Encoding: gzip, chunked\r\n",
                "Content-Encoding: br\r\n",
                "HTTP/1.1 200 OK\r\n",
                "HTTP/2 200\r\n",
                "HTTP/1.1 101 Switching Protocols\r\n\r\n",
                "Connection: upgrade\r\n",
                " folded\r\n",
                "no colon\r\n",
                "0\r\n\r\n",
                "\u{feff}",
                "é",
            ][..]
        )
        .prop_map(|word| word.as_bytes().to_vec()),
        vec(any::<u8>(), 1..6),
    ];
    (
        any::<Index>(),
        prop_oneof![2 => Just(0_usize), 2 => 1_usize..4, 1 => 1_usize..60],
        word,
    )
}

proptest! {
    #![proptest_config(one_in(2))]

    #[test]
    fn a_valid_answer_is_read_right_in_any_pieces(
        answers in vec((valid(), vec(any::<Index>(), 0..6)), 1..4)
    ) {
        thread_local!(static PAIR: Pair = Pair::start());
        PAIR.with(|pair| {
            for ((valid, cuts), sequence) in answers.iter().zip(0..) {
                let script = Script {
                    pieces: cut(&valid.bytes, cuts),
                    after: if valid.closes { After::Close } else { After::Keep },
                    ..Script::default()
                };
                let answer = pair.ask(script.clone(), sequence);
                // A machine that stood still for this long tells nothing of the client.
                let is_late = Duration::from(answer.done.since(answer.sent)) >= TIMEOUT;
                let is_right = answer.outcome == valid.outcome && answer.status == Some(valid.status);
                prop_assert!(is_right || is_late, "{:?} is not {:?} for {}", answer, valid.outcome, shown(&script));
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_mangled_answer_ends_as_one_outcome(
        valid in valid(), edits in vec(bytes_edit(), 1..4), cuts in vec(any::<Index>(), 0..4),
        end in prop::option::weighted(0.3, any::<Index>()), after in prop_oneof![24 => Just(After::Close), 1 => Just(After::Hold)]
    ) {
        thread_local!(static PAIR: Pair = Pair::start());
        let mut bytes = valid.bytes;
        for (at, removed, word) in edits {
            let at = at.index(bytes.len() + 1);
            let to = (at + removed).min(bytes.len());
            bytes.splice(at..to, word);
        }
        if let Some(end) = end {
            bytes.truncate(end.index(bytes.len() + 1));
        }
        PAIR.with(|pair| {
            pair.ask(Script { pieces: cut(&bytes, &cuts), after, ..Script::default() }, 0);
            for example in pair.cluster.failure_examples() {
                let error = example.error.unwrap_or_default();
                check_line(if error.is_empty() { "none" } else { &error }, "");
                let answer = example.answer.unwrap_or_default();
                assert!(answer.chars().count() < 8_000 && !answer.replace(['\n', '\t'], "").contains(char::is_control), "{answer:?}");
            }
        });
    }
}

/// Answers without an end, and small ones that stand for large ones.
#[test]
fn an_answer_without_an_end_is_given_up() {
    let zeros = vec![0; 32 << 20];
    let (_, bomb) = compressed(&zeros, 0);
    let head = |rest: &str| format!("HTTP/1.1 200 OK\r\n{rest}").into_bytes();
    let bombed = [
        head(&format!(
            "Content-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
            bomb.len()
        )),
        bomb,
    ]
    .concat();
    let long_line = vec![b'x'; 8_192];
    let cases = [
        (head(""), b"X-More: 1\r\n".repeat(500)),
        (head("X-Long: "), long_line.clone()),
        (b"HTTP/1.1 200 ".to_vec(), long_line.clone()),
        (Vec::new(), b"HTTP/1.1 100 Continue\r\n\r\n".repeat(300)),
        (head("Connection: close\r\n\r\n"), long_line.clone()),
        (
            head("Transfer-Encoding: chunked\r\n\r\n"),
            b"1\r\nx\r\n".repeat(1_000),
        ),
        (
            head("Transfer-Encoding: chunked\r\n\r\n"),
            b"0".repeat(8_192),
        ),
        (
            head("Transfer-Encoding: chunked\r\n\r\n5;"),
            long_line.clone(),
        ),
        (
            head("Transfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n"),
            long_line.clone(),
        ),
        (
            head("Transfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: "),
            long_line.clone(),
        ),
        (
            head("Transfer-Encoding: chunked\r\n\r\n0\r\n"),
            b"X-Trailer: 1\r\n".repeat(500),
        ),
        (
            head("Content-Length: 18446744073709551615\r\n\r\n"),
            long_line,
        ),
        (bombed, Vec::new()),
    ];
    let pair = Pair::start();
    for (begun, flood) in cases {
        let script = Script {
            pieces: vec![begun],
            flood,
            after: After::Hold,
        };
        let about = shown(&script);
        let answer = pair.ask(script, 0);
        assert!(
            !matches!(answer.outcome, Outcome::Allowed | Outcome::Blocked),
            "{answer:?} for {about}"
        );
    }
}
