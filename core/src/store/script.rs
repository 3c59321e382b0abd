//! The Lua scripts, and under which conditions each may run.

use std::sync::{LazyLock, OnceLock};

use sha1_smol::Sha1;

use crate::config::options::Options;

pub(crate) static WITH_FLAGS: LazyLock<Scripts> = LazyLock::new(|| Scripts::new(true));
pub(crate) static WITHOUT_FLAGS: LazyLock<Scripts> = LazyLock::new(|| Scripts::new(false));

/// Those of clusters for tests.
static TESTING: LazyLock<[Scripts; 2]> = LazyLock::new(|| [false, true].map(Scripts::testing));

/// The scripts for a server of which it is known whether it supports flags, and for a cluster.
pub(super) fn of(flags: bool, options: &Options) -> &'static Scripts {
    match (options.is_for_tests(), flags) {
        (true, flags) => &TESTING[usize::from(flags)],
        (false, true) => &WITH_FLAGS,
        (false, false) => &WITHOUT_FLAGS,
    }
}

/// Creates global values on the caller's thread: a child that is forked while another thread creates one would wait for it forever.
pub(crate) fn prepare() {
    LazyLock::force(&WITH_FLAGS);
    LazyLock::force(&WITHOUT_FLAGS);
    LazyLock::force(&TESTING);
}

/// One transition. Called by its digest; the source is sent if the server does not have it.
pub(crate) struct Script {
    pub(crate) name: &'static str,
    /// Made at the first call: most programs use few of the scripts.
    made: OnceLock<Made>,
    make: Box<dyn Fn() -> Made + Send + Sync>,
}

struct Made {
    source: String,
    digest: String,
}

impl Script {
    pub(crate) fn source(&self) -> &str {
        &self.made().source
    }

    /// The digest of the source, by which the server knows it.
    pub(crate) fn digest(&self) -> &str {
        &self.made().digest
    }

    /// Made outside the lock: a child that is forked while another thread makes it would wait for it forever.
    fn made(&self) -> &Made {
        self.made.get().unwrap_or_else(|| {
            let made = (self.make)();
            self.made.get_or_init(|| made)
        })
    }
}

/// The effect of a script on the memory of the server.
#[derive(Clone, Copy, PartialEq)]
enum Effect {
    /// Changes nothing: runs even when `maxmemory` is reached, and on a server that cannot write.
    Reads,
    /// Frees or keeps state: runs even when `maxmemory` is reached.
    Frees,
    /// Adds state: refused when `maxmemory` is reached, before it changes anything.
    Adds,
}

macro_rules! scripts {
    ($($(#[$meta:meta])* $field:ident: $name:literal, $effect:ident, $batch:literal;)*) => {
        /// All scripts, adapted to the version of the server.
        pub(crate) struct Scripts {
            $($(#[$meta])* pub(crate) $field: Script,)*
        }

        impl Scripts {
            /// `flags`: the server supports script flags (Redis 7). For older servers, the script starts with a write that frees memory, after
            /// which they let it continue.
            pub(crate) fn new(flags: bool) -> Self {
                Self::altered(flags, |source| source)
            }

            /// For clusters for tests.
            pub(crate) fn testing(flags: bool) -> Self {
                Self::altered(flags, with_testing_time)
            }

            /// As `new`, but applies `alter` to each source.
            pub(crate) fn altered(flags: bool, alter: fn(String) -> String) -> Self {
                Scripts {
                    $($field: Script::new(
                        $name,
                        include_str!(concat!(env!("OUT_DIR"), "/", $name, ".lua")),
                        Effect::$effect,
                        $batch,
                        flags,
                        alter,
                    ),)*
                }
            }

            #[cfg(test)]
            pub(crate) fn all(&self) -> Vec<&Script> {
                vec![$(&self.$field),*]
            }
        }
    };
}

// The last column is the prefix under which `meta` keeps the last batch of a member: see lib/meta.lua.
scripts! {
    add: "add", Adds, "add:";
    join: "join", Frees, "";
    sync: "sync", Frees, "sync:";
    leave: "leave", Frees, "";
    delete: "delete", Frees, "";
    awaiting: "await", Frees, "";
    stats: "stats", Reads, "";
    obliterate: "obliterate", Frees, "";
    inspect: "inspect", Reads, "";
    pause: "pause", Frees, "";
    order: "order", Frees, "";
    failed: "failed", Frees, "";
    rebalance: "rebalance", Frees, "";
    choose: "choose", Frees, "";
    send: "send", Adds, "send:";
    listen: "listen", Frees, "";
    repair: "repair", Frees, "";
    schedule: "schedule", Adds, "";
    limit: "limit", Adds, "";
    flow: "flow", Adds, "";
    follow: "follow", Frees, "";
    metrics: "metrics", Reads, "";
    #[cfg_attr(not(any(test, feature = "testing")), expect(dead_code))]
    testing: "testing", Frees, "";
}

/// The call by which scripts read the server's clock, and the start of a script without its first line.
const TIME: [&str; 2] = ["redis.call('TIME')", "call('TIME')"];
const START: &str = "local COMMAND = ";
/// The same with an offset, which `lua/commands/testing.lua` sets.
const TESTING_TIME: &str = "local function testing_time()
local time, offset = redis.call('TIME'), redis.call('HGET', KEYS[1], 'testing_offset')
local micros = time[1] * 1000000 + time[2] + (tonumber(offset or '') or 0) * 1000
return { math.floor(micros / 1000000), micros % 1000000 }
end
";

/// A script of a cluster for tests: its clock can be moved.
fn with_testing_time(source: String) -> String {
    let source = TIME.iter().fold(source, |source, time| source.replace(time, "testing_time()"));
    source.replacen(START, &format!("{TESTING_TIME}{START}"), 1)
}

impl Script {
    fn new(
        name: &'static str,
        body: &'static str,
        effect: Effect,
        batch: &'static str,
        flags: bool,
        alter: fn(String) -> String,
    ) -> Script {
        let make = move || {
            let head = head(effect, flags);
            let read_only = effect == Effect::Reads;
            let constants = format!("local COMMAND = '{name}'\nlocal BATCH = '{batch}'\nlocal READ_ONLY = {read_only}\n");
            let source = alter(format!("{head}{constants}{body}"));
            let digest = Sha1::from(&source).digest().to_string();
            Made { source, digest }
        };
        Script { name, made: OnceLock::new(), make: Box::new(make) }
    }
}

/// The first line of a script.
fn head(effect: Effect, flags: bool) -> &'static str {
    match (effect, flags) {
        (Effect::Reads, true) => "#!lua flags=no-writes,allow-oom\n",
        (Effect::Frees, true) => "#!lua flags=allow-oom\n",
        (Effect::Adds, true) => "#!lua\n",
        (Effect::Frees, false) => "redis.call('ZREM', KEYS[7], '')\n",
        (Effect::Reads | Effect::Adds, false) => "",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_scripts_of_clusters_for_tests_have_a_clock_that_can_be_moved() {
        for (usual, testing) in super::Scripts::new(true).all().iter().zip(super::Scripts::testing(true).all()) {
            assert!(!usual.source().contains("testing_time"), "{}", usual.name);
            assert_eq!(testing.source().matches("'TIME'").count(), 1, "{}", usual.name);
            assert_eq!(
                testing.source().matches("testing_time()").count(),
                usual.source().matches("'TIME'").count() + 1,
                "{}",
                usual.name
            );
        }
    }

    #[test]
    fn every_command_of_the_scripts_is_among_the_documented_permissions() {
        const OPTIONS: [&str; 18] = [
            "BYSCORE",
            "CH",
            "COUNT",
            "DATEPCSHNWGK",
            "BYLEX",
            "GT",
            "LIMIT",
            "LT",
            "MAXLEN",
            "MINID",
            "NX",
            "RANK",
            "REV",
            "WITHSCORES",
            "WITHVALUES",
            "XX",
            "OOM",
            "ERR",
        ];
        let page = include_str!("../../../docs/guides/operations.md");
        for script in super::Scripts::new(true).all() {
            // What is quoted and in capitals is a command, or an option of one.
            for word in script.source().split('\'').skip(1).step_by(2) {
                if word.len() > 1 && word.chars().all(|letter| letter.is_ascii_uppercase()) && !OPTIONS.contains(&word) {
                    let permission = format!("+{}", word.to_ascii_lowercase());
                    assert!(
                        page.split_whitespace().any(|listed| listed == permission),
                        "docs/guides/operations.md lacks {permission}"
                    );
                }
            }
        }
    }
}
