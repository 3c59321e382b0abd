//! The lines of the protocol.

use std::fmt::{self, Display};
use std::time::Duration;

use libswarm::{ContentType, Error, ErrorKind, Payload};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// A command with its fields in their order.
pub struct Command {
    pub name: String,
    /// Scalars are decoded; lists keep their commas, which encoded items cannot contain.
    pub fields: Vec<(String, String)>,
    raw: Vec<(String, String)>,
}

/// A mistake of the test, not of what is tested.
pub fn misuse(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Internal, message)
}

impl Command {
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut words = text.split_ascii_whitespace();
        let name = words.next().ok_or_else(|| misuse("empty line"))?.to_owned();
        let mut raw = Vec::new();
        for word in words {
            let (name, value) = word.split_once('=').ok_or_else(|| misuse(format!("`{word}` has no =")))?;
            raw.push((name.to_owned(), value.to_owned()));
        }
        let fields = raw.iter().map(|(name, value)| Ok((name.clone(), decoded(value)?))).collect::<Result<_, Error>>()?;
        Ok(Command { name, fields, raw })
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self, name: &str) -> Result<&str, Error> {
        self.get(name).ok_or_else(|| misuse(format!("`{}` needs {name}=", self.name)))
    }

    pub fn number(&self, name: &str) -> Result<u64, Error> {
        self.text(name)?.parse().map_err(|_| misuse(format!("{name} is no number")))
    }

    pub fn time(&self, name: &str) -> Result<Duration, Error> {
        Ok(Duration::from_millis(self.number(name)?))
    }

    /// The items of a list, decoded.
    pub fn list(&self, name: &str) -> Result<Vec<String>, Error> {
        let raw = self.raw.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value);
        if raw.is_empty() { Ok(Vec::new()) } else { raw.split(',').map(decoded).collect() }
    }

    pub fn payload(&self) -> Result<Payload, Error> {
        let content_type = match self.get("type") {
            Some("bytes") => ContentType::Bytes,
            _ => ContentType::Json,
        };
        Ok(Payload { bytes: bytes(self.text("payload")?)?, content_type })
    }
}

/// Bytes written in hexadecimal.
pub fn bytes(text: &str) -> Result<Vec<u8>, Error> {
    hex::decode(text).map_err(|e| misuse(format!("not hexadecimal: {e}")))
}

fn decoded(text: &str) -> Result<String, Error> {
    percent_decode_str(text).decode_utf8().map(Into::into).map_err(|e| misuse(format!("not UTF-8: {e}")))
}

pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// An answer line, or a line of the journal, being put together.
pub struct Answer(String);

impl Answer {
    pub fn ok() -> Self {
        Answer("ok".into())
    }

    pub fn error(error: &Error) -> Self {
        Answer("error".into()).with("code", error.kind().name()).with("message", error.message())
    }

    pub fn with(mut self, name: &str, value: impl Display) -> Self {
        self.0 += &format!(" {name}={}", encoded(&value.to_string()));
        self
    }

    pub fn with_list<T: Display>(mut self, name: &str, items: impl IntoIterator<Item = T>) -> Self {
        let items: Vec<String> = items.into_iter().map(|item| encoded(&item.to_string())).collect();
        self.0 += &format!(" {name}={}", items.join(","));
        self
    }

    pub fn with_payload(self, payload: &Payload) -> Self {
        let kind = match payload.content_type {
            ContentType::Json => "json",
            ContentType::Bytes => "bytes",
        };
        self.with("payload", hex::encode(&payload.bytes)).with("type", kind)
    }

    /// All fields of a flat structure.
    pub fn with_fields(mut self, fields: &impl serde::Serialize) -> Result<Self, Error> {
        let value = serde_json::to_value(fields).map_err(|e| misuse(e.to_string()))?;
        for (name, value) in value.as_object().into_iter().flatten() {
            self = match value.as_str() {
                Some(text) => self.with(name, text),
                None => self.with(name, value),
            };
        }
        Ok(self)
    }
}

impl Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
