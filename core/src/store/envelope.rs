//! Envelopes of compressed and encrypted values: payloads, results and the like go into them on their way to Redis, and come out on the way back.
//!
//! A value in an envelope is stored as content that is not bytes, and begins with a byte with which no JSON text begins: 0xfe, version (1), flags (1 the
//! content is bytes, 2 compressed by zstd, 4 encrypted). If it is encrypted: length (1) and id of the key, nonce (12), then what AES-256-GCM makes
//! of the content, with the tag. All before the nonce, the cluster and the kind of the value are authenticated, too.

use std::cell::RefCell;
use std::io;

use ring::aead::{Aad, NONCE_LEN, Nonce};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zstd::bulk::{Compressor, Decompressor};

use crate::config::codec_keys::{CodecKey, is_key_id};
use crate::config::options::{MAX_PAYLOAD, Options};
use crate::model::log::MAX_LOG_LINE;
use crate::model::message::MAX_MESSAGE;
use crate::model::payload::{ContentType, MAX_CHECKPOINT, MAX_ERROR_TEXT, MAX_PROGRESS, MAX_RESULT, MAX_TRACEBACK, Payload};
use libswarm_common::error::{Error, ErrorKind, Result};
use libswarm_common::language::option;

/// The first byte of a value in an envelope.
const MARK: u8 = 0xfe;
const VERSION: u8 = 1;
const BYTES: u8 = 1;
const COMPRESSED: u8 = 2;
const ENCRYPTED: u8 = 4;
/// The level of compression.
const LEVEL: i32 = 3;

/// The kinds of values. A value of one kind cannot be read as one of another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueKind {
    Payload,
    Result,
    Checkpoint,
    Progress,
    /// A line of a log.
    Log,
    Message,
    Reply,
    Error,
    Traceback,
}

impl ValueKind {
    const fn name(self) -> &'static str {
        match self {
            ValueKind::Payload => "payload",
            ValueKind::Result => "result",
            ValueKind::Checkpoint => "checkpoint",
            ValueKind::Progress => "progress",
            ValueKind::Log => "log",
            ValueKind::Message => "message",
            ValueKind::Reply => "reply",
            ValueKind::Error => "error",
            ValueKind::Traceback => "traceback",
        }
    }

    /// The longest value in bytes.
    const fn limit(self) -> usize {
        match self {
            ValueKind::Payload => MAX_PAYLOAD,
            ValueKind::Result => MAX_RESULT,
            ValueKind::Checkpoint => MAX_CHECKPOINT,
            ValueKind::Progress => MAX_PROGRESS,
            ValueKind::Log => MAX_LOG_LINE,
            ValueKind::Message | ValueKind::Reply => MAX_MESSAGE,
            ValueKind::Error => MAX_ERROR_TEXT,
            ValueKind::Traceback => MAX_TRACEBACK,
        }
    }

    /// Whether scripts write values of this kind, too.
    const fn is_written_by_scripts(self) -> bool {
        matches!(self, ValueKind::Error | ValueKind::Traceback)
    }
}

/// Where the nonce comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NonceOf {
    /// Random: equal values do not look equal.
    Chance,
    /// The value, its kind and the key.
    Value,
}

/// Reads and writes envelopes as the options of a member say.
#[derive(Clone, Copy)]
pub(crate) struct Envelopes<'a> {
    options: Option<&'a Options>,
    nonce: NonceOf,
}

impl<'a> Envelopes<'a> {
    /// Writes no envelopes, and reads those without encryption.
    pub(crate) const NONE: Envelopes<'static> = Envelopes { options: None, nonce: NonceOf::Chance };

    pub(crate) fn of(options: &'a Options) -> Self {
        Envelopes { options: Some(options), nonce: NonceOf::Chance }
    }

    /// Those in which an equal value is stored as equal bytes: scripts notice that a schedule has not changed.
    pub(crate) fn repeatable(self) -> Self {
        Envelopes { nonce: NonceOf::Value, ..self }
    }

    /// The value in an envelope, or `None` if it is stored as it is.
    pub(crate) fn seal(self, kind: ValueKind, bytes: &[u8], content_type: ContentType) -> Option<Vec<u8>> {
        let options = self.options.filter(|options| options.compress_from.is_some() || !options.codec_keys.is_empty())?;
        let compressed = options.compress_from.filter(|from| bytes.len() >= *from).and_then(|_| compress(bytes));
        let key = options.codec_keys.first();
        if key.is_none() && compressed.is_none() {
            return None;
        }
        let flag = |on: bool, flag: u8| if on { flag } else { 0 };
        let flags = flag(content_type == ContentType::Bytes, BYTES)
            | flag(compressed.is_some(), COMPRESSED)
            | flag(key.is_some(), ENCRYPTED);
        let content = compressed.as_deref().unwrap_or(bytes);
        let mut out = Vec::with_capacity(content.len() + 80);
        out.extend_from_slice(&[MARK, VERSION, flags]);
        match key {
            Some(key) => encrypt(&mut out, key, content, &place(options, kind), self.nonce),
            None => out.extend_from_slice(content),
        }
        Some(out)
    }

    /// As [`Envelopes::seal`], for a text that is not empty.
    pub(crate) fn seal_text(self, kind: ValueKind, text: &str) -> Option<Vec<u8>> {
        if text.is_empty() { None } else { self.seal(kind, text.as_bytes(), ContentType::Json) }
    }

    /// Whether content that is not bytes is in an envelope.
    pub(crate) fn is_sealed(self, stored: &[u8]) -> bool {
        stored.first() == Some(&MARK)
    }

    /// Reads what is stored.
    pub(crate) fn open(self, kind: ValueKind, stored: &[u8], content_type: ContentType) -> Result<Payload> {
        if content_type == ContentType::Json && self.is_sealed(stored) {
            return self.unwrap(kind, stored);
        }
        if self.options.is_some_and(|options| options.codec_required) && !kind.is_written_by_scripts() {
            return Err(self.plain(kind));
        }
        Ok(Payload { bytes: stored.to_vec(), content_type })
    }

    /// Reads a text; if it cannot be read, returns the reason in parentheses.
    pub(crate) fn open_text(self, kind: ValueKind, stored: &[u8]) -> String {
        match self.open(kind, stored, ContentType::Json) {
            Ok(text) => String::from_utf8_lossy(&text.bytes).into_owned(),
            Err(error) => format!("({error})"),
        }
    }

    fn unwrap(self, kind: ValueKind, stored: &[u8]) -> Result<Payload> {
        let [_, VERSION, flags, rest @ ..] = stored else {
            return Err(fail(kind, "is in an envelope of another version of libswarm: update this member"));
        };
        if flags & !(BYTES | COMPRESSED | ENCRYPTED) != 0 {
            return Err(fail(kind, "is encoded in a way that this version of libswarm does not know: update this member"));
        }
        let content = if flags & ENCRYPTED != 0 {
            self.decrypt(kind, stored, rest)?
        } else if self.options.is_some_and(|options| options.codec_required) {
            return Err(self.plain(kind));
        } else {
            rest.to_vec()
        };
        let bytes = if flags & COMPRESSED != 0 { decompress(kind, &content)? } else { content };
        let content_type = if flags & BYTES != 0 { ContentType::Bytes } else { ContentType::Json };
        Ok(Payload { bytes, content_type })
    }

    /// `rest`: what follows the flags.
    fn decrypt(self, kind: ValueKind, stored: &[u8], rest: &[u8]) -> Result<Vec<u8>> {
        let damaged = || fail(kind, "is in a damaged envelope");
        let (length, rest) = rest.split_first().ok_or_else(damaged)?;
        let (id, rest) = rest.split_at_checked(usize::from(*length)).ok_or_else(damaged)?;
        let id = std::str::from_utf8(id).ok().filter(|id| is_key_id(id)).ok_or_else(damaged)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN).ok_or_else(damaged)?;
        let Some((options, key)) = self.options.and_then(|options| Some((options, options.codec_keys.get(id)?))) else {
            let name = option("codec_keys");
            return Err(fail(
                kind,
                &format!("is encrypted with the key `{id}`, which this member does not have: add it to {name}"),
            ));
        };
        let head = &stored[..stored.len() - rest.len()];
        let aad = Aad::from([head, &place(options, kind)].concat());
        let mut content = sealed.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
        let Ok(opened) = key.cipher.open_in_place(nonce, aad, &mut content) else {
            let why = "cannot be decrypted with the key";
            let reason =
                "it was encrypted with another key of this id, for another cluster or another kind of value, or it was altered";
            return Err(fail(kind, &format!("{why} `{id}`: {reason}")));
        };
        let length = opened.len();
        content.truncate(length);
        Ok(content)
    }

    fn plain(self, kind: ValueKind) -> Error {
        let (required, keys) = (option("codec_required"), option("codec_keys"));
        fail(
            kind,
            &format!(
                "is not encrypted, and {required} is set: write it with a member that has {keys}, or read it with one without {required}"
            ),
        )
    }
}

fn fail(kind: ValueKind, why: &str) -> Error {
    Error::new(ErrorKind::Codec, format!("the {} {why}", kind.name()))
}

/// Where a value belongs: the cluster, which has no control character in its name, and the kind.
fn place(options: &Options, kind: ValueKind) -> Vec<u8> {
    [options.key_prefix(), "\0", kind.name()].concat().into_bytes()
}

/// Appends the id of the key, the nonce and the encrypted content to the first bytes of an envelope.
fn encrypt(out: &mut Vec<u8>, key: &CodecKey, content: &[u8], place: &[u8], nonce: NonceOf) {
    out.push(key.id.len() as u8);
    out.extend_from_slice(key.id.as_bytes());
    let aad = [&out[..], place].concat();
    let mut bytes = [0; NONCE_LEN];
    // A random nonce of 96 bits; the other one depends on all that is encrypted or authenticated, so that a pair of nonce and key has one content only.
    if nonce == NonceOf::Value || SystemRandom::new().fill(&mut bytes).is_err() {
        let mut hash = hmac::Context::with_key(&key.nonces);
        hash.update(&(aad.len() as u64).to_be_bytes());
        hash.update(&aad);
        hash.update(content);
        bytes.copy_from_slice(&hash.sign().as_ref()[..NONCE_LEN]);
    }
    out.extend_from_slice(&bytes);
    let from = out.len();
    out.extend_from_slice(content);
    let tag = key.cipher.seal_in_place_separate_tag(Nonce::assume_unique_for_key(bytes), Aad::from(aad), &mut out[from..]);
    out.extend_from_slice(tag.expect("AES-GCM refuses only values of more than 64 GiB").as_ref());
}

thread_local! {
    // Making them takes longer than a small value does.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Does something with what is kept, which is made if there is none, and is not kept after an error.
fn with_kept<T, R>(
    kept: &mut Option<T>,
    make: impl FnOnce() -> io::Result<T>,
    work: impl FnOnce(&mut T) -> io::Result<R>,
) -> io::Result<R> {
    let mut one = match kept.take() {
        Some(one) => one,
        None => make()?,
    };
    let done = work(&mut one)?;
    *kept = Some(one);
    Ok(done)
}

/// `None` if that does not save bytes.
fn compress(bytes: &[u8]) -> Option<Vec<u8>> {
    let compressed = COMPRESSOR.with_borrow_mut(|kept| with_kept(kept, || Compressor::new(LEVEL), |one| one.compress(bytes)));
    compressed.ok().filter(|compressed| compressed.len() < bytes.len())
}

fn decompress(kind: ValueKind, compressed: &[u8]) -> Result<Vec<u8>> {
    // The length is in the head of what `compress` writes. It is the limit of the output, so that a forged one reserves no more than that.
    let length = zstd::zstd_safe::get_frame_content_size(compressed).ok().flatten();
    let Some(length) = length.and_then(|length| usize::try_from(length).ok()) else {
        return Err(fail(kind, "cannot be decompressed: it is damaged"));
    };
    if length > kind.limit() {
        return Err(fail(kind, &format!("has {length} bytes when it is decompressed, the limit is {}", kind.limit())));
    }
    DECOMPRESSOR
        .with_borrow_mut(|kept| with_kept(kept, Decompressor::new, |one| one.decompress(compressed, length)))
        .map_err(|_| fail(kind, "cannot be decompressed: it is damaged"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KINDS: [ValueKind; 9] = [
        ValueKind::Payload,
        ValueKind::Result,
        ValueKind::Checkpoint,
        ValueKind::Progress,
        ValueKind::Log,
        ValueKind::Message,
        ValueKind::Reply,
        ValueKind::Error,
        ValueKind::Traceback,
    ];

    fn key(id: &str, byte: u8) -> String {
        use base64::Engine;
        format!("{id}:{}", base64::engine::general_purpose::STANDARD.encode([byte; 32]))
    }

    fn options(settings: &[(&str, &str)]) -> Options {
        let mut options = Options::new("mail");
        for (name, value) in settings {
            options.set(name, value).unwrap();
        }
        options
    }

    fn refused(opened: Result<Payload>) -> String {
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Codec, "{error}");
        error.message().to_owned()
    }

    #[test]
    fn values_come_back_and_cannot_be_moved() {
        let (keys, other) = (key("k", 1), key("k", 2));
        let mail = options(&[("codec_keys", &keys), ("compress_from", "64")]);
        let moved = options(&[("codec_keys", &keys), ("prefix", "post")]);
        let wrong = options(&[("codec_keys", &other)]);
        for kind in KINDS {
            for (bytes, content_type) in
                [(&b""[..], ContentType::Bytes), (b"\xfe\x01\0", ContentType::Bytes), (&[b'7'; 1000], ContentType::Json)]
            {
                let sealed = Envelopes::of(&mail).seal(kind, bytes, content_type).unwrap();
                assert_eq!((sealed[2] & COMPRESSED != 0, sealed.len() < bytes.len() + 64), (bytes.len() > 64, true));
                let opened = Envelopes::of(&mail).open(kind, &sealed, ContentType::Json).unwrap();
                assert_eq!((&opened.bytes[..], opened.content_type), (bytes, content_type));
                for (at, other_kind) in KINDS.iter().enumerate() {
                    assert_eq!(Envelopes::of(&mail).open(*other_kind, &sealed, ContentType::Json).is_ok(), KINDS[at] == kind);
                }
                for elsewhere in [&moved, &wrong] {
                    assert!(
                        refused(Envelopes::of(elsewhere).open(kind, &sealed, ContentType::Json))
                            .contains("cannot be decrypted with the key `k`")
                    );
                }
                assert!(
                    refused(Envelopes::NONE.open(kind, &sealed, ContentType::Json))
                        .contains("the key `k`, which this member does not have")
                );
            }
        }
    }

    #[test]
    fn equal_values_look_different_unless_they_are_repeatable() {
        let mail = options(&[("codec_keys", &key("k", 1))]);
        let seal =
            |envelopes: Envelopes, text: &[u8], content_type| envelopes.seal(ValueKind::Payload, text, content_type).unwrap();
        let (json, bytes, chance) = (ContentType::Json, ContentType::Bytes, Envelopes::of(&mail));
        assert_ne!(seal(chance, b"1", json), seal(chance, b"1", json));
        let again = chance.repeatable();
        assert_eq!(seal(again, b"1", json), seal(again, b"1", json));
        let nonce = |sealed: Vec<u8>| sealed[5..17].to_vec();
        let nonces = [seal(again, b"1", json), seal(again, b"2", json), seal(again, b"1", bytes)].map(nonce);
        assert!(nonces[0] != nonces[1] && nonces[0] != nonces[2] && nonces[1] != nonces[2]);
    }

    #[test]
    fn decompressed_values_are_bounded() {
        let reader = options(&[]);
        let packed = |content: &[u8]| [&[MARK, VERSION, COMPRESSED][..], content].concat();
        let open = |stored: &[u8]| Envelopes::of(&reader).open(ValueKind::Progress, stored, ContentType::Json);
        let fits = packed(&zstd::bulk::compress(&[b' '; MAX_PROGRESS], LEVEL).unwrap());
        assert_eq!(open(&fits).unwrap().bytes.len(), MAX_PROGRESS);
        let bomb = zstd::bulk::compress(&vec![0; MAX_PAYLOAD + 1], LEVEL).unwrap();
        assert!(bomb.len() < 2000);
        assert!(refused(open(&packed(&bomb))).contains("has 16777217 bytes when it is decompressed, the limit is 4096"));
        // A forged length: the frame has more than it states. Frames of this size have it in the two bytes behind the head, less 256.
        let mut forged = zstd::bulk::compress(&[b' '; MAX_PROGRESS], LEVEL).unwrap();
        assert_eq!(forged[5..7], (MAX_PROGRESS as u16 - 256).to_le_bytes());
        forged[5..7].copy_from_slice(&0u16.to_le_bytes());
        refused(open(&packed(&forged)));
        // A frame without its length, as a stream writes it.
        let stream = zstd::stream::encode_all(&[b' '; 100][..], LEVEL).unwrap();
        refused(open(&packed(&stream)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn an_altered_envelope_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), by in 1u8..) {
            let mail = options(&[("codec_keys", &key("k", 1)), ("compress_from", "64"), ("codec_required", "true")]);
            let mut sealed = Envelopes::of(&mail).seal(ValueKind::Payload, &bytes, ContentType::Json).unwrap();
            let at = at.index(sealed.len());
            sealed[at] ^= by;
            refused(Envelopes::of(&mail).open(ValueKind::Payload, &sealed, ContentType::Json));
            refused(Envelopes::of(&mail).open(ValueKind::Payload, &sealed[..at], ContentType::Json));
        }

        #[test]
        fn any_bytes_are_read_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 3..100), flags in 0u8..9) {
            (bytes[0], bytes[1], bytes[2]) = (MARK, VERSION, flags);
            let mail = options(&[("codec_keys", &key("k", 1))]);
            for reader in [Envelopes::of(&mail), Envelopes::NONE] {
                if let Err(error) = reader.open(ValueKind::Payload, &bytes, ContentType::Json) {
                    prop_assert_eq!(error.kind(), ErrorKind::Codec);
                }
            }
        }
    }
}
