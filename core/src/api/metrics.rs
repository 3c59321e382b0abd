//! Metrics: as text for Prometheus, and as rows for dashboards.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::master::Master;
use crate::model::health::Stats;
use crate::model::info::MemberInfo;
use crate::model::metrics::{BUCKETS, Histogram, MetricsRow, Resolution};
use crate::store::codec::metrics::ByTask;
use libswarm_common::error::{Result, invalid};

/// The end of the year 9999 in ms since 1970.
#[cfg(feature = "bindings")]
const LATEST: u64 = 253_402_300_799_000;
/// Slots of one call.
const PAGE: u64 = 240;

impl Master {
    /// Returns the metrics of the cluster in the text format of Prometheus: see `docs/guides/metrics.md` for the names, labels and units. Counters are
    /// exact, and continue through restarts of members and of Redis.
    pub async fn metrics(&self) -> Result<String> {
        let store = self.front.shared.open_store()?;
        let stats = store.stats().await?;
        let members = self.members().await?;
        let slots = store.metric_slots(&["total".to_owned()]).await?;
        let oldest = store.oldest().await?;
        let (memory, commands) = (store.server_info("memory").await?, store.server_info("commandstats").await?);
        let mut tasks = ByTask::new();
        for counts in slots.slots.into_iter().chain(slots.minutes.into_iter().map(|(_, counts)| counts)) {
            merge(&mut tasks, counts);
        }
        let mut text = Text::default();
        text.jobs(&stats);
        text.tasks(&tasks);
        text.oldest(&oldest);
        text.members(&members);
        text.server(memory.as_deref().unwrap_or(""), commands.as_deref().unwrap_or(""));
        Ok(text.0)
    }

    /// Returns how long the job that is first in its queue has waited, by task, of tasks with waiting jobs: from when it was added, or from its start if
    /// that is later. Reads the first 200 queues.
    pub async fn oldest_waiting(&self) -> Result<BTreeMap<String, Duration>> {
        let ages = self.front.shared.open_store()?.oldest().await?;
        Ok(ages.into_iter().map(|(task, ms)| (task, Duration::from_millis(ms))).collect())
    }

    /// Returns the counts of each task in the minutes or hours from that of `start` until before `end`, on Redis' clock, in the order of time: of one task, or of
    /// all. A slot without ends has no row. The last 24 hours are kept by minutes, the last 30 days by hours.
    pub async fn metrics_history(
        &self,
        resolution: Resolution,
        start: SystemTime,
        end: SystemTime,
        task: Option<&str>,
    ) -> Result<Vec<MetricsRow>> {
        if start > end {
            return Err(invalid("start is later than end: give the earlier time as start"));
        }
        let length = resolution.minutes();
        let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let slot_ms = length * 60_000;
        let store = self.front.shared.open_store()?;
        let now = store.metric_slots(&["total".to_owned()]).await?.now / slot_ms;
        let first = (since(start) / slot_ms).max(now.saturating_sub(resolution.kept()));
        let behind = since(end).div_ceil(slot_ms).min(now + 2);
        let letter = if resolution == Resolution::Minute { 'm' } else { 'h' };
        let mut rows = Vec::new();
        let mut page = first;
        while page < behind {
            let until = behind.min(page + PAGE);
            let fields: Vec<String> = (page..until).map(|slot| format!("{letter}{slot}")).collect();
            let found = store.metric_slots(&fields).await?;
            let mut slots: BTreeMap<u64, ByTask> = (page..until).zip(found.slots).collect();
            for (minute, counts) in found.minutes {
                if let Some(slot) = slots.get_mut(&(minute / length)) {
                    merge(slot, counts);
                }
            }
            for (slot, counts) in slots {
                let start = UNIX_EPOCH + Duration::from_millis(slot * slot_ms);
                let wanted = counts.into_iter().filter(|(name, _)| task.is_none_or(|task| task == name));
                rows.extend(wanted.map(|(task, counts)| MetricsRow { start, task, counts }));
            }
            page = until;
        }
        Ok(rows)
    }

    /// As [`Master::metrics_history`], with the name of the resolution and times in ms since 1970; without a time all that is kept.
    #[cfg(feature = "bindings")]
    pub async fn metrics_history_of(
        &self,
        resolution: &str,
        start: Option<u64>,
        end: Option<u64>,
        task: Option<&str>,
    ) -> Result<Vec<MetricsRow>> {
        let resolution = Resolution::from_name(resolution)?;
        let time = |ms: u64| UNIX_EPOCH + Duration::from_millis(ms.min(LATEST));
        self.metrics_history(resolution, time(start.unwrap_or(0)), time(end.unwrap_or(LATEST)), task).await
    }
}

fn merge(all: &mut ByTask, more: ByTask) {
    for (task, counts) in more {
        all.entry(task).or_default().add(&counts);
    }
}

/// The text format of Prometheus, version 0.0.4.
#[derive(Default)]
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"");
            let _ = write!(self.0, "{}{label}=\"{text}\"", if at == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn jobs(&mut self, stats: &Stats) {
        self.head("swarm_jobs", "gauge", "Jobs by state.");
        for (state, count) in [
            ("waiting", stats.waiting),
            ("active", stats.active),
            ("deleting", stats.deleting),
            ("delayed", stats.delayed),
            ("blocked", stats.blocked),
            ("failed", stats.failed),
            ("completed", stats.kept),
        ] {
            self.sample("swarm_jobs", &[("state", state)], count);
        }
    }

    fn tasks(&mut self, tasks: &ByTask) {
        self.head("swarm_jobs_total", "counter", "Ends of jobs and of attempts by outcome.");
        for (task, counts) in tasks {
            for (outcome, count) in counts.outcomes() {
                self.sample("swarm_jobs_total", &[("task", task), ("outcome", outcome)], count);
            }
        }
        self.head("swarm_job_wait_seconds", "histogram", "How long jobs waited before their first attempt.");
        for (task, counts) in tasks {
            self.histogram("swarm_job_wait_seconds", task, &counts.wait);
        }
        self.head("swarm_job_run_seconds", "histogram", "How long handlers ran, each attempt by itself.");
        for (task, counts) in tasks {
            self.histogram("swarm_job_run_seconds", task, &counts.run);
        }
    }

    fn histogram(&mut self, name: &str, task: &str, histogram: &Histogram) {
        let bucket_name = format!("{name}_bucket");
        let mut below = 0;
        for bucket in 0..BUCKETS {
            below += histogram.buckets[bucket];
            let bound = Histogram::bound(bucket).map_or_else(|| "+Inf".to_owned(), |bound| bound.as_secs_f64().to_string());
            self.sample(&bucket_name, &[("task", task), ("le", &bound)], below);
        }
        self.sample(&format!("{name}_sum"), &[("task", task)], histogram.sum().as_secs_f64());
        self.sample(&format!("{name}_count"), &[("task", task)], below);
    }

    fn oldest(&mut self, oldest: &BTreeMap<String, u64>) {
        let help = "How long the job at the head of a queue of the task has waited: the longest of its queues.";
        self.head("swarm_oldest_waiting_seconds", "gauge", help);
        for (task, ms) in oldest {
            self.sample("swarm_oldest_waiting_seconds", &[("task", task)], *ms as f64 / 1000.0);
        }
    }

    fn members(&mut self, members: &[MemberInfo]) {
        self.head("swarm_members", "gauge", "Live members by role.");
        let mut roles = BTreeMap::from([("master", 0), ("worker", 0)]);
        members.iter().for_each(|member| *roles.entry(member.role.name()).or_insert(0) += 1);
        for (role, count) in roles {
            self.sample("swarm_members", &[("role", role)], count);
        }
        let (mut busy, mut free, mut paused) = (0, 0, 0);
        for member in members {
            busy += member.active;
            let rest = member.slots.map_or(0, u64::from).saturating_sub(member.active);
            *if member.paused { &mut paused } else { &mut free } += rest;
        }
        self.head("swarm_slots", "gauge", "Slots of workers: with an active job, free, and free on paused workers.");
        for (state, count) in [("busy", busy), ("free", free), ("paused", paused)] {
            self.sample("swarm_slots", &[("state", state)], count);
        }
    }

    /// From the sections of INFO; what is missing there is left out.
    fn server(&mut self, memory: &str, commands: &str) {
        if let Some(bytes) = memory.lines().find_map(|line| line.strip_prefix("used_memory:")?.trim().parse::<u64>().ok()) {
            self.head("swarm_redis_memory_bytes", "gauge", "Memory that Redis uses, for all that it keeps.");
            self.sample("swarm_redis_memory_bytes", &[], bytes);
        }
        let (mut calls, mut micros) = (0, 0);
        for line in commands.lines() {
            let Some((name, figures)) = line.strip_prefix("cmdstat_").and_then(|line| line.split_once(':')) else { continue };
            if !matches!(name, "eval" | "evalsha" | "eval_ro" | "evalsha_ro" | "fcall" | "fcall_ro") {
                continue;
            }
            let figure = |wanted: &str| {
                let mut figures = figures.split(',').filter_map(|figure| figure.split_once('='));
                figures.find(|(name, _)| *name == wanted).and_then(|(_, value)| value.trim().parse::<u64>().ok()).unwrap_or(0)
            };
            calls += figure("calls");
            micros += figure("usec");
        }
        if calls > 0 {
            self.head("swarm_script_seconds", "summary", "Time and calls of scripts since Redis started, of all its clients.");
            self.sample("swarm_script_seconds_sum", &[], Duration::from_micros(micros).as_secs_f64());
            self.sample("swarm_script_seconds_count", &[], calls);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn labels_are_escaped_and_missing_figures_are_left_out() {
        let mut text = Text::default();
        text.sample("a", &[("task", "q\"\\\n")], 1);
        text.server("", "");
        assert_eq!(text.0, "a{task=\"q\\\"\\\\\\n\"} 1\n");
        let mut text = Text::default();
        text.server(
            "# Memory\r\nused_memory:77\r\n",
            "cmdstat_evalsha:calls=2,usec=1500000,usec_per_call=1\r\ncmdstat_get:calls=9,usec=9\r\n",
        );
        assert!(text.0.contains("\nswarm_redis_memory_bytes 77\n"));
        assert!(text.0.contains("\nswarm_script_seconds_sum 1.5\nswarm_script_seconds_count 2\n"));
    }
}
