//! Method calls over D-Bus, straight to a peer: no bus, no `Hello`, no signals.
//!
//! Only what calling systemd takes: <https://dbus.freedesktop.org/doc/dbus-specification.html>.
//! Values that come back are decoded by their signature into JSON; variants are unwrapped.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
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

/// Each connection makes one call, so that its number is always the same.
const SERIAL: u32 = 1;

/// The part of a message that tells how long the rest is.
const FIXED_HEADER: usize = 16;

/// The longest message that D-Bus allows.
const LONGEST_MESSAGE: usize = 128 << 20;

/// The longest line of the authentication; it takes some 40 bytes.
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
    /// The peer could not be asked, or did not answer in time.
    #[error("cannot speak D-Bus with systemd: {0}")]
    Io(#[from] io::Error),
    /// The peer's bytes are no D-Bus.
    #[error("systemd's answer is no valid D-Bus message: {0}")]
    Malformed(&'static str),
}

/// Says to the peer who is calling, on a connection that is new.
///
/// # Errors
///
/// When the peer does not answer, or has closed the connection.
pub fn authenticate(stream: &mut UnixStream, deadline: Duration) -> Result<(), CallError> {
    stream.set_read_timeout(Some(deadline))?;
    stream.set_write_timeout(Some(deadline))?;
    // "30" is the user id of root, "0", in hexadecimal ASCII. The call must wait for the answer: sd-bus
    // does not look at what arrives in one piece with BEGIN until more arrives.
    stream.write_all(b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n")?;
    read_authentication(stream)
}

/// Calls a method and waits for what it returns: one value for each complete type of the answer's
/// signature. One call per connection.
///
/// # Errors
///
/// [`CallError::Refused`] when the peer answers with an error, the others when it does not answer.
pub fn call(
    mut stream: UnixStream,
    method: Method<'_>,
    arguments: &[Argument<'_>],
) -> Result<Vec<Value>, CallError> {
    stream.write_all(&encode_call(method, arguments))?;
    loop {
        let message = read_message(&mut stream)?;
        if let Some(answer) = decode_answer(&message)? {
            return answer;
        }
    }
}

/// Reads `OK <id>`. Nothing can follow it before the call is sent.
fn read_authentication(stream: &mut impl Read) -> Result<(), CallError> {
    let mut line = Vec::new();
    let mut buffer = [0; 128];
    while !line.ends_with(b"\r\n") {
        let read = stream.read(&mut buffer)?;
        if read == 0 || line.len() > LONGEST_LINE {
            return Err(CallError::Malformed("the authentication does not end"));
        }
        line.extend_from_slice(&buffer[..read]);
    }
    match line.starts_with(b"OK ") {
        true => Ok(()),
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

fn encode_call(method: Method<'_>, arguments: &[Argument<'_>]) -> Vec<u8> {
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

    let mut message = Writer::default();
    message.bytes = vec![b'l', METHOD_CALL, 0, 1];
    message.u32(body.bytes.len() as u32);
    message.u32(SERIAL);
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

/// What a message says: `None` when it is no answer to the call.
fn decode_answer(message: &[u8]) -> Result<Option<Result<Vec<Value>, CallError>>, CallError> {
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
    if reply_serial != u64::from(SERIAL) {
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
