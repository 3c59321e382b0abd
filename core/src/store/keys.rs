//! The names of all keys. docs/reference/protocol.md describes each; a test compares the two.

/// Last parts of the keys that every script gets as KEYS, in this order. `lua/lib/keys.lua` names them.
pub(crate) const FIXED: [&str; 12] =
    ["meta", "jobs", "owner", "ready:0", "tombstones", "load", "due", "members", "failed", "failed_at", "results", "waiters"];

/// Last parts of keys that only some clusters have. `lua/lib/rare_keys.lua` builds them.
#[cfg(test)]
pub(crate) const RARE: [&str; 42] = [
    "delayed",
    "blocked",
    "resources",
    "stopping",
    "unique",
    "progress",
    "tasks",
    "queues",
    "listeners",
    "watchers",
    "unreported",
    "index",
    "paused",
    "damaged",
    "stray",
    "unread",
    "broadcasts",
    "schedules",
    "schedule_jobs",
    "schedule_ids",
    "schedule_times",
    "waits",
    "uses",
    "outputs",
    "settling",
    "failed_nodes",
    "flows",
    "stages",
    "flow_answers",
    "orders",
    "events",
    "completed",
    "completed_at",
    "completed_until",
    "logs",
    "limits",
    "limit_times",
    "limit_turns",
    "stopping_limits",
    "group_waiting",
    "metrics",
    "metric_minutes",
];

/// First parts of the keys of one resource, task, priority, unique key, limit, node or flow, whose name follows.
#[cfg(test)]
pub(crate) const NAMED: [&str; 18] = [
    "ready",
    "queues",
    "load",
    "blocked",
    "unique",
    "listeners",
    "inputs",
    "after",
    "flow",
    "flow_edges",
    "stage",
    "limited",
    "limit_users",
    "log",
    "turns",
    "group",
    "weights",
    "metrics",
];

/// First parts of the keys of one member; the incarnation follows. Scripts build them with `keys.of`.
#[cfg(test)]
pub(crate) const OF_MEMBER: [&str; 5] = ["member", "active", "inbox", "ephemeral", "assigned"];

/// All fixed keys of a cluster, one hash slot.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: String,
    fixed: Vec<String>,
}

impl Keys {
    pub(crate) fn new(prefix: &str) -> Self {
        Keys { prefix: prefix.to_owned(), fixed: FIXED.iter().map(|part| format!("{{{prefix}}}:{part}")).collect() }
    }

    pub(crate) fn fixed(&self) -> &[String] {
        &self.fixed
    }

    pub(crate) fn due(&self) -> &str {
        &self.fixed[6]
    }

    pub(crate) fn inbox(&self, incarnation: &str) -> String {
        format!("{{{}}}:inbox:{incarnation}", self.prefix)
    }

    pub(crate) fn events(&self) -> String {
        format!("{{{}}}:events", self.prefix)
    }

    /// The hash slot of the cluster (CRC16 of the prefix, as the hash tag, modulo 16384).
    pub(crate) fn slot(&self) -> u16 {
        crc16::State::<crc16::XMODEM>::calculate(self.prefix.as_bytes()) % 16384
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_one_slot_and_spelled_as_documented() {
        assert_eq!(Keys::new("mail").fixed()[0], "{mail}:meta");
        assert_eq!(Keys::new("mail").due(), "{mail}:due");
        assert_eq!(Keys::new("mail").inbox("f00"), "{mail}:inbox:f00");
        // CLUSTER KEYSLOT foo and 123456789, from the Redis Cluster specification.
        assert_eq!((Keys::new("foo").slot(), Keys::new("123456789").slot()), (12182, 12739));
        let page = include_str!("../../../docs/reference/protocol.md");
        for part in FIXED {
            assert!(page.contains(&format!("`{part}`")), "docs/reference/protocol.md lacks `{part}`");
        }
        for part in RARE {
            assert!(page.contains(&format!("`{part}`")), "docs/reference/protocol.md lacks `{part}`");
        }
        for part in NAMED {
            assert!(page.contains(&format!("`{part}:<")), "docs/reference/protocol.md lacks `{part}:<…>`");
        }
        for part in OF_MEMBER {
            assert!(page.contains(&format!("`{part}:<inc>`")), "docs/reference/protocol.md lacks `{part}:<inc>`");
        }
    }
}
