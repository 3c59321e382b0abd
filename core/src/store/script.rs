//! The Lua scripts, joined with their shared parts at compile time.

use sha1_smol::Sha1;

/// One transition. Called by its digest; sent whole when the server does not know it.
pub(crate) struct Script {
    pub(crate) name: &'static str,
    pub(crate) source: String,
    pub(crate) digest: String,
}

/// Every script, as one server version takes them.
pub(crate) struct Scripts {
    pub(crate) add: Script,
    pub(crate) join: Script,
    pub(crate) sync: Script,
    pub(crate) leave: Script,
    pub(crate) delete: Script,
    pub(crate) awaiting: Script,
    pub(crate) stats: Script,
    pub(crate) obliterate: Script,
    pub(crate) inspect: Script,
    pub(crate) pause: Script,
    pub(crate) failed: Script,
    pub(crate) rebalance: Script,
    pub(crate) choose: Script,
    pub(crate) send: Script,
    pub(crate) listen: Script,
}

const BASE: &str = include_str!("scripts/shared/base.lua");
const PLACE: &str = include_str!("scripts/shared/place.lua");
const FINISH: &str = include_str!("scripts/shared/finish.lua");
/// One function, so that a script for plain jobs makes one closure and not forty.
const EXTRAS: &str = concat!(
    include_str!("scripts/shared/extras.lua"),
    include_str!("scripts/shared/queues.lua"),
    include_str!("scripts/shared/choice.lua"),
    include_str!("scripts/shared/members.lua"),
    include_str!("scripts/shared/ends.lua"),
    include_str!("scripts/shared/due.lua"),
    include_str!("scripts/shared/registry.lua"),
    include_str!("scripts/shared/sweep.lua"),
    "  return X\nend\n"
);
const GUARD: &str = include_str!("scripts/shared/guard.lua");
const TICK: &str = include_str!("scripts/shared/tick.lua");

/// Whether a script may run when `maxmemory` is reached.
#[derive(Clone, Copy, PartialEq)]
enum WhenFull {
    /// It frees or keeps state: it must run.
    Run,
    /// It adds state: refused before it changes anything.
    Refuse,
}

impl Scripts {
    /// `batch` of a script: the prefix under which `shared/base.lua` keeps the number of a member's last batch.
    ///
    /// `flags`: the server knows script flags (Redis 7). Without, a write that frees comes first, after which the older
    /// servers let a script go on.
    pub(crate) fn new(flags: bool) -> Self {
        Self::altered(flags, |source| source)
    }

    /// The same, with each source as `alter` makes it.
    pub(crate) fn altered(flags: bool, alter: fn(String) -> String) -> Self {
        let script = |name, full: WhenFull, batch: &str, parts: &[&str]| {
            let head = match (full, flags) {
                (WhenFull::Run, true) => "#!lua flags=allow-oom\n",
                (WhenFull::Refuse, true) => "#!lua\n",
                (WhenFull::Run, false) => "redis.call('ZREM', KEYS[7], '')\n",
                (WhenFull::Refuse, false) => "",
            };
            let source = alter(format!(
                "{head}local NAME, BATCH = '{name}', '{batch}'\nlocal changes, in_hand, answered, mend_types, look_everywhere = {{}}, {{}}\n\
                 local function main()\n{}\nend\n{GUARD}",
                parts.concat()
            ));
            let digest = Sha1::from(&source).digest().to_string();
            Script { name, source, digest }
        };
        use WhenFull::{Refuse, Run};
        let member = |name, batch, body| script(name, Run, batch, &[BASE, PLACE, FINISH, EXTRAS, TICK, body]);
        let jobs = |name, body| script(name, Run, "", &[BASE, PLACE, FINISH, EXTRAS, body]);
        Scripts {
            add: script("add", Refuse, "add:", &[BASE, PLACE, FINISH, EXTRAS, include_str!("scripts/add.lua")]),
            join: member("join", "", include_str!("scripts/join.lua")),
            sync: member("sync", "sync:", include_str!("scripts/sync.lua")),
            leave: member("leave", "", include_str!("scripts/leave.lua")),
            delete: jobs("delete", include_str!("scripts/delete.lua")),
            awaiting: script("await", Run, "", &[BASE, include_str!("scripts/await.lua")]),
            stats: jobs("stats", include_str!("scripts/stats.lua")),
            obliterate: jobs("obliterate", include_str!("scripts/obliterate.lua")),
            inspect: jobs("inspect", include_str!("scripts/inspect.lua")),
            pause: jobs("pause", include_str!("scripts/pause.lua")),
            failed: jobs("failed", include_str!("scripts/failed.lua")),
            rebalance: jobs("rebalance", include_str!("scripts/rebalance.lua")),
            choose: jobs("choose", include_str!("scripts/choose.lua")),
            send: script("send", Refuse, "send:", &[BASE, PLACE, FINISH, EXTRAS, include_str!("scripts/send.lua")]),
            listen: jobs("listen", include_str!("scripts/listen.lua")),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_part_takes_the_name_of_another_parts_function() {
        let mut names: Vec<&str> = super::EXTRAS.split("function X.").skip(1).filter_map(|rest| rest.split('(').next()).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all, "one of {names:?} is there twice, and the later one would count everywhere");
    }

    #[test]
    fn every_command_of_the_scripts_is_among_the_documented_permissions() {
        const OPTIONS: [&str; 15] = [
            "BYSCORE",
            "CH",
            "COUNT",
            "DATEPCS",
            "GT",
            "LIMIT",
            "LT",
            "MAXLEN",
            "MINID",
            "NX",
            "RANK",
            "REV",
            "WITHSCORES",
            "XX",
            "OOM",
        ];
        let page = include_str!("../../../docs/guides/operations.md");
        let all = super::Scripts::new(true);
        let sources =
            [&all.add, &all.join, &all.sync, &all.leave, &all.delete, &all.awaiting, &all.stats, &all.obliterate].into_iter();
        let more = [&all.inspect, &all.pause, &all.failed, &all.rebalance, &all.choose, &all.send, &all.listen];
        for script in sources.chain(more) {
            // What is quoted and in capitals is a command, or an option of one.
            let code: String = script.source.lines().filter_map(|line| line.split("--").next()).collect();
            for word in code.split('\'').skip(1).step_by(2) {
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
