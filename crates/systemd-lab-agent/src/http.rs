//! A small HTTP/1.1 client for the guest's loopback: one request per connection, one deadline for the
//! whole response.
//!
//! It does what a check needs: no TLS, no redirects, no name resolution.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use systemd_lab_protocol::event::ResponseOutcome;

use crate::endpoint::{Bounded, Endpoint, Stream, loopback};

/// How much of a body is kept; the rest is read and dropped.
const KEPT_BODY: usize = 64 << 10;

/// The longest line of a response's head. hyper takes 100 headers in about 400 KiB; a service of the
/// workshop never needs more than this.
const LONGEST_LINE: u64 = 16 << 10;

/// A request to send.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where to send it.
    pub endpoint: Endpoint,
    /// The bytes to send.
    pub bytes: Vec<u8>,
    /// Whether the response has no body, whatever its headers say.
    is_head: bool,
}

impl Request {
    /// Builds a request from its parts.
    ///
    /// # Errors
    ///
    /// A message that says what is wrong with the URL.
    pub fn new(method: &str, url: &str, body: Option<&str>) -> Result<Request, String> {
        let rest = url
            .strip_prefix("http://")
            .ok_or_else(|| format!("{url}: the URL must begin with http://"))?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let with_port = match authority.parse::<SocketAddr>() {
            Ok(address) => Ok(address),
            Err(_) => format!("{authority}:80").parse(),
        };
        let address = with_port
            .map_err(|_| format!("{url}: the host must be a numeric address, e.g. 127.0.0.1:7878"))
            .and_then(loopback)?;
        Ok(Request::to(
            Endpoint::Tcp(address),
            method,
            path,
            authority,
            body,
        ))
    }

    /// A request over a Unix socket.
    pub fn over_unix(method: &str, socket: &str, path: &str) -> Request {
        Request::to(
            Endpoint::Unix(socket.into()),
            method,
            path,
            "localhost",
            None,
        )
    }

    fn to(endpoint: Endpoint, method: &str, path: &str, host: &str, body: Option<&str>) -> Request {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n");
        head.push_str("Connection: close\r\n");
        if let Some(body) = body {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        head.push_str(body.unwrap_or_default());
        Request {
            endpoint,
            bytes: head.into_bytes(),
            is_head: method == "HEAD",
        }
    }

    /// Sends the request and waits for the whole response.
    pub fn send(&self, deadline: Duration) -> ResponseOutcome {
        let end = Instant::now() + deadline;
        let outcome = self
            .endpoint
            .connect(deadline)
            .and_then(|stream| exchange(stream, &self.bytes, end, self.is_head));
        outcome_of(outcome)
    }
}

/// Sends the rest of a request on an open connection and waits for the whole response.
pub fn finish(stream: TcpStream, bytes: &[u8], deadline: Duration) -> ResponseOutcome {
    let stream = Stream::Tcp(stream);
    outcome_of(exchange(stream, bytes, Instant::now() + deadline, false))
}

/// A response's status and body.
pub(crate) type Answer = (u16, Vec<u8>);

/// The outcome to report for an exchange's result.
pub(crate) fn outcome_of(result: io::Result<Answer>) -> ResponseOutcome {
    match result {
        Ok((status, body)) => ResponseOutcome::Answered {
            status,
            body: String::from_utf8_lossy(&body).into_owned(),
        },
        Err(error) => match error.kind() {
            ErrorKind::ConnectionRefused => ResponseOutcome::Refused,
            ErrorKind::TimedOut | ErrorKind::WouldBlock => ResponseOutcome::TimedOut,
            ErrorKind::ConnectionReset => broken("connection reset by peer"),
            ErrorKind::BrokenPipe => broken("connection closed by peer"),
            _ => broken(&error.to_string()),
        },
    }
}

fn broken(error: &str) -> ResponseOutcome {
    ResponseOutcome::Broken {
        error: error.to_owned(),
    }
}

fn exchange(stream: Stream, bytes: &[u8], end: Instant, is_head: bool) -> io::Result<Answer> {
    let mut stream = Bounded::new(stream, end);
    // A service may answer (e.g. 408) and close the connection before it has read everything: its
    // answer counts.
    let sent = stream.write_all(bytes);
    match read_response(&mut BufReader::new(stream), is_head) {
        Err(_) if sent.is_err() => Err(sent.err().unwrap_or(ErrorKind::BrokenPipe.into())),
        answer => answer,
    }
}

/// How a response's body ends: RFC 9112, section 6.3.
enum BodyEnd {
    Length(u64),
    LastChunk,
    ConnectionClosed,
}

fn read_response(reader: &mut impl BufRead, is_head: bool) -> io::Result<Answer> {
    loop {
        let status = read_status(reader)?;
        let end = read_headers(reader)?;
        match status {
            // An interim response, e.g. 100 Continue: the final one follows.
            100..=199 => continue,
            204 | 304 => return Ok((status, Vec::new())),
            _ if is_head => return Ok((status, Vec::new())),
            _ => return Ok((status, read_body(reader, end)?)),
        }
    }
}

fn read_status(reader: &mut impl BufRead) -> io::Result<u16> {
    let line = read_line(reader).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => cut("connection closed without a response"),
        _ => error,
    })?;
    line.strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1)?.parse().ok())
        .filter(|status| (100..=999).contains(status))
        .ok_or_else(|| malformed("it does not begin with an HTTP/1 status line"))
}

fn read_headers(reader: &mut impl BufRead) -> io::Result<BodyEnd> {
    let mut end = BodyEnd::ConnectionClosed;
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Ok(end);
        }
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| malformed("a header has no colon"))?;
        if name.eq_ignore_ascii_case("transfer-encoding") {
            if value.trim().eq_ignore_ascii_case("chunked") {
                end = BodyEnd::LastChunk;
            }
        } else if name.eq_ignore_ascii_case("content-length") && !matches!(end, BodyEnd::LastChunk)
        {
            let length = value.trim().parse();
            end = BodyEnd::Length(length.map_err(|_| malformed("its length is not a number"))?);
        }
    }
}

fn read_body(reader: &mut impl BufRead, end: BodyEnd) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    match end {
        BodyEnd::Length(length) => read_piece(reader, length, &mut body)?,
        BodyEnd::ConnectionClosed => {
            read_piece(reader, u64::MAX, &mut body).or_else(|error| match error.kind() {
                ErrorKind::UnexpectedEof => Ok(()),
                _ => Err(error),
            })?;
        }
        BodyEnd::LastChunk => loop {
            let line = read_line(reader)?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(digits, 16)
                .map_err(|_| malformed("a chunk's size is not a number"))?;
            if size == 0 {
                // Trailers, then an empty line.
                while !read_line(reader)?.is_empty() {}
                break;
            }
            read_piece(reader, size, &mut body)?;
            if !read_line(reader)?.is_empty() {
                return Err(malformed("a chunk is longer than it says"));
            }
        },
    }
    Ok(body)
}

/// Reads `length` bytes and appends them to the body, up to the limit.
fn read_piece(reader: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    let mut left = length;
    while left > 0 {
        let available = reader.fill_buf()?;
        if available.is_empty() {
            return Err(cut(
                "connection closed before the whole response had arrived",
            ));
        }
        let taken = available
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let kept = taken.min(KEPT_BODY - body.len());
        body.extend_from_slice(&available[..kept]);
        reader.consume(taken);
        left -= taken as u64;
    }
    Ok(())
}

/// Reads a line and strips its end.
fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    reader.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    if line.last() != Some(&b'\n') {
        return Err(match line.len() as u64 == LONGEST_LINE {
            true => malformed("a line is too long"),
            false => cut("connection closed before the whole response had arrived"),
        });
    }
    let line = String::from_utf8_lossy(&line);
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn cut(what: &str) -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, what)
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(
        ErrorKind::InvalidData,
        format!("the response is not HTTP: {what}"),
    )
}

#[cfg(test)]
mod tests {

    use std::net::{Shutdown, TcpListener};
    use std::thread;

    use super::*;
    use crate::endpoint::connect_tcp;

    const LONG: Duration = Duration::from_secs(20);

    /// Serves one connection: reads the request's head, writes the pieces and closes.
    fn serve(pieces: &'static [&'static str]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody connects");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a head comes");
                head.push(byte[0]);
            }
            for piece in pieces {
                stream.write_all(piece.as_bytes()).expect("it is read");
                thread::sleep(Duration::from_millis(5));
            }
            stream.shutdown(Shutdown::Write).expect("it is open");
            // Reads until the client closes: otherwise the kernel answers the unread bytes with a
            // reset.
            let _ = stream.read_to_end(&mut Vec::new());
        });
        address
    }

    fn get(address: SocketAddr, deadline: Duration) -> ResponseOutcome {
        Request::new("GET", &format!("http://{address}/x"), None)
            .expect("the URL is fine")
            .send(deadline)
    }

    fn answered(status: u16, body: &str) -> ResponseOutcome {
        let body = body.to_owned();
        ResponseOutcome::Answered { status, body }
    }

    #[test]
    fn a_request_is_encoded() {
        let request = Request::new("POST", "http://127.0.0.1:7878/a?b", Some("c=d"));
        let request = request.expect("the URL is fine");
        assert_eq!(
            String::from_utf8_lossy(&request.bytes),
            "POST /a?b HTTP/1.1\r\nHost: 127.0.0.1:7878\r\nConnection: close\r\nContent-Length: 3\r\n\r\nc=d"
        );
        let request = Request::new("GET", "http://127.0.0.1", None).expect("the URL is fine");
        let port = |port| {
            Endpoint::Tcp(SocketAddr::new(
                "127.0.0.1".parse().expect("an address"),
                port,
            ))
        };
        assert_eq!(request.endpoint, port(80));
        let request = Request::new("GET", "http://[::1]:81/", None).expect("the URL is fine");
        assert!(matches!(request.endpoint, Endpoint::Tcp(address) if address.port() == 81));
    }

    #[test]
    fn only_numeric_loopback_addresses() {
        for url in [
            "http://localhost:80/",
            "http://192.0.2.1/",
            "https://127.0.0.1/",
            "127.0.0.1:80",
        ] {
            assert!(Request::new("GET", url, None).is_err(), "{url}");
        }
    }

    #[test]
    fn a_body_with_a_length() {
        let address = serve(&["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe", "llo"]);
        assert_eq!(get(address, LONG), answered(200, "hello"));
    }

    #[test]
    fn a_chunked_body_in_small_pieces() {
        let address = serve(&[
            "HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chun",
            "ked\r\n\r\n5;x=y\r\nhel",
            "lo\r\n1\r\n!\r\n0\r\nTrailer: x\r\n\r\n",
        ]);
        assert_eq!(get(address, LONG), answered(503, "hello!"));
    }

    #[test]
    fn a_body_that_ends_with_the_connection() {
        let address = serve(&["HTTP/1.0 200 OK\r\n\r\nto the ", "end"]);
        assert_eq!(get(address, LONG), answered(200, "to the end"));
    }

    #[test]
    fn responses_without_a_body() {
        let address = serve(&["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"]);
        assert_eq!(get(address, LONG), answered(204, ""));
        // These have no body, whatever their headers say.
        let address = serve(&["HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"]);
        assert_eq!(get(address, LONG), answered(204, ""));
        let address = serve(&["HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\nz"]);
        assert_eq!(get(address, LONG), answered(304, ""));
        let address = serve(&["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"]);
        let request = Request::new("HEAD", &format!("http://{address}/"), None);
        let outcome = request.expect("the URL is fine").send(LONG);
        assert_eq!(outcome, answered(200, ""));
    }

    #[test]
    fn much_of_a_body_is_left_out() {
        let response = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{}",
            "x".repeat(100_000)
        );
        let address = serve(Box::leak(Box::new([&*response.leak()])));
        let ResponseOutcome::Answered { body, .. } = get(address, LONG) else {
            panic!("it is answered");
        };
        assert_eq!(body.len(), KEPT_BODY);
    }

    #[test]
    fn nothing_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        drop(listener);
        assert_eq!(get(address, LONG), ResponseOutcome::Refused);
    }

    #[test]
    fn no_answer_comes() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let deadline = Duration::from_millis(50);
        assert_eq!(get(address, deadline), ResponseOutcome::TimedOut);
    }

    #[test]
    fn a_slow_response_has_one_deadline_for_all_of_it() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody connects");
            // Each piece arrives in time; the whole response does not.
            let mut piece = "HTTP/1.1 200 OK\r\n";
            while stream.write_all(piece.as_bytes()).is_ok() {
                piece = "a: b\r\n";
                thread::sleep(Duration::from_millis(10));
            }
        });
        let deadline = Duration::from_millis(100);
        assert_eq!(get(address, deadline), ResponseOutcome::TimedOut);
    }

    #[test]
    fn responses_that_are_cut() {
        let cut = |pieces| match get(serve(pieces), LONG) {
            ResponseOutcome::Broken { error } => error,
            other => panic!("it was cut: {other:?}"),
        };
        assert_eq!(cut(&[]), "connection closed without a response");
        let rest = "connection closed before the whole response had arrived";
        assert_eq!(cut(&["HTTP/1.1 200 OK\r\nConte"]), rest);
        let half = &["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"];
        assert_eq!(cut(half), rest);
        let half = &["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf"];
        assert_eq!(cut(half), rest);
        assert!(cut(&["nonsense\r\n\r\n"]).contains("not HTTP"));
    }

    /// A status line and a header of this length, including its end.
    fn header_of(length: u64) -> SocketAddr {
        let padding = "x".repeat(length as usize - "a: \r\n".len());
        let response = format!("HTTP/1.1 200 OK\r\na: {padding}\r\nContent-Length: 2\r\n\r\nok");
        serve(Box::leak(Box::new([&*response.leak()])))
    }

    #[test]
    fn a_line_has_a_longest_length() {
        assert_eq!(get(header_of(LONGEST_LINE), LONG), answered(200, "ok"));
        let error = "the response is not HTTP: a line is too long".to_owned();
        let outcome = get(header_of(LONGEST_LINE + 1), LONG);
        assert_eq!(outcome, ResponseOutcome::Broken { error });
    }

    /// If a socket is closed before all received bytes were read, the kernel resets the connection:
    /// tcp(7).
    #[test]
    fn a_server_that_resets_the_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        thread::spawn(move || {
            let (stream, _) = listener.accept().expect("somebody connects");
            stream.peek(&mut [0]).expect("a request comes");
        });
        let error = "connection reset by peer".to_owned();
        assert_eq!(get(address, LONG), ResponseOutcome::Broken { error });
    }

    #[test]
    fn a_half_sent_request_is_finished() {
        let address = serve(&["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]);
        let mut stream = connect_tcp(address, LONG).expect("somebody listens");
        stream.write_all(b"GET / HTTP/1.1\r\n").expect("it is open");
        let outcome = finish(stream, b"Host: x\r\n\r\n", LONG);
        assert_eq!(outcome, answered(200, "ok"));
    }

    #[test]
    fn a_half_sent_request_whose_server_went_away() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let mut stream = connect_tcp(address, LONG).expect("somebody listens");
        stream.write_all(b"GET / HTTP/1.1\r\n").expect("it is open");
        drop(listener);
        let outcome = finish(stream, b"Host: x\r\n\r\n", LONG);
        assert!(matches!(outcome, ResponseOutcome::Broken { .. }));
    }
}
