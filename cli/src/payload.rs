//! Payloads that are given as an argument.

use std::io::Read;

use libswarm::Payload;

use crate::exit::Trouble;

/// How a text is read as a payload.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Form {
    /// The payload is text: it is sent as a JSON string.
    #[arg(long, conflicts_with = "bytes")]
    text: bool,
    /// The payload is bytes, and not JSON.
    #[arg(long)]
    bytes: bool,
}

/// Reads a payload; `-` stands for the standard input.
pub(crate) async fn read(given: Option<&str>, form: &Form) -> Result<Payload, Trouble> {
    let bytes = match given {
        None => return Ok(Payload::raw_json("null")),
        Some("-") => from_stdin().await?,
        Some(text) => text.as_bytes().to_vec(),
    };
    if form.bytes {
        return Ok(Payload::bytes(bytes));
    }
    if form.text {
        let text = String::from_utf8(bytes).map_err(|_| Trouble::usage("the payload is not UTF-8; use --bytes"))?;
        return Ok(Payload::json(&text)?);
    }
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes) {
        let text = format!("the payload is not JSON ({error}); use --text for plain text, or --bytes");
        return Err(Trouble::usage(text));
    }
    Ok(Payload::raw_json(bytes))
}

async fn from_stdin() -> Result<Vec<u8>, Trouble> {
    let read = tokio::task::spawn_blocking(|| {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    });
    match read.await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(Trouble::usage(format!("the standard input cannot be read: {error}"))),
        Err(_) => Err(Trouble::usage("the standard input cannot be read")),
    }
}
