//! The baselines of loadgen's client: the HTTP library with its defaults, and bare sockets.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use ureq::Agent;
use url::Url;

/// As long as each body that loadgen sends by default.
const BODY: &str = r#"{"key":"loadgen-3f9c01ab","limit":100,"window_ms":60000}"#;

/// An agent as its documentation shows it, with the timeout that loadgen has by default.
pub fn stock_agent() -> Agent {
    Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        .build()
        .into()
}

/// One check through `agent`, its answer read to the end.
pub fn check_by_stock(agent: &Agent, url: &str) -> io::Result<()> {
    let answer = agent
        .post(url)
        .header("content-type", "application/json")
        .send(BODY)
        .and_then(|response| response.into_body().read_to_vec());
    answer.map(drop).map_err(ureq::Error::into_io)
}

/// A blocking connection that sends the same bytes each time.
pub struct BareSocket {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl BareSocket {
    pub fn connect(url: &Url) -> io::Result<BareSocket> {
        let addresses = url.socket_addrs(|| None)?;
        let stream = TcpStream::connect(&*addresses)?;
        stream.set_nodelay(true)?;
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{BODY}",
            url.path(),
            url.authority(),
            BODY.len(),
        );
        Ok(BareSocket {
            stream,
            request: request.into_bytes(),
            answer: vec![0; 4096],
        })
    }

    /// One check, its answer read to the end.
    pub fn check(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.request)?;
        let mut read = 0;
        loop {
            match self.stream.read(&mut self.answer[read..])? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                more => read += more,
            }
            if answer_length(&self.answer[..read]).is_some_and(|length| read >= length) {
                return Ok(());
            }
        }
    }
}

/// Head and body together, once the head is whole.
fn answer_length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let body = bytes[..head]
        .split(|&byte| byte == b'\n')
        .filter_map(|line| line.split_at_checked("content-length:".len()))
        .find(|(name, _)| name.eq_ignore_ascii_case(b"content-length:"))
        .and_then(|(_, value)| str::from_utf8(value).ok()?.trim().parse::<usize>().ok())
        .unwrap_or(0);
    Some(head + body)
}
