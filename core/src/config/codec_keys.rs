//! The keys of encrypted values.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use libswarm_common::error::{Error, Result, invalid};
use libswarm_common::language::option;
use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use ring::hmac;

/// The limit of keys.
const MAX_KEYS: usize = 32;
/// Longest id of a key, in bytes.
pub(crate) const MAX_KEY_ID: usize = 32;
/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// A key for AES-256-GCM, with an id that encrypted values name.
pub(crate) struct CodecKey {
    pub(crate) id: String,
    secret: [u8; KEY_BYTES],
    pub(crate) cipher: LessSafeKey,
    /// For nonces that follow from what is encrypted; see `store/envelope.rs`.
    pub(crate) nonces: hmac::Key,
}

/// Keys with which values are encrypted before they go to Redis: the first writes, all read. Read from `id:key`, several separated by commas, where a key is
/// the base64 of 32 bytes and an id has 1 to 32 letters, digits, `-`, `_` or `.`. Neither `Debug` nor errors show a key.
#[derive(Clone)]
pub struct CodecKeys(Arc<[CodecKey]>);

impl CodecKeys {
    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ids, in order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| key.id.as_str())
    }

    /// The key that writes.
    pub(crate) fn first(&self) -> Option<&CodecKey> {
        self.0.first()
    }

    pub(crate) fn get(&self, id: &str) -> Option<&CodecKey> {
        self.0.iter().find(|key| key.id == id)
    }
}

pub(crate) fn is_key_id(id: &str) -> bool {
    (1..=MAX_KEY_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

impl FromStr for CodecKeys {
    type Err = Error;

    /// The error names the place of a key, and quotes nothing.
    fn from_str(text: &str) -> Result<Self> {
        let mut keys: Vec<CodecKey> = Vec::new();
        for (at, part) in text.split(',').map(str::trim).enumerate() {
            let refuse = |why: &str| {
                let name = option("codec_keys");
                invalid(format!(
                    "key {} of {name} {why}; {name} is `id:key`, several separated by commas, with the base64 of 32 bytes as each key",
                    at + 1
                ))
            };
            let Some((id, secret)) = part.split_once(':') else { return Err(refuse("has no colon")) };
            if !is_key_id(id) {
                return Err(refuse("has no id of 1 to 32 letters, digits, `-`, `_` or `.`"));
            }
            let secret = base64::engine::general_purpose::STANDARD.decode(secret).map_err(|_| refuse("is no base64"))?;
            let secret: [u8; KEY_BYTES] =
                secret.try_into().map_err(|secret: Vec<u8>| refuse(&format!("has {} bytes", secret.len())))?;
            if keys.iter().any(|key| key.id == id) {
                return Err(refuse("has the id of one before"));
            }
            if keys.len() == MAX_KEYS {
                return Err(refuse(&format!("is one more than {MAX_KEYS}")));
            }
            let cipher = UnboundKey::new(&AES_256_GCM, &secret).map_err(|_| refuse("cannot be used"))?;
            let nonces = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), b"libswarm nonces");
            keys.push(CodecKey {
                id: id.to_owned(),
                secret,
                cipher: LessSafeKey::new(cipher),
                nonces: hmac::Key::new(hmac::HMAC_SHA256, nonces.as_ref()),
            });
        }
        Ok(CodecKeys(keys.into()))
    }
}

impl Default for CodecKeys {
    fn default() -> Self {
        CodecKeys(Arc::new([]))
    }
}

impl fmt::Debug for CodecKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

impl PartialEq for CodecKeys {
    fn eq(&self, other: &Self) -> bool {
        let parts = |keys: &Self| keys.0.iter().map(|key| (key.id.clone(), key.secret)).collect::<Vec<_>>();
        parts(self) == parts(other)
    }
}

impl Eq for CodecKeys {}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

    #[test]
    fn keys_are_read_in_order_and_never_shown() {
        let keys: CodecKeys = format!("new:{KEY}, 2025.old-1_a:{KEY}").parse().unwrap();
        assert_eq!(keys.ids().collect::<Vec<_>>(), ["new", "2025.old-1_a"]);
        assert_eq!(format!("{keys:?}"), r#"["new", "2025.old-1_a"]"#);
        assert!(keys.get("old").is_none() && CodecKeys::default().first().is_none());
    }

    #[test]
    fn an_invalid_key_is_refused_without_being_quoted() {
        let long = format!("{}:{KEY}", "x".repeat(MAX_KEY_ID + 1));
        let many = (0..=MAX_KEYS).map(|number| format!("k{number}:{KEY}")).collect::<Vec<_>>().join(",");
        for text in [
            "",
            KEY,
            &format!(":{KEY}"),
            &format!("a b:{KEY}"),
            &long,
            "k:MDEyMzQ1Njc4OTAxMjM0NQ==",
            "k:hunter2secret!",
            &format!("k:{KEY},"),
            &format!("k:{KEY},k:{KEY}"),
            &many,
        ] {
            let error = text.parse::<CodecKeys>().unwrap_err();
            assert!(
                error.message().contains("codec_keys")
                    && !error.message().contains("MDEy")
                    && !error.message().contains("hunter2"),
                "{error}"
            );
        }
    }
}
