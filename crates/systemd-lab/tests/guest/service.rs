//! A service that the lab's own tests run in the guest. It is not a model for a service: it misbehaves on demand, as its
//! first argument says.

use std::collections::hash_map::RandomState;
use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::hash::BuildHasher;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::ptr;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rustix::mm::{MapFlags, ProtFlags, mmap};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

/// How often the watchdog is fed.
const FEEDING: Duration = Duration::from_secs(2);

/// How many times it is fed before the service hangs.
const MEALS: u32 = 3;

/// How long the answer to `/slow` takes.
const SLOW: Duration = Duration::from_secs(3);

/// Longer than any scenario.
const FOR_EVER: Duration = Duration::from_secs(1_000_000);

/// The size of the pieces in which memory is taken.
const CHUNK: usize = 1 << 20;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let result = match arguments.next().as_deref() {
        Some("hang") => hang(),
        Some("serve") => serve(arguments.collect()),
        Some("take-memory") => take_memory(),
        Some("compute") => compute(),
        Some("beget") => beget(),
        Some("notify") => notify_often(arguments),
        Some("log") => log_often(arguments),
        Some("forge") => forge(&arguments.collect::<Vec<_>>().join(" ")),
        Some("flood") => flood(),
        Some("ring") => ring(),
        Some("journal") => journal(),
        Some("vanish") => vanish(&arguments.next().unwrap_or_default()),
        other => Err(io::Error::other(format!("what is {other:?}?"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Reports that it is ready, feeds the watchdog for a while, then hangs. Logs everything that could differ from one run
/// to the next: clock, addresses, random numbers, and the order in which threads run.
fn hang() -> io::Result<()> {
    let began = Instant::now();
    notify("READY=1")?;
    let on_the_stack = 0;
    let random = RandomState::new().hash_one(0);
    let now = SystemTime::now();
    println!("{now:?} {:p} {random:x}", &raw const on_the_stack);
    let threads: Vec<_> = (0..4_u64)
        .map(|number| {
            thread::spawn(move || {
                let sum = (0..20_000_u64).fold(number, |sum, n| sum.rotate_left(5) ^ n);
                println!("thread {number}: {sum:x} after {:?}", began.elapsed());
            })
        })
        .collect();
    for thread in threads {
        thread
            .join()
            .map_err(|_| io::Error::other("a thread panicked"))?;
    }
    for _ in 0..MEALS {
        notify("WATCHDOG=1")?;
        thread::sleep(FEEDING);
    }
    println!("hangs after {:?}", began.elapsed());
    thread::sleep(FOR_EVER);
    Ok(())
}

/// sd_notify(3): one datagram to the socket that systemd names.
fn notify(assignment: &str) -> io::Result<()> {
    let path = env::var_os("NOTIFY_SOCKET").ok_or_else(|| io::Error::other("no NOTIFY_SOCKET"))?;
    UnixDatagram::unbound()?.send_to(assignment.as_bytes(), path)?;
    Ok(())
}

/// Reports that it is ready, then sends the first argument as many times as the second one says, with pauses of as many milliseconds
/// as the third one says.
fn notify_often(mut arguments: impl Iterator<Item = String>) -> io::Result<()> {
    let assignment = arguments.next().unwrap_or_default();
    notify("READY=1")?;
    often(arguments, || notify(&assignment))
}

/// Logs as many lines as the first argument says, with pauses of as many milliseconds as the second one says.
fn log_often(arguments: impl Iterator<Item = String>) -> io::Result<()> {
    often(arguments, || {
        println!("what is said often");
        Ok(())
    })
}

/// Does it as often and with such pauses as the arguments say, and then nothing.
fn often(
    mut arguments: impl Iterator<Item = String>,
    mut what: impl FnMut() -> io::Result<()>,
) -> io::Result<()> {
    let mut number = || -> io::Result<u64> {
        let argument = arguments.next().unwrap_or_default();
        argument.parse().map_err(io::Error::other)
    };
    let (times, pause) = (number()?, Duration::from_millis(number()?));
    for _ in 0..times {
        what()?;
        if !pause.is_zero() {
            thread::sleep(pause);
        }
    }
    thread::sleep(FOR_EVER);
    Ok(())
}

/// Answers HTTP requests on the first address, each in a thread of its own; also on the path of a Unix socket, if there is one.
/// Answers lines on a third address.
fn serve(addresses: Vec<String>) -> io::Result<()> {
    let address = |number: usize| addresses.get(number).cloned();
    if let Some(path) = address(1) {
        let listener = UnixListener::bind(path)?;
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                thread::spawn(move || answered(&connection));
            }
        });
    }
    if let Some(address) = address(2) {
        let listener = TcpListener::bind(address)?;
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                thread::spawn(move || echo(&connection));
            }
        });
    }
    for connection in TcpListener::bind(address(0).unwrap_or_default())?.incoming() {
        let connection = connection?;
        thread::spawn(move || answered(&connection));
    }
    Ok(())
}

/// Answers `PING` with `+PONG`, and anything else with an error, as Redis does.
fn echo(mut connection: &TcpStream) -> io::Result<()> {
    let mut line = String::new();
    BufReader::new(connection).read_line(&mut line)?;
    let answer = match line.trim_end() {
        "PING" => "+PONG\r\n",
        _ => "-ERR\r\n",
    };
    connection.write_all(answer.as_bytes())
}

fn answered<C>(connection: &C)
where
    for<'a> &'a C: Read + Write,
{
    if let Err(error) = answer(connection) {
        println!("no answer: {error}");
    }
}

fn answer<C>(connection: &C) -> io::Result<()>
where
    for<'a> &'a C: Read + Write,
{
    let mut connection = connection;
    let mut reader = BufReader::new(connection);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut words = request.split(' ');
    let (method, path) = (words.next(), words.next());
    let (status, text) = match (method, path) {
        (Some("POST"), Some("/")) => (200, format!("got {}", String::from_utf8_lossy(&body))),
        (Some("GET"), Some("/")) => (200, "hello".to_owned()),
        (_, Some("/slow")) => {
            thread::sleep(SLOW);
            (200, "at last".to_owned())
        }
        (_, Some("/never")) => {
            thread::sleep(FOR_EVER);
            (500, String::new())
        }
        (_, Some("/half")) => {
            connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")?;
            return Ok(());
        }
        _ => (404, "no such page".to_owned()),
    };
    println!("{} {status}", request.trim());
    write!(
        connection,
        "HTTP/1.1 {status} -\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}

/// Takes and uses memory until there is none left.
fn take_memory() -> io::Result<()> {
    let mut taken = Vec::new();
    loop {
        taken.push(vec![1_u8; CHUNK]);
    }
}

/// How many short-lived children a service has.
const CHILDREN: u16 = 8;

/// The first of the ports that they listen on.
const FIRST_PORT: u16 = 9000;

/// Starts short-lived children, one after the other.
fn beget() -> io::Result<()> {
    for port in (FIRST_PORT..).take(CHILDREN.into()) {
        let mut child = Command::new("/proc/self/exe");
        child.args(["vanish", &port.to_string()]).status()?;
    }
    Ok(())
}

/// Listens, logs through syslog's socket, and exits: looking for the process afterwards finds nothing. The line is a
/// datagram, which does not name the unit.
fn vanish(port: &str) -> io::Result<()> {
    let address = format!("127.0.0.1:{port}");
    let _listener = TcpListener::bind(&address)?;
    let line = format!("<6>vanish: I was at {address}");
    UnixDatagram::unbound()?.send_to(line.as_bytes(), "/dev/log")?;
    Ok(())
}

/// The device through which the agent's events leave the guest.
const PORT: &str = "/dev/vport0p1";

/// Takes the port away from the agent, as root and without a trace.
fn stolen_port() -> io::Result<File> {
    for process in fs::read_dir("/proc")?.flatten() {
        let path = process.path();
        let is_agent = fs::read_to_string(path.join("comm")).is_ok_and(|name| name == "agent\n");
        if !is_agent {
            continue;
        }
        for open in fs::read_dir(path.join("fd"))?.flatten() {
            if fs::read_link(open.path())? != Path::new(PORT) {
                continue;
            }
            let number = |name: &OsStr| name.to_string_lossy().parse::<i32>();
            let pid = number(&process.file_name()).map_err(io::Error::other)?;
            let fd = number(&open.file_name()).map_err(io::Error::other)?;
            let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::NotFound)?;
            let agent = pidfd_open(pid, PidfdFlags::empty())?;
            let port = pidfd_getfd(agent, fd, PidfdGetfdFlags::empty())?;
            return Ok(File::from(port));
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// Writes a line as the agent would.
fn forge(line: &str) -> io::Result<()> {
    writeln!(stolen_port()?, "{line}")?;
    println!("forged");
    thread::sleep(FOR_EVER);
    Ok(())
}

/// Writes without end, and never a complete line.
fn flood() -> io::Result<()> {
    let mut port = stolen_port()?;
    loop {
        port.write_all(&[b'x'; 32 << 10])?;
    }
}

/// The device that stops the VM, by its place on the bus.
const DOORBELL: &str = "/sys/bus/pci/devices/0000:00:07.0/resource0";

/// Stops the VM three times, in the way in which the agent does at the end.
fn ring() -> io::Result<()> {
    let file = File::options().read(true).write(true).open(DOORBELL)?;
    let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
    // SAFETY: a new mapping at an address of the kernel's choice overlaps no memory of this program.
    #[expect(unsafe_code, reason = "a device is reached through memory")]
    let register = unsafe { mmap(ptr::null_mut(), 4096, access, flags, &file, 0) }?;
    for _ in 0..3 {
        // SAFETY: the register is the first byte of the new mapping, and stays mapped.
        #[expect(unsafe_code, reason = "a device is reached through memory")]
        unsafe {
            register.cast::<u8>().write_volatile(1);
        }
        println!("rang");
        thread::sleep(Duration::from_secs(1));
    }
    thread::sleep(FOR_EVER);
    Ok(())
}

/// Sends its input as one entry to the journal: <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>.
fn journal() -> io::Result<()> {
    let mut entry = Vec::new();
    io::stdin().read_to_end(&mut entry)?;
    UnixDatagram::unbound()?.send_to(&entry, "/run/systemd/journal/socket")?;
    Ok(())
}

/// Computes forever.
fn compute() -> io::Result<()> {
    let mut sum = 0_u64;
    loop {
        sum = std::hint::black_box(sum.wrapping_mul(3).wrapping_add(1));
    }
}
