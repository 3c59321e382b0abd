//! The pauses between the attempts of a job.

use std::time::Duration;

use crate::error::{Result, invalid};
use crate::value::{YEAR, within};

/// The pause before a failed job runs again.
///
/// ```
/// use std::time::Duration;
///
/// use libswarm_common::backoff::{Backoff, Growth};
///
/// let backoff = Backoff { growth: Growth::Exponential, delay: Duration::from_secs(2), jitter: 0.2, ..Backoff::default() };
/// assert_eq!(backoff.max, Duration::from_secs(3600));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// How the pause grows with each attempt.
    pub growth: Growth,
    /// The first pause; default 1 s.
    pub delay: Duration,
    /// The longest pause; default 1 hour.
    pub max: Duration,
    /// The share of each pause that is random, 0 to 1; default none. With 0.2, a pause is 80 to 100 % of its length.
    pub jitter: f64,
}

/// How pauses between attempts grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum Growth {
    /// Every pause is as long as the first.
    #[default]
    Fixed,
    /// Every pause is twice as long as the one before.
    Exponential,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { growth: Growth::Fixed, delay: Duration::from_secs(1), max: Duration::from_secs(3600), jitter: 0.0 }
    }
}

impl Backoff {
    /// The pause after `failed` failed attempts, 1 or more.
    pub fn pause(&self, failed: u32) -> Duration {
        let factor = match self.growth {
            Growth::Fixed => 1.0,
            Growth::Exponential => 2f64.powi(failed.saturating_sub(1).min(1000) as i32),
        };
        let full = (self.delay.min(YEAR).as_secs_f64() * factor).min(self.max.min(YEAR).as_secs_f64());
        // The fields may come from an altered record and have any value. NaN counts as 0.
        let jitter = if self.jitter > 0.0 { self.jitter.min(1.0) } else { 0.0 };
        Duration::try_from_secs_f64(full * (1.0 - jitter * rand::random::<f64>())).unwrap_or(self.max.min(YEAR))
    }

    /// Checks the bounds. `names` are the option names of the delay, the maximum and the jitter, in the form that `Language::option` accepts.
    pub fn check(&self, names: [&str; 3]) -> Result<()> {
        within(names[0], self.delay, Duration::ZERO, YEAR)?;
        within(names[1], self.max, Duration::ZERO, YEAR)?;
        if !(0.0..=1.0).contains(&self.jitter) {
            return Err(invalid(format!(
                "{} is {}, it must be a number from 0 to 1",
                crate::language::option(names[2]),
                self.jitter
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_within_its_bounds_whatever_the_fields_are() {
        let durations = [Duration::ZERO, Duration::from_nanos(1), Duration::from_secs(1), YEAR, Duration::MAX];
        let jitters = [0.0, 0.5, 1.0, 1.001, -1.0, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        for growth in [Growth::Fixed, Growth::Exponential] {
            for delay in durations {
                for max in durations {
                    for jitter in jitters {
                        for failed in [0, 1, 2, 70, u32::MAX] {
                            assert!(Backoff { growth, delay, max, jitter }.pause(failed) <= max.min(YEAR));
                        }
                    }
                }
            }
        }
    }
}
