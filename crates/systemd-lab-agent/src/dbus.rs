//! Method calls over D-Bus, straight to a peer: no bus, no `Hello`, no signals.
//!
//! This module has only what calls to systemd need:
//! <https://dbus.freedesktop.org/doc/dbus-specification.html>. It decodes returned values into JSON
//! by their signature, and unwraps variants.

use std::io::{self, Cursor, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;

/// Codes of the header's fields.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const SIGNATURE: u8 = 8;

/// The part of a message that says how long the rest is.
const FIXED_HEADER: usize = 16;

/// The longest message that D-Bus allows.
const LONGEST_MESSAGE: usize = 128 << 20;

/// The longest line of the authentication; a usual one takes about 40 bytes.
const LONGEST_LINE: usize = 512;

/// The deepest nesting that D-Bus allows, of arrays and structs together.
const DEEPEST: u32 = 64;

/// An argument of a call.
#[derive(Debug, Clone)]
pub enum Argument<'a> {
    /// `s`
    Text(&'a str),
    /// `i`
    Int(i32),
    /// `b`
    Bool(bool),
    /// `as`
    Texts(&'a [&'a str]),
    /// `v` that holds an `s`
    TextVariant(&'a str),
}

/// A method of an object.
#[derive(Debug, Clone, Copy)]
pub struct Method<'a> {
    /// The object's path.
    pub path: &'a str,
    /// The interface's name.
    pub interface: &'a str,
    /// The method's name.
    pub member: &'a str,
}

/// Why a call returned nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The peer answered with an error.
    #[error("{name}: {message}")]
    Refused {
        /// e.g. `org.freedesktop.systemd1.NoSuchUnit`.
        name: String,
        /// The peer's own words.
        message: String,
    },
    /// The connection failed.
    #[error("cannot speak D-Bus with systemd: {0}")]
    Io(#[from] io::Error),
    /// The peer did not answer in time.
    #[error("systemd did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The peer's bytes are not D-Bus.
    #[error("systemd's answer is not a valid D-Bus message: {0}")]
    Malformed(&'static str),
}

/// A connection to the peer.
pub struct Connection {
    stream: UnixStream,
    /// The bytes that arrived with the end of the authentication and are still unread; `None` before the authentication.
    rest: Option<Cursor<Vec<u8>>>,
    /// The number of the last call.
    serial: u32,
}

impl Connection {
    /// Connects without sending anything. The peer waits for the authentication (sd-bus for 90 s, `BUS_AUTH_TIMEOUT`) and sends no
    /// signals before it.
    ///
    /// # Errors
    ///
    /// When nothing listens.
    pub fn open(socket: &Path) -> io::Result<Connection> {
        Ok(Connection {
            stream: UnixStream::connect(socket)?,
            rest: None,
            serial: 0,
        })
    }

    /// Authenticates, unless that has happened before.
    ///
    /// # Errors
    ///
    /// When the peer refuses, does not answer in time, or has closed the connection.
    pub fn authenticate(&mut self, deadline: Duration) -> Result<(), CallError> {
        timed(deadline, || {
            if self.rest.is_some() {
                return Ok(());
            }
            self.set_deadline(deadline)?;
            // "30" is the user id of root, "0", in hexadecimal ASCII. The call must wait for the answer: if
            // more bytes arrive in one piece with BEGIN, sd-bus does not look at them until the next ones
            // arrive.
            (&self.stream).write_all(b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n")?;
            self.rest = Some(Cursor::new(read_authentication(&mut &self.stream)?));
            Ok(())
        })
    }

    /// Calls a method and waits for its result: one value for each complete type of the answer's signature. Signals that come
    /// before the answer, and answers to calls that timed out, are read and dropped.
    ///
    /// # Errors
    ///
    /// [`CallError::Refused`] when the peer answers with an error; the other variants when it does not answer.
    pub fn call(
        &mut self,
        method: Method<'_>,
        arguments: &[Argument<'_>],
        deadline: Duration,
    ) -> Result<Vec<Value>, CallError> {
        self.authenticate(deadline)?;
        timed(deadline, || {
            self.set_deadline(deadline)?;
            self.serial += 1;
            (&self.stream).write_all(&encode_call(method, arguments, self.serial))?;
            let rest = self.rest.get_or_insert_default();
            let mut messages = rest.chain(&self.stream);
            loop {
                let message = read_message(&mut messages)?;
                if let Some(answer) = decode_answer(&message, self.serial)? {
                    return answer;
                }
            }
        })
    }

    fn set_deadline(&self, deadline: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(Some(deadline))?;
        self.stream.set_write_timeout(Some(deadline))
    }
}

/// Turns a passed deadline into an error of its own.
fn timed<T>(
    deadline: Duration,
    ask: impl FnOnce() -> Result<T, CallError>,
) -> Result<T, CallError> {
    match ask() {
        Err(CallError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(CallError::TimedOut(deadline))
        }
        result => result,
    }
}

/// Reads `OK <id>` and returns what came after it: BEGIN has been sent, so the peer considers the connection
/// complete, and signals that it sends at that moment arrive with the same bytes.
fn read_authentication(stream: &mut impl Read) -> Result<Vec<u8>, CallError> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 128];
    let end = loop {
        if let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") {
            break end;
        }
        let read = stream.read(&mut buffer)?;
        if read == 0 || bytes.len() > LONGEST_LINE {
            return Err(CallError::Malformed("the authentication does not end"));
        }
        bytes.extend_from_slice(&buffer[..read]);
    };
    match bytes.starts_with(b"OK ") {
        true => Ok(bytes.split_off(end + 2)),
        false => Err(CallError::Malformed("the authentication was refused")),
    }
}

fn read_message(stream: &mut impl Read) -> Result<Vec<u8>, CallError> {
    let mut message = vec![0; FIXED_HEADER];
    stream.read_exact(&mut message)?;
    if message[0] != b'l' {
        return Err(CallError::Malformed("it is not little-endian"));
    }
    let mut reader = Reader::new(&message, 4);
    let body = reader.u32()? as usize;
    reader.u32()?;
    let fields = reader.u32()? as usize;
    let length = (FIXED_HEADER + fields).next_multiple_of(8) + body;
    if length > LONGEST_MESSAGE {
        return Err(CallError::Malformed("it is too long"));
    }
    message.resize(length, 0);
    stream.read_exact(&mut message[FIXED_HEADER..])?;
    Ok(message)
}

fn encode_call(method: Method<'_>, arguments: &[Argument<'_>], serial: u32) -> Vec<u8> {
    let mut signature = String::new();
    let mut body = Writer::default();
    for argument in arguments {
        match argument {
            Argument::Text(text) => {
                signature.push('s');
                body.text(text);
            }
            Argument::Int(number) => {
                signature.push('i');
                body.u32(*number as u32);
            }
            Argument::Bool(flag) => {
                signature.push('b');
                body.u32((*flag).into());
            }
            Argument::Texts(texts) => {
                signature.push_str("as");
                body.array(4, |body| {
                    for text in *texts {
                        body.text(text);
                    }
                });
            }
            Argument::TextVariant(text) => {
                signature.push('v');
                body.signature("s");
                body.text(text);
            }
        }
    }

    let mut message = Writer {
        bytes: vec![b'l', METHOD_CALL, 0, 1],
    };
    message.u32(body.bytes.len() as u32);
    message.u32(serial);
    message.array(8, |fields| {
        let texts = [
            (PATH, "o", method.path),
            (INTERFACE, "s", method.interface),
            (MEMBER, "s", method.member),
        ];
        for (code, kind, text) in texts {
            fields.align(8);
            fields.bytes.push(code);
            fields.signature(kind);
            fields.text(text);
        }
        if !signature.is_empty() {
            fields.align(8);
            fields.bytes.push(SIGNATURE);
            fields.signature("g");
            fields.signature(&signature);
        }
    });
    message.align(8);
    message.bytes.extend_from_slice(&body.bytes);
    message.bytes
}

/// The content of a message: `None` when it does not answer the call with this number.
fn decode_answer(
    message: &[u8],
    serial: u32,
) -> Result<Option<Result<Vec<Value>, CallError>>, CallError> {
    let kind = message[1];
    if kind != METHOD_RETURN && kind != ERROR {
        return Ok(None);
    }
    let mut reader = Reader::new(message, 12);
    let (mut signature, mut error_name, mut reply_serial) = (String::new(), String::new(), 0);
    let fields_length = reader.u32()? as usize;
    let end = reader.at + fields_length;
    while reader.at < end {
        reader.align(8);
        let code = reader.u8()?;
        let value = reader.variant(0)?;
        match code {
            ERROR_NAME => error_name = text(value),
            REPLY_SERIAL => reply_serial = value.as_u64().unwrap_or(0),
            SIGNATURE => signature = text(value),
            _ => {}
        }
    }
    if reply_serial != u64::from(serial) {
        return Ok(None);
    }
    reader.align(8);
    let mut values = Vec::new();
    let mut rest = signature.as_bytes();
    while !rest.is_empty() {
        let (one, more) = split_type(rest)?;
        values.push(reader.value(one, 0)?);
        rest = more;
    }
    if kind == METHOD_RETURN {
        return Ok(Some(Ok(values)));
    }
    Ok(Some(Err(CallError::Refused {
        name: error_name,
        message: values.into_iter().next().map(text).unwrap_or_default(),
    })))
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Splits the first complete type off a signature.
fn split_type(signature: &[u8]) -> Result<(&[u8], &[u8]), CallError> {
    let mut depth = 0;
    for (at, byte) in signature.iter().enumerate() {
        match byte {
            b'a' => continue,
            b'(' | b'{' => depth += 1,
            b')' | b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Ok(signature.split_at(at + 1));
        }
    }
    Err(CallError::Malformed("a signature is not complete"))
}

/// The alignment of a type, in bytes.
fn alignment(kind: u8) -> usize {
    match kind {
        b'y' | b'g' | b'v' => 1,
        b'n' | b'q' => 2,
        b'x' | b't' | b'd' | b'(' | b'{' => 8,
        _ => 4,
    }
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    fn u32(&mut self, number: u32) {
        self.align(4);
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.u32(text.len() as u32);
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
    }

    fn signature(&mut self, signature: &str) {
        self.bytes.push(signature.len() as u8);
        self.bytes.extend_from_slice(signature.as_bytes());
        self.bytes.push(0);
    }

    /// Writes an array; its length comes first and does not count the padding before the first item.
    fn array(&mut self, item_alignment: usize, items: impl FnOnce(&mut Writer)) {
        self.u32(0);
        let length_at = self.bytes.len() - 4;
        self.align(item_alignment);
        let start = self.bytes.len();
        items(self);
        let length = (self.bytes.len() - start) as u32;
        self.bytes[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
    }
}

struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(message: &'a [u8], at: usize) -> Reader<'a> {
        Reader { message, at }
    }

    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], CallError> {
        let taken = self
            .message
            .get(self.at..self.at.saturating_add(length))
            .ok_or(CallError::Malformed("it ends early"))?;
        self.at += length;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], CallError> {
        self.align(N);
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    fn u8(&mut self) -> Result<u8, CallError> {
        Ok(self.fixed::<1>()?[0])
    }

    fn u32(&mut self) -> Result<u32, CallError> {
        Ok(u32::from_le_bytes(self.fixed()?))
    }

    fn text(&mut self, length: usize) -> Result<String, CallError> {
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.u8()?; // The zero byte behind it.
        Ok(text)
    }

    fn variant(&mut self, depth: u32) -> Result<Value, CallError> {
        let length = self.u8()?.into();
        let signature = self.text(length)?;
        self.value(signature.as_bytes(), depth + 1)
    }

    /// Decodes a value of one complete type.
    fn value(&mut self, signature: &[u8], depth: u32) -> Result<Value, CallError> {
        if depth > DEEPEST {
            return Err(CallError::Malformed("it is nested too deeply"));
        }
        let kind = *signature
            .first()
            .ok_or(CallError::Malformed("a signature is empty"))?;
        Ok(match kind {
            b'y' => self.u8()?.into(),
            b'b' => (self.u32()? != 0).into(),
            b'n' => i16::from_le_bytes(self.fixed()?).into(),
            b'q' => u16::from_le_bytes(self.fixed()?).into(),
            b'i' => i32::from_le_bytes(self.fixed()?).into(),
            b'u' | b'h' => self.u32()?.into(),
            b'x' => i64::from_le_bytes(self.fixed()?).into(),
            b't' => u64::from_le_bytes(self.fixed()?).into(),
            b'd' => f64::from_le_bytes(self.fixed()?).into(),
            b's' | b'o' => {
                let length = self.u32()? as usize;
                self.text(length)?.into()
            }
            b'g' => {
                let length = self.u8()?.into();
                self.text(length)?.into()
            }
            b'v' => self.variant(depth)?,
            b'(' => {
                self.align(8);
                let mut values = Vec::new();
                let mut rest = &signature[1..signature.len() - 1];
                while !rest.is_empty() {
                    let (one, more) = split_type(rest)?;
                    values.push(self.value(one, depth + 1)?);
                    rest = more;
                }
                Value::Array(values)
            }
            b'a' => self.array(&signature[1..], depth + 1)?,
            _ => return Err(CallError::Malformed("a type is unknown")),
        })
    }

    fn array(&mut self, item: &[u8], depth: u32) -> Result<Value, CallError> {
        let kind = *item
            .first()
            .ok_or(CallError::Malformed("an array has no type"))?;
        let length = self.u32()? as usize;
        self.align(alignment(kind));
        let end = self.at.saturating_add(length);
        if kind == b'{' {
            let (key, value) = split_type(&item[1..item.len() - 1])?;
            let mut map = Map::new();
            while self.at < end {
                self.align(8);
                let key = text(self.value(key, depth)?);
                map.insert(key, self.value(value, depth)?);
            }
            return Ok(Value::Object(map));
        }
        let mut values = Vec::new();
        while self.at < end {
            values.push(self.value(item, depth)?);
        }
        Ok(Value::Array(values))
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use serde_json::json;

    use super::*;

    const METHOD: Method<'_> = Method {
        path: "/org/freedesktop/systemd1",
        interface: "org.freedesktop.systemd1.Manager",
        member: "StartUnit",
    };

    /// A message in the layout of the specification, with the header fields as bytes.
    fn message(kind: u8, fields: &[u8], body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![b'l', kind, 0, 1];
        bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&7_u32.to_le_bytes());
        bytes.extend_from_slice(&(fields.len() as u32).to_le_bytes());
        bytes.extend_from_slice(fields);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend_from_slice(body);
        bytes
    }

    /// Reply serial 1, and a signature of at most three letters.
    fn reply_fields(signature: &str) -> Vec<u8> {
        let mut fields = vec![REPLY_SERIAL, 1, b'u', 0, 1, 0, 0, 0];
        fields.extend_from_slice(&[SIGNATURE, 1, b'g', 0, signature.len() as u8]);
        fields.extend_from_slice(signature.as_bytes());
        fields.push(0);
        fields
    }

    fn body(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut writer = Writer::default();
        write(&mut writer);
        writer.bytes
    }

    #[test]
    fn what_comes_with_the_authentication_is_not_lost() {
        let signal = message(4, &[], &[1; 600]);
        let mut bytes = b"OK 0123456789abcdef\r\n".to_vec();
        bytes.extend_from_slice(&signal);
        let mut stream = bytes.as_slice();
        let mut rest = read_authentication(&mut stream).expect("it is complete");
        rest.extend_from_slice(stream);
        assert_eq!(rest, signal);
        assert!(read_authentication(&mut b"OK 0123".as_slice()).is_err());
        assert!(read_authentication(&mut b"REJECTED EXTERNAL\r\n".as_slice()).is_err());
    }

    fn decoded(signature: &str, body: &[u8]) -> Result<Vec<Value>, CallError> {
        decode_answer(&message(METHOD_RETURN, &reply_fields(signature), body), 1)?
            .expect("it answers the call")
    }

    #[test]
    fn a_call_is_encoded() {
        let bytes = encode_call(METHOD, &[Argument::Text("a.service"), Argument::Int(-2)], 1);
        let mut fields = vec![1, 1, b'o', 0, 25, 0, 0, 0];
        fields.extend_from_slice(b"/org/freedesktop/systemd1\0\0\0\0\0\0\0");
        fields.extend_from_slice(&[2, 1, b's', 0, 32, 0, 0, 0]);
        fields.extend_from_slice(b"org.freedesktop.systemd1.Manager\0\0\0\0\0\0\0\0");
        fields.extend_from_slice(&[3, 1, b's', 0, 9, 0, 0, 0]);
        fields.extend_from_slice(b"StartUnit\0\0\0\0\0\0\0");
        fields.extend_from_slice(&[8, 1, b'g', 0, 2, b's', b'i', 0]);
        let body = b"\x09\0\0\0a.service\0\0\0\xfe\xff\xff\xff";
        let mut expected = message(METHOD_CALL, &fields, body);
        expected[8] = 1;
        assert_eq!(bytes, expected);
        assert_eq!(read_message(&mut &bytes[..]).expect("it is whole"), bytes);
    }

    #[test]
    fn other_arguments_are_encoded() {
        let bytes = encode_call(
            METHOD,
            &[Argument::Texts(&["ab", "c"]), Argument::Bool(true)],
            1,
        );
        let body = b"\x0e\0\0\0\x02\0\0\0ab\0\0\x01\0\0\0c\0\0\0\x01\0\0\0";
        assert!(bytes.ends_with(body));
        let bytes = encode_call(METHOD, &[Argument::TextVariant("debug")], 1);
        assert!(bytes.ends_with(b"\x01s\0\0\x05\0\0\0debug\0"));
    }

    #[test]
    fn numbers_texts_and_nesting_are_decoded() {
        let numbers = body(|body| {
            body.bytes.push(200);
            body.u32(u32::MAX);
            body.align(8);
            body.bytes.extend_from_slice(&u64::MAX.to_le_bytes());
        });
        let values = decoded("yit", &numbers).expect("it is valid");
        assert_eq!(values, [json!(200), json!(-1), json!(u64::MAX)]);

        let nested = body(|body| {
            body.array(8, |body| {
                for (key, number) in [("One", 1), ("Two", 2)] {
                    body.align(8);
                    body.text(key);
                    body.signature("(su)");
                    body.align(8);
                    body.text("n");
                    body.u32(number);
                }
            });
        });
        let mut fields = reply_fields("");
        fields.truncate(8);
        fields.extend_from_slice(b"\x08\x01g\0\x05a{sv}\0");
        let answer = decode_answer(&message(METHOD_RETURN, &fields, &nested), 1);
        let values = answer.expect("it is valid").expect("it answers the call");
        assert_eq!(
            values.expect("it is not an error"),
            [json!({"One": ["n", 1], "Two": ["n", 2]})]
        );
    }

    #[test]
    fn an_empty_array_has_its_padding() {
        let bytes = body(|body| {
            body.array(8, |_| {});
            body.text("behind");
        });
        let values = decoded("ats", &bytes).expect("it is valid");
        assert_eq!(values, [json!([]), json!("behind")]);
    }

    #[test]
    fn an_error_has_its_name_and_message() {
        let mut fields = reply_fields("s");
        fields.resize(fields.len().next_multiple_of(8), 0);
        let name = "org.freedesktop.systemd1.NoSuchUnit";
        fields.extend_from_slice(&[ERROR_NAME, 1, b's', 0, name.len() as u8, 0, 0, 0]);
        fields.extend_from_slice(name.as_bytes());
        fields.push(0);
        let text = body(|body| body.text("Unit x.service not found."));
        let answer = decode_answer(&message(ERROR, &fields, &text), 1).expect("it is valid");
        let Some(Err(CallError::Refused {
            name: found,
            message,
        })) = answer
        else {
            panic!("it is an error");
        };
        assert_eq!(
            (found.as_str(), message.as_str()),
            (name, "Unit x.service not found.")
        );
    }

    #[test]
    fn signals_are_no_answers() {
        const SIGNAL: u8 = 4;
        let bytes = message(SIGNAL, &reply_fields("s"), &body(|body| body.text("x")));
        assert!(decode_answer(&bytes, 1).expect("it is valid").is_none());
    }

    #[test]
    fn cut_and_senseless_messages_are_errors() {
        let whole = message(
            METHOD_RETURN,
            &reply_fields("s"),
            &body(|body| body.text("text")),
        );
        for length in FIXED_HEADER..whole.len() {
            assert!(decode_answer(&whole[..length], 1).is_err(), "{length}");
        }
        assert!(decoded("(", &[0; 8]).is_err());
        assert!(decoded("?", &[0; 8]).is_err());
        assert!(decoded("a", &[0; 8]).is_err());
    }

    #[test]
    fn a_peer_that_is_too_busy() {
        let error = CallError::TimedOut(Duration::from_secs(25));
        assert_eq!(error.to_string(), "systemd did not answer within 25 s");
    }

    #[test]
    fn a_peer_that_is_not_there() {
        let nowhere = Path::new("/nonexistent/private");
        let error = Connection::open(nowhere).err().expect("no peer");
        let error = CallError::from(error);
        assert_eq!(
            error.to_string(),
            "cannot speak D-Bus with systemd: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn a_message_has_a_longest_length() {
        let header = |body: usize| {
            let mut header = vec![b'l', METHOD_RETURN, 0, 1];
            for number in [body as u32, 7, 0] {
                header.extend_from_slice(&number.to_le_bytes());
            }
            header
        };
        let longest = LONGEST_MESSAGE - FIXED_HEADER;
        let mut bytes = header(longest);
        bytes.resize(LONGEST_MESSAGE, 0);
        let message = read_message(&mut bytes.as_slice()).expect("it is as long as allowed");
        assert_eq!(message.len(), LONGEST_MESSAGE);
        // None of its body is there: the length that it announces is enough to refuse it.
        let error = read_message(&mut header(longest + 1).as_slice()).expect_err("it is too long");
        assert_eq!(
            error.to_string(),
            "systemd's answer is not a valid D-Bus message: it is too long"
        );
    }

    /// The agent does not listen without end to a peer that sends without end.
    #[test]
    fn an_authentication_has_a_longest_length() {
        struct Endless(usize);
        impl Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 += buffer.len();
                assert!(self.0 <= 2 * LONGEST_LINE, "it reads on and on");
                buffer.fill(b'x');
                Ok(buffer.len())
            }
        }
        let error = read_authentication(&mut Endless(0)).expect_err("it does not end");
        assert_eq!(
            error.to_string(),
            "systemd's answer is not a valid D-Bus message: the authentication does not end"
        );
    }

    /// The second call has a new number, and the part of its answer that was read during the first call is not lost.
    #[test]
    fn calls_and_their_answers_over_a_socket() {
        let path = std::env::temp_dir().join(format!("lab-agent-dbus-{}", std::process::id()));
        let listener = std::os::unix::net::UnixListener::bind(&path).expect("it is free");
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody connects");
            let mut line = [0; b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n".len()];
            stream.read_exact(&mut line).expect("it says who it is");
            let signal = message(4, &reply_fields("s"), &body(|body| body.text("noise")));
            stream
                .write_all(&[b"OK 0123\r\n".as_slice(), &signal].concat())
                .expect("it is open");
            for serial in [1, 2] {
                let call = read_message(&mut stream).expect("a call comes");
                assert_eq!(call[8], serial);
                let answer = body(|body| body.text(&format!("/job/{serial}")));
                let of = |serial| {
                    let mut fields = reply_fields("o");
                    fields[4] = serial;
                    message(METHOD_RETURN, &fields, &answer)
                };
                // The answer to a call that timed out comes late.
                stream
                    .write_all(&[signal.clone(), of(serial + 7), of(serial)].concat())
                    .expect("it is open");
            }
        });
        let mut connection = Connection::open(&path).expect("the peer listens");
        for job in ["/job/1", "/job/2"] {
            let values = connection.call(METHOD, &[], Duration::from_secs(20));
            assert_eq!(values.expect("it is answered"), [json!(job)]);
        }
        server.join().expect("it ended well");
        std::fs::remove_file(path).expect("it was bound");
    }
}
