//! The data that a member registers.

use std::sync::atomic::Ordering;

use super::profile::Registered;
use super::shared::Shared;
use crate::config::options::{Options, Recording, Requeue};
use crate::model::message::Role;
use crate::store::codec::msgpack::{packed_strings, write_array, write_signed, write_string};

/// The fields of a member in the registry, as a msgpack array of names and values.
pub(super) fn fields(shared: &Shared, role: Role, tasks: Option<Vec<u8>>, profile: &Registered) -> Vec<u8> {
    let options = &shared.options;
    let subscriptions: String = profile.subscriptions.iter().map(|to| to.letter()).collect();
    let requeue = match options.requeue {
        Requeue::Front => "front",
        Requeue::Back => "back",
    };
    let (pid, crashes) = (std::process::id().to_string(), options.max_crashes.to_string());
    let slots = match shared.slots.load(Ordering::Relaxed) {
        0 => String::new(),
        slots => slots.to_string(),
    };
    let host = host();
    let all = [
        ("role", role.name()),
        ("name", &options.name),
        ("group", &options.group),
        ("host", &host),
        ("pid", &pid),
        ("language", &options.language),
        ("version", crate::VERSION),
        ("slots", &slots),
        ("paused", if shared.paused.load(Ordering::Relaxed) { "1" } else { "0" }),
        ("max_crashes", &crashes),
        ("requeue", requeue),
        ("subscriptions", &subscriptions),
        ("data", &profile.data),
    ];
    let mut out = Vec::new();
    // `check` has already rejected options for which this is an error.
    let ranges = options.ranges(options.slots).unwrap_or_default();
    let more = usize::from(tasks.is_some()) + 2 * usize::from(!ranges.is_empty());
    write_array(&mut out, 2 * (all.len() + more));
    for (name, value) in all {
        write_string(&mut out, name.as_bytes());
        write_string(&mut out, value.as_bytes());
    }
    if let Some(tasks) = tasks {
        write_string(&mut out, b"tasks");
        write_string(&mut out, &tasks);
    }
    if !ranges.is_empty() {
        let mut packed = Vec::new();
        write_array(&mut packed, ranges.len());
        ranges.iter().for_each(|(from, _)| write_signed(&mut packed, *from));
        write_string(&mut out, b"ranges");
        write_string(&mut out, &packed);
        write_string(&mut out, b"least_slots");
        write_string(&mut out, options.guaranteed_slots().to_string().as_bytes());
    }
    out
}

/// The tasks that a worker accepts, packed; `None` if it accepts only jobs without one.
pub(crate) fn packed_tasks(tasks: &[String]) -> Option<Vec<u8>> {
    let mut tasks = tasks.to_vec();
    tasks.sort();
    tasks.dedup();
    (!tasks.iter().all(String::is_empty)).then(|| packed_strings(&tasks))
}

/// The settings of a member for the whole cluster, as a msgpack array of names and values.
pub(super) fn settings(options: &Options) -> Vec<u8> {
    let max = options.failed_max.map(|max| ("failed_max", max.to_string()));
    let bytes = options.failed_max_bytes.map(|bytes| ("failed_max_bytes", bytes.to_string()));
    let ttl = options.failed_ttl.map(|ttl| ("failed_ttl", ttl.as_millis().to_string()));
    let completed = [
        options.completed_max.map(|max| ("completed_max", max.to_string())),
        options.completed_max_bytes.map(|bytes| ("completed_max_bytes", bytes.to_string())),
        options.completed_ttl.map(|ttl| ("completed_ttl", ttl.as_millis().to_string())),
    ];
    let recording = options.events.map(|events| {
        let value = match events {
            Recording::Follow => "follow",
            Recording::Always => "always",
        };
        ("recording", value.to_owned())
    });
    let events = options.events_max.map(|max| ("events_max", max.to_string()));
    let all: Vec<_> =
        max.into_iter().chain(bytes).chain(ttl).chain(completed.into_iter().flatten()).chain(events).chain(recording).collect();
    let mut out = Vec::new();
    write_array(&mut out, 2 * all.len());
    for (name, value) in all {
        write_string(&mut out, name.as_bytes());
        write_string(&mut out, value.as_bytes());
    }
    out
}

/// The name of this machine in the registry.
pub(crate) fn host() -> String {
    hostname::get().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
