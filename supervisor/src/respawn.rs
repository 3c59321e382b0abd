//! When a process that failed is restarted.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::options::SupervisorOptions;

/// The failures of the processes of one id.
#[derive(Default)]
pub(super) struct Failures {
    /// Consecutive failures since the last healthy process.
    in_a_row: u32,
    /// The times of the respawns within the window, at most `max_respawns`.
    respawns: VecDeque<Instant>,
}

impl Failures {
    /// The pause before the next start, after a process that was ready for `ready_for`; `None` if it failed too often.
    pub(super) fn add(&mut self, options: &SupervisorOptions, ready_for: Option<Duration>, now: Instant) -> Option<Duration> {
        if ready_for.is_some_and(|ready_for| ready_for >= options.healthy) {
            self.in_a_row = 0;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        while self.respawns.front().is_some_and(|at| now.duration_since(*at) >= options.respawn_window) {
            self.respawns.pop_front();
        }
        if options.max_respawns > 0 && self.respawns.len() >= options.max_respawns as usize {
            return None;
        }
        Some(options.backoff.pause(self.in_a_row))
    }

    pub(super) fn respawned(&mut self, options: &SupervisorOptions, now: Instant) {
        if options.max_respawns > 0 {
            self.respawns.push_back(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_start_anew_after_health_and_end_in_giving_up() {
        let mut options = SupervisorOptions { max_respawns: 8, ..SupervisorOptions::default() };
        options.backoff.jitter = 0.0;
        let mut failures = Failures::default();
        let mut now = Instant::now();
        let mut pauses = Vec::new();
        while let Some(pause) = failures.add(&options, None, now) {
            now += pause;
            failures.respawned(&options, now);
            pauses.push(pause.as_millis());
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 12_800]);
        now += options.respawn_window;
        assert_eq!(failures.add(&options, Some(Duration::from_secs(59)), now), Some(Duration::from_secs(30)));
        assert_eq!(failures.add(&options, Some(Duration::from_secs(60)), now), Some(Duration::from_millis(100)));
    }
}
