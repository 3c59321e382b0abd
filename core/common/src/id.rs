//! Ids and names: the rules for them, and fresh ids.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::error::{Error, ErrorKind, Result, invalid};

/// Longest job id, cluster name or member name, in bytes.
pub const MAX_NAME: usize = 256;

/// Checks a job id or a name: 1 to 256 bytes, no control characters.
pub fn check_name(what: &str, name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(invalid(format!("the {what} is empty")));
    }
    if name.len() > MAX_NAME {
        return Err(Error::new(ErrorKind::TooLarge, format!("the {what} has {} bytes, the limit is {MAX_NAME}", name.len())));
    }
    // Ids of most jobs are ASCII, whose bytes need not be decoded.
    let control =
        if name.is_ascii() { name.bytes().any(|byte| byte.is_ascii_control()) } else { name.chars().any(char::is_control) };
    if control {
        return Err(invalid(format!("the {what} has a control character")));
    }
    Ok(())
}

/// A fresh id: 20 lower-case hexadecimal characters, 80 random bits.
pub fn random_id() -> String {
    Ids::new().next()
}

/// A source of fresh ids.
pub fn random_ids() -> Ids {
    Ids::new()
}

/// Many fresh ids with one call to the system. Each object has its own source; a source per process would repeat its ids in a forked child.
pub struct Ids(SmallRng);

impl Ids {
    /// A source seeded by the system.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Ids(SmallRng::from_os_rng())
    }

    /// The same ids for the same seed, for tests.
    pub fn seeded(seed: u64) -> Self {
        Ids(SmallRng::seed_from_u64(seed))
    }

    /// The next id, as [`random_id`] makes it.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> String {
        let mut bytes = [0u8; 10];
        self.0.fill(&mut bytes);
        let mut id = String::with_capacity(20);
        for nibble in bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
            id.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_20_hex_characters_and_differ() {
        let (a, b) = (random_id(), random_id());
        assert!(a.len() == 20 && a.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)), "{a}");
        assert_ne!(a, b);
    }
}
