//! Where to ask a service: a TCP address of the loopback, or a Unix socket.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

/// The kernel treats a timeout of 0 as "none".
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// How soon to retry a Unix socket whose backlog is full: nothing announces that there is room again.
const AGAIN: Duration = Duration::from_millis(10);

/// An address, or a path in the file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// e.g. `127.0.0.1:80`.
    Tcp(SocketAddr),
    /// e.g. `/run/my.sock`.
    Unix(PathBuf),
}

impl Endpoint {
    /// Reads `127.0.0.1:80` or `/run/my.sock`.
    ///
    /// # Errors
    ///
    /// A message that says what is wrong with the address.
    pub fn parse(text: &str) -> Result<Endpoint, String> {
        match text.starts_with('/') {
            true => Ok(Endpoint::Unix(text.into())),
            false => loopback_address(text).map(Endpoint::Tcp),
        }
    }

    /// Connects to the endpoint. The kernel accepts connections for a service that hangs, too, until its
    /// backlog is full.
    ///
    /// # Errors
    ///
    /// When the connection fails. A missing Unix socket counts as refused, like an address on which nothing
    /// listens.
    pub fn connect(&self, deadline: Duration) -> io::Result<Stream> {
        match self {
            Endpoint::Tcp(address) => connect_tcp(*address, deadline).map(Stream::Tcp),
            Endpoint::Unix(path) => {
                let address = SocketAddrUnix::new(path.as_path())?;
                let end = Instant::now() + deadline;
                loop {
                    match connect_unix(&address) {
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        Err(error) if error.kind() == ErrorKind::NotFound => {
                            return Err(ErrorKind::ConnectionRefused.into());
                        }
                        result => return result.map(Stream::Unix),
                    }
                    if Instant::now() + AGAIN >= end {
                        return Err(ErrorKind::TimedOut.into());
                    }
                    thread::sleep(AGAIN);
                }
            }
        }
    }
}

/// Connects to a loopback address.
///
/// # Errors
///
/// When the connection fails.
pub fn connect_tcp(address: SocketAddr, deadline: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, deadline.max(SHORTEST_WAIT))?;
    // The bytes that the scenario sends in one piece should arrive at once.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Accepts an address only if it is a loopback address.
///
/// # Errors
///
/// A message that says that it is not.
pub fn loopback(address: SocketAddr) -> Result<SocketAddr, String> {
    match address.ip().is_loopback() {
        true => Ok(address),
        false => Err(format!("{address}: only loopback addresses are taken")),
    }
}

/// Reads a loopback address, e.g. `127.0.0.1:7878`.
///
/// # Errors
///
/// A message that says what is wrong with it.
pub fn loopback_address(address: &str) -> Result<SocketAddr, String> {
    address
        .parse()
        .map_err(|_| format!("{address}: this is not an address like 127.0.0.1:7878"))
        .and_then(loopback)
}

/// Does not wait for room in the backlog, because that wait would have no deadline.
fn connect_unix(address: &SocketAddrUnix) -> io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, address)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// A connection to an endpoint.
#[derive(Debug)]
pub enum Stream {
    /// To a TCP address.
    Tcp(TcpStream),
    /// To a Unix socket.
    Unix(UnixStream),
}

impl Stream {
    fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.set_read_timeout(Some(timeout)),
            Stream::Unix(stream) => stream.set_read_timeout(Some(timeout)),
        }
    }

    fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.set_write_timeout(Some(timeout)),
            Stream::Unix(stream) => stream.set_write_timeout(Some(timeout)),
        }
    }
}

/// A connection on which every operation has the same deadline.
pub struct Bounded {
    stream: Stream,
    end: Instant,
}

impl Bounded {
    /// Gives all operations on the connection this deadline.
    pub fn new(stream: Stream, end: Instant) -> Bounded {
        Bounded { stream, end }
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.end.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(ErrorKind::TimedOut.into()),
            false => Ok(left.max(SHORTEST_WAIT)),
        }
    }
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        match &mut self.stream {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        match &mut self.stream {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::net::UnixListener;

    use super::*;

    const SHORT: Duration = Duration::from_millis(100);

    #[test]
    fn a_unix_socket_is_refused_accepted_or_full() {
        let path = std::env::temp_dir().join(format!("lab-agent-endpoint-{}", std::process::id()));
        let endpoint = Endpoint::parse(path.to_str().expect("it is text")).expect("it is right");
        let kind = || endpoint.connect(SHORT).map_err(|error| error.kind());
        assert_eq!(
            kind().expect_err("it is not there"),
            ErrorKind::ConnectionRefused
        );
        let listener = UnixListener::bind(&path).expect("there is room");
        let mut kept = Vec::new();
        // The service accepts nothing, so the kernel's backlog is all there is.
        let full = loop {
            match kind() {
                Ok(stream) => kept.push(stream),
                Err(kind) => break kind,
            }
        };
        assert_eq!(full, ErrorKind::TimedOut);
        assert!(!kept.is_empty());
        drop(listener);
        assert_eq!(
            kind().expect_err("nobody listens"),
            ErrorKind::ConnectionRefused
        );
        fs::remove_file(path).expect("it is there");
    }

    #[test]
    fn other_addresses_are_those_of_the_loopback() {
        assert!(matches!(
            Endpoint::parse("127.0.0.1:1"),
            Ok(Endpoint::Tcp(_))
        ));
        assert!(Endpoint::parse("192.0.2.1:1").is_err());
        assert!(Endpoint::parse("run/my.sock").is_err());
    }
}
