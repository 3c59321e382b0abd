//! Supervisors of real processes: what they start again, stop, replace and leave behind, which is nothing.
#![cfg(unix)]
#![allow(missing_docs)]

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use libswarm_supervisor::{
    ErrorKind, ProcessExit, ProcessState, ProcessStream, Program, ReadyBy, Supervisor, SupervisorEvent, SupervisorOptions,
    supervised,
};
use tokio::runtime::Handle;

const SOON: Duration = Duration::from_secs(20);

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.unwrap_or_else(|_| panic!("{what}: not within 20 s"))
}

/// Waits for a state that nothing tells of.
async fn until(what: &str, mut reached: impl FnMut() -> bool) {
    soon(what, async {
        while !reached() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

fn quick() -> SupervisorOptions {
    let mut options = SupervisorOptions::default();
    for (name, value) in
        [("grace", "300"), ("backoff_delay", "10"), ("backoff_max", "40"), ("forward", "false"), ("lines", "true")]
    {
        options.set(name, value).unwrap();
    }
    options
}

fn start(options: SupervisorOptions) -> Supervisor {
    Supervisor::start(options, &Handle::current()).unwrap()
}

fn sh(script: &str) -> Program {
    Program::new("/bin/sh").args(["-c", script])
}

/// As a shell does it, which need not take descriptors above 9 after `>&`.
const SAY_READY: &str = "echo >/dev/fd/$SWARM_READY_FD";

fn saying(script: &str) -> Program {
    let mut program = sh(script);
    program.ready = ReadyBy::Explicit;
    program
}

/// The next event that `wanted` turns into a value.
async fn next<T>(supervisor: &Supervisor, what: &str, wanted: impl Fn(SupervisorEvent) -> Option<T>) -> T {
    soon(what, async {
        loop {
            let event = supervisor.next().await.unwrap_or_else(|| panic!("stopped before {what}"));
            if let Some(value) = wanted(event) {
                return value;
            }
        }
    })
    .await
}

async fn next_line(supervisor: &Supervisor) -> (ProcessStream, String) {
    next(supervisor, "a line", |event| match event {
        SupervisorEvent::Line { stream, line, .. } => Some((stream, String::from_utf8(line).unwrap())),
        _ => None,
    })
    .await
}

async fn next_exit(supervisor: &Supervisor) -> (Option<u32>, ProcessExit, Option<Duration>) {
    next(supervisor, "an exit", |event| match event {
        SupervisorEvent::Exited { pid, exit, respawn, .. } => Some((pid, exit, respawn)),
        _ => None,
    })
    .await
}

async fn next_ready(supervisor: &Supervisor) -> u32 {
    let ready = |event| if let SupervisorEvent::Ready { pid, .. } = event { Some(pid) } else { None };
    next(supervisor, "a ready process", ready).await
}

/// Ends it and returns what was reported until then.
async fn stopped(supervisor: &Supervisor) -> Vec<SupervisorEvent> {
    soon("the stop", supervisor.stop()).await.unwrap();
    let events = supervisor.take_events(usize::MAX);
    assert!(matches!(events.last(), Some(SupervisorEvent::Stopped)), "{events:?}");
    assert!(supervisor.next().await.is_none());
    assert!(supervisor.list().is_empty());
    events
}

fn signal(pid: u32, signal: i32) {
    // SAFETY: takes numbers only.
    assert_eq!(unsafe { libc::kill(pid as i32, signal) }, 0, "signal {signal} to {pid}");
}

/// Whether there is such a process, be it one that waits to be reaped.
fn exists(pid: u32) -> bool {
    // SAFETY: takes numbers only.
    unsafe { libc::kill(pid as i32, 0) == 0 }
}

/// Whether it runs. A zombie does not: whoever adopted it is slow.
fn runs(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return !Path::new("/proc/self").exists() && exists(pid);
    };
    !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with(['Z', 'X'])
}

/// A path for this test alone.
fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("processes-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    dir.join(name)
}

#[tokio::test]
async fn a_process_that_fails_is_respawned_with_growing_pauses_up_to_a_limit() {
    let mut options = quick();
    (options.max_respawns, options.backoff.jitter) = (4, 0.0);
    let supervisor = start(options);
    supervisor.spawn(sh("exit 7")).await.unwrap();
    let mut pauses = Vec::new();
    loop {
        let (pid, exit, respawn) = next_exit(&supervisor).await;
        assert_eq!(exit, ProcessExit::Code(7));
        assert!(!exists(pid.unwrap()), "reaped before it is reported");
        match respawn {
            Some(pause) => pauses.push(pause.as_millis()),
            None => break,
        }
    }
    assert_eq!(pauses, [10, 20, 40, 40]);
    next(&supervisor, "giving up", |event| matches!(event, SupervisorEvent::GaveUp { id: 1, .. }).then_some(())).await;
    let list = supervisor.list();
    assert_eq!((list.len(), list[0].pid, list[0].state, list[0].restarts), (1, None, ProcessState::GaveUp, 4));
    // A reload starts it again, and fails only if it is not ready: a process that is by its start has been for a moment.
    soon("a reload", supervisor.reload()).await.unwrap();
    soon("to give it up", supervisor.kill(1)).await.unwrap();
    assert_eq!(supervisor.kill(1).await.unwrap_err().kind(), ErrorKind::NotFound);
    stopped(&supervisor).await;
}

#[tokio::test]
async fn the_exit_status_decides_whether_a_process_is_respawned() {
    let supervisor = start(quick());
    let mut once = sh("exit 3");
    once.respawn = false;
    for (program, exit, respawned) in [
        (sh("exit 0"), ProcessExit::Code(0), false),
        (once, ProcessExit::Code(3), false),
        (sh("exit 200"), ProcessExit::Code(200), true),
        (sh("kill -KILL $$"), ProcessExit::Signal(9), true),
    ] {
        let id = supervisor.spawn(program).await.unwrap()[0];
        let (_, got, respawn) = next_exit(&supervisor).await;
        assert_eq!((&got, respawn.is_some()), (&exit, respawned));
        if respawned {
            soon("its end", supervisor.kill(id)).await.unwrap();
            while !supervisor.take_events(100).is_empty() {}
        } else {
            until("an empty list", || supervisor.list().is_empty()).await;
            assert_eq!(supervisor.kill(id).await.unwrap_err().kind(), ErrorKind::NotFound);
        }
    }
    stopped(&supervisor).await;
}

#[tokio::test]
async fn a_command_that_cannot_be_started_is_reported_and_tried_again() {
    let supervisor = start(quick());
    let mut program = Program::new("/nowhere/at-all");
    program.set("dir", "/").unwrap();
    supervisor.spawn(program).await.unwrap();
    for _ in 0..2 {
        let (pid, exit, respawn) = next_exit(&supervisor).await;
        assert!(pid.is_none() && respawn.is_some());
        assert!(matches!(&exit, ProcessExit::NotStarted(why) if why.contains("/nowhere/at-all in /")), "{exit}");
    }
    assert_eq!(soon("a reload", supervisor.reload()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    stopped(&supervisor).await;
}

#[tokio::test]
async fn bad_options_are_refused() {
    let refused = |name, value| {
        let mut options = quick();
        let error = options.set(name, value).and_then(|()| options.check()).expect_err(name);
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{name} {error}");
    };
    for (name, value) in [("grace", "3600001"), ("backoff_delay", "0"), ("backoff_max", "9"), ("backoff_jitter", "1.5")] {
        refused(name, value);
    }
    for (name, value) in [("max_respawns", "10001"), ("respawn_window", "0"), ("line_buffer", "1"), ("lines", "1"), ("x", "1")] {
        refused(name, value);
    }
    let supervisor = start(quick());
    for (name, value) in [("count", "0"), ("count", "1001"), ("ready_timeout", "0"), ("cpus", "1024"), ("cpus", "3-1")] {
        let mut program = sh("exit 0");
        let error = match program.set(name, value) {
            Ok(()) => supervisor.spawn(program).await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{name} {error}");
    }
    for (name, value) in [("env", "A"), ("env", "=b"), ("name", ""), ("name", "a\nb"), ("arg", "a\0b"), ("ready", "never")] {
        let mut program = sh("exit 0");
        let error = program.set(name, value).and_then(|()| program.check()).expect_err(name);
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{name} {error}");
    }
    assert_eq!(supervisor.spawn(Program::new("")).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    stopped(&supervisor).await;
    assert_eq!(supervisor.spawn(sh("exit 0")).await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(supervisor.reload().await.unwrap_err().kind(), ErrorKind::Closed);
    supervisor.stop().await.unwrap();
}

#[tokio::test]
async fn a_stop_kills_processes_of_the_group_that_ignore_term_and_no_others() {
    let supervisor = start(quick());
    let stubborn = "trap '' TERM; (trap '' TERM; echo $(exec sh -c 'echo $PPID'); while :; do sleep 1; done) & echo $!; wait; while :; do sleep 1; done";
    supervisor.spawn(sh(stubborn)).await.unwrap();
    let grandchildren = [next_line(&supervisor).await.1, next_line(&supervisor).await.1].map(|pid| pid.parse::<u32>().unwrap());
    let began = Instant::now();
    let events = stopped(&supervisor).await;
    assert!(began.elapsed() >= Duration::from_millis(300), "TERM first");
    assert!(grandchildren.iter().all(|pid| !runs(*pid)), "{grandchildren:?}");
    let killed = |event: &SupervisorEvent| matches!(event, SupervisorEvent::Exited { exit: ProcessExit::Signal(9), .. });
    assert!(events.iter().any(killed), "{events:?}");

    // Its leader ends at once; what the leader left has the rest of the grace.
    let mut options = quick();
    options.set("grace", "15000").unwrap();
    let supervisor = start(options);
    let file = scratch("ended-well");
    let script = format!(
        "(trap 'echo well >{}; exit' TERM; echo up; while :; do sleep 0.05; done) & trap 'exit 0' TERM; wait",
        file.display()
    );
    supervisor.spawn(sh(&script)).await.unwrap();
    assert_eq!(next_line(&supervisor).await.1, "up");
    stopped(&supervisor).await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "well\n");
}

#[tokio::test]
async fn children_of_a_failed_process_are_killed_before_the_next_starts() {
    let supervisor = start(quick());
    supervisor.spawn(sh("(trap '' TERM; while :; do sleep 1; done) & echo $!; exit 1")).await.unwrap();
    let left: u32 = next_line(&supervisor).await.1.parse().unwrap();
    next_exit(&supervisor).await;
    next(&supervisor, "the next", |event| matches!(event, SupervisorEvent::Started { .. }).then_some(())).await;
    assert!(!runs(left));
    stopped(&supervisor).await;
}

#[tokio::test]
async fn one_is_killed_for_good_and_the_others_run_on() {
    let supervisor = start(quick());
    let mut program = sh("exec sleep 100");
    program.count = 3;
    program.name = Some("sleepers".into());
    let ids = supervisor.spawn(program).await.unwrap();
    assert_eq!(ids, [1, 2, 3]);
    for _ in 0..3 {
        next_ready(&supervisor).await;
    }
    soon("a kill", supervisor.kill(2)).await.unwrap();
    let list = supervisor.list();
    assert_eq!(list.iter().map(|process| process.id).collect::<Vec<_>>(), [1, 3]);
    assert!(list.iter().all(|process| process.state == ProcessState::Ready && &*process.name == "sleepers"));
    assert_eq!(next_exit(&supervisor).await.1, ProcessExit::Signal(15));
    // What failed by itself comes again under its id.
    signal(list[0].pid.unwrap(), libc::SIGKILL);
    next_ready(&supervisor).await;
    let again = supervisor.list();
    assert_eq!((again[0].id, again[0].restarts), (1, 1));
    assert_ne!(again[0].pid, list[0].pid);
    assert!(again[0].started_at > list[0].started_at);
    stopped(&supervisor).await;
}

#[tokio::test]
async fn lines_come_whole_from_both_outputs_and_before_the_exit() {
    let supervisor = start(quick());
    // A character of two bytes and one of four, written by halves.
    let script = r"printf 'gr\303'; sleep 0.02; printf '\274n\n'; printf '\360\237'; printf '\231\202\n\nthe last'; printf 'bad\n' >&2; exit 0";
    supervisor.spawn(sh(script)).await.unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    soon("the exit", async {
        loop {
            match supervisor.next().await.unwrap() {
                SupervisorEvent::Line { stream: ProcessStream::Stdout, line, .. } => out.push(String::from_utf8(line).unwrap()),
                SupervisorEvent::Line { stream: ProcessStream::Stderr, line, .. } => err.push(String::from_utf8(line).unwrap()),
                SupervisorEvent::Exited { .. } => break,
                _ => {}
            }
        }
    })
    .await;
    assert_eq!(out, ["grün", "🙂", "", "the last"]);
    assert_eq!(err, ["bad"]);
    stopped(&supervisor).await;
}

#[tokio::test]
async fn long_lines_are_cut_and_unread_lines_are_counted() {
    let mut options = quick();
    options.set("line_buffer", "100000").unwrap();
    let supervisor = start(options);
    supervisor.spawn(sh("head -c 70000 /dev/zero | tr '\\0' x; echo; seq 1 10000")).await.unwrap();
    // The first lines are kept; nothing is taken until it has ended.
    until("its end", || supervisor.list().is_empty()).await;
    let events = supervisor.take_events(usize::MAX);
    let lines: Vec<&Vec<u8>> = events
        .iter()
        .filter_map(|event| if let SupervisorEvent::Line { line, .. } = event { Some(line) } else { None })
        .collect();
    assert_eq!((lines[0].len(), lines[1].len()), (65_536, 70_000 - 65_536));
    let dropped =
        events.iter().find_map(|event| if let SupervisorEvent::Dropped { lines, .. } = event { Some(*lines) } else { None });
    assert_eq!(lines.len() as u64 + dropped.unwrap(), 10_002);
    stopped(&supervisor).await;
}

#[tokio::test]
async fn a_process_has_its_environment_its_directory_and_its_cpus() {
    let supervisor = start(quick());
    // One of those that this process may use.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or("0").trim();
    let cpu = allowed.split([',', '-']).next_back().unwrap().to_owned();
    let mut program = sh(
        "echo $A $SWARM_PROCESS_NAME $SWARM_SUPERVISOR_PID ${SWARM_READY_FD-none}; pwd; echo ${PATH:+inherited}; ps -o pgid= -p $$ | tr -d ' '; echo $$; grep Cpus_allowed_list /proc/self/status",
    )
    .env("A", "first")
    .env("A", "b c");
    program.set("dir", "/usr").unwrap();
    program.set("name", "shown").unwrap();
    if cfg!(target_os = "linux") {
        program.set("cpus", &cpu).unwrap();
    }
    supervisor.spawn(program).await.unwrap();
    assert_eq!(next_line(&supervisor).await.1, format!("b c shown {} none", std::process::id()));
    assert_eq!(next_line(&supervisor).await.1, "/usr");
    assert_eq!(next_line(&supervisor).await.1, "inherited");
    let (group, pid) = (next_line(&supervisor).await.1, next_line(&supervisor).await.1);
    assert_eq!(group, pid, "the leader of its group");
    if cfg!(target_os = "linux") {
        assert_eq!(next_line(&supervisor).await.1.split_whitespace().last(), Some(&*cpu));
        let mut absent = sh("exit 0");
        absent.set("cpus", "1023").unwrap();
        let supervisor = start(quick());
        supervisor.spawn(absent).await.unwrap();
        assert!(matches!(next_exit(&supervisor).await, (None, ProcessExit::NotStarted(_), Some(_))));
    }
    stopped(&supervisor).await;
}

#[tokio::test]
async fn a_process_that_is_not_ready_in_time_is_stopped_and_started_again() {
    let supervisor = start(quick());
    let mut program = saying("exec sleep 100");
    program.set("ready_timeout", "50").unwrap();
    supervisor.spawn(program).await.unwrap();
    assert!(matches!(next_exit(&supervisor).await, (Some(_), ProcessExit::NotReady, Some(_))));
    assert!(matches!(next_exit(&supervisor).await, (Some(_), ProcessExit::NotReady, Some(_))));
    stopped(&supervisor).await;
}

#[tokio::test]
async fn a_reload_replaces_all_one_after_another_once_the_new_one_is_ready() {
    let supervisor = start(quick());
    let mut program = saying(&format!("{SAY_READY}; exec sleep 100"));
    program.count = 2;
    supervisor.spawn(program).await.unwrap();
    let mut once = sh("exec sleep 100");
    once.respawn = false;
    supervisor.spawn(once).await.unwrap();
    let old = [next_ready(&supervisor).await, next_ready(&supervisor).await, next_ready(&supervisor).await];
    // The second is asked for while the first is under way, and runs after it.
    let (first, second) = tokio::join!(supervisor.reload(), supervisor.reload());
    assert!(first.is_ok() && second.is_ok());
    let list = supervisor.list();
    assert_eq!(list.len(), 3);
    assert!(list.iter().all(|process| process.state == ProcessState::Ready && process.restarts == 0), "{list:?}");
    assert!(old.iter().all(|pid| !exists(*pid)));
    let mut running: HashSet<u32> = old.into();
    let mut reloads = 0;
    for event in supervisor.take_events(usize::MAX) {
        match event {
            SupervisorEvent::Ready { pid, .. } => drop(running.insert(pid)),
            SupervisorEvent::Exited { pid, respawn, .. } => {
                assert!(respawn.is_none() && running.remove(&pid.unwrap()));
                assert_eq!(running.len(), 3, "one after another, the old one last");
            }
            SupervisorEvent::Reloaded => reloads += 1,
            _ => {}
        }
    }
    assert_eq!(reloads, 2);
    stopped(&supervisor).await;
}

#[tokio::test]
async fn a_reload_ends_at_the_first_that_fails_and_the_old_ones_serve_on() {
    let supervisor = start(quick());
    let file = scratch("version");
    let script = format!("case $(cat {}) in good) {SAY_READY};; exits) exit 9;; never) ;; esac; exec sleep 100", file.display());
    std::fs::write(&file, "good").unwrap();
    let mut program = saying(&script);
    program.count = 2;
    program.set("ready_timeout", "500").unwrap();
    supervisor.spawn(program).await.unwrap();
    let old: HashSet<u32> = [next_ready(&supervisor).await, next_ready(&supervisor).await].into();
    for (version, kind, exit) in
        [("exits", ErrorKind::Unavailable, ProcessExit::Code(9)), ("never", ErrorKind::Timeout, ProcessExit::NotReady)]
    {
        std::fs::write(&file, version).unwrap();
        let error = soon("the reload", supervisor.reload()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        let (pid, got, respawn) = next_exit(&supervisor).await;
        assert_eq!((got, respawn), (exit, None));
        assert!(!exists(pid.unwrap()));
        let failed = |event| if let SupervisorEvent::ReloadFailed { id, error } = event { Some((id, error)) } else { None };
        assert_eq!(next(&supervisor, "the failure", failed).await, (Some(1), error));
        let list = supervisor.list();
        assert!(list.iter().all(|process| process.state == ProcessState::Ready));
        assert_eq!(list.iter().map(|process| process.pid.unwrap()).collect::<HashSet<_>>(), old, "the old ones");
    }
    std::fs::write(&file, "good").unwrap();
    soon("the reload", supervisor.reload()).await.unwrap();
    stopped(&supervisor).await;
}

#[tokio::test]
async fn a_stop_ends_a_reload_and_a_pause() {
    let mut options = quick();
    options.set("backoff_delay", "60000").unwrap();
    options.set("backoff_max", "60000").unwrap();
    let supervisor = start(options);
    let file = scratch("slow");
    let script = format!("[ -e {0} ] && exec sleep 100; : >{0}; {SAY_READY}; exec sleep 100", file.display());
    supervisor.spawn(saying(&script)).await.unwrap();
    next_ready(&supervisor).await;
    supervisor.spawn(sh("exit 1")).await.unwrap();
    next_exit(&supervisor).await;
    let reload = tokio::spawn({
        let supervisor = supervisor.clone();
        async move { supervisor.reload().await }
    });
    next(&supervisor, "the new one", |event| matches!(event, SupervisorEvent::Started { .. }).then_some(())).await;
    assert_eq!(supervisor.list().len(), 3, "old, new, and the one in its pause");
    let events = stopped(&supervisor).await;
    assert_eq!(reload.await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(events.iter().filter(|event| matches!(event, SupervisorEvent::Exited { .. })).count(), 2);
    assert!(events.iter().any(|event| matches!(event, SupervisorEvent::ReloadFailed { id: None, .. })));
}

#[tokio::test]
async fn the_last_handle_and_the_end_of_the_runtime_stop_all() {
    let supervisor = start(quick());
    let file = scratch("graceful");
    supervisor
        .spawn(sh(&format!("trap 'echo x >{}; exit' TERM; echo up; while :; do sleep 0.05; done", file.display())))
        .await
        .unwrap();
    next_line(&supervisor).await;
    let pid = supervisor.list()[0].pid.unwrap();
    drop(supervisor);
    until("the end", || !exists(pid)).await;
    assert!(file.exists(), "it had its grace");

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let supervisor = Supervisor::start(quick(), runtime.handle()).unwrap();
    let spawned = supervisor.clone();
    runtime.spawn(async move { spawned.spawn(sh("(trap '' TERM; sleep 100) & echo $!; wait")).await }).await.unwrap().unwrap();
    let grandchild: u32 = next_line(&supervisor).await.1.parse().unwrap();
    let pid = supervisor.list()[0].pid.unwrap();
    runtime.shutdown_background();
    until("the end", || !exists(pid) && !runs(grandchild)).await;
    assert_eq!(supervisor.stop().await.unwrap_err().kind(), ErrorKind::Closed);
}

/// Not a test of its own: what this binary is when it is run as a supervisor by others.
#[tokio::test]
async fn supervisor_of_its_own() {
    let Ok(role) = std::env::var("PROCESSES_ROLE") else { return };
    let mut options = quick();
    options.set("forward", "true").unwrap();
    // The inner one's grace is within that of the outer one.
    options.set("grace", if role == "nested" { "10000" } else { "300" }).unwrap();
    let supervisor = start(options);
    supervisor.handle_signals().unwrap();
    match &*role {
        "nested" => {
            let inner = itself("inner");
            supervisor.spawn(inner).await.unwrap();
            // Ready once the inner one is.
            next_ready(&supervisor).await;
        }
        "inner" => {
            let mut program = sh(LEAVES_A_GRANDCHILD);
            program.count = 2;
            supervisor.spawn(program).await.unwrap();
            for _ in 0..6 {
                next_line(&supervisor).await;
            }
        }
        "slow" => {
            let mut program =
                saying("[ $SWARM_SUPERVISOR_PID = $PPID ] && echo up; trap 'exit 0' TERM; while :; do sleep 0.05; done");
            program.ready_timeout = SOON;
            supervisor.spawn(program).await.unwrap();
        }
        "flood" => drop(supervisor.spawn(sh("exec yes")).await.unwrap()),
        other => panic!("{other}"),
    }
    let awaited = std::env::var_os("SWARM_READY_FD").is_some();
    assert!(supervised::ready().unwrap() == awaited && !supervised::ready().unwrap(), "said once");
    eprintln!("serves");
    let mut reported = Vec::new();
    while let Some(event) = supervisor.next().await {
        match event {
            SupervisorEvent::Signal { signal } => reported.push(format!("signal {signal}")),
            SupervisorEvent::ReloadFailed { .. } => reported.push("reload failed".into()),
            _ => {}
        }
    }
    eprintln!("reported: {}", reported.join(", "));
    // Whoever ran it need not read what the test harness says.
    std::process::exit(0);
}

/// Says its number, and that of its grandchild twice; all three ignore TERM.
const LEAVES_A_GRANDCHILD: &str =
    "trap '' TERM; echo pid $$; (sh -c 'echo pid $$; while :; do sleep 1; done' & echo pid $!; wait) & while :; do sleep 1; done";

fn itself(role: &str) -> Program {
    let mut program = Program::new(std::env::current_exe().unwrap())
        .args(["--exact", "supervisor_of_its_own", "--nocapture", "--test-threads=2"])
        .env("PROCESSES_ROLE", role);
    program.ready = if role == "inner" { ReadyBy::Explicit } else { ReadyBy::Start };
    program
}

/// This binary in a role, with the lines of its stdout and stderr as they come.
struct Own {
    child: std::process::Child,
    lines: tokio::sync::mpsc::UnboundedReceiver<String>,
    /// Lines passed over: the two outputs have no order between them.
    passed: Vec<String>,
}

impl Own {
    fn start(role: &str) -> Own {
        let program = itself(role);
        let mut command = Command::new(&program.command);
        command.args(&program.args).envs(program.env).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = tokio::sync::mpsc::unbounded_channel();
        read_lines(child.stdout.take().unwrap(), "out ", sender.clone());
        read_lines(child.stderr.take().unwrap(), "err ", sender);
        Own { child, lines, passed: Vec::new() }
    }

    async fn line(&mut self, with: &str) -> String {
        if let Some(at) = self.passed.iter().position(|line| line.contains(with)) {
            return self.passed.remove(at);
        }
        soon(with, async {
            loop {
                let line = self.lines.recv().await.unwrap_or_else(|| panic!("no line with {with}: {:?}", self.passed));
                if line.contains(with) {
                    return line;
                }
                self.passed.push(line);
            }
        })
        .await
    }

    async fn ended(&mut self) -> std::process::ExitStatus {
        let mut status = None;
        until("the end of the supervisor", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(pipe: impl std::io::Read + Send + 'static, head: &'static str, sender: tokio::sync::mpsc::UnboundedSender<String>) {
    std::thread::spawn(move || {
        for line in std::io::BufRead::lines(std::io::BufReader::new(pipe)).map_while(Result::ok) {
            let _ = sender.send(format!("{head}{line}"));
        }
    });
}

/// The numbers of the processes at the bottom, and of all their ancestors up to `top`.
async fn all_below(own: &mut Own) -> HashSet<u32> {
    let top = own.child.id();
    let mut all = HashSet::from([top]);
    for _ in 0..6 {
        let line = own.line("pid ").await;
        let mut pid: u32 = line.rsplit(' ').next().unwrap().parse().unwrap();
        while all.insert(pid) {
            let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { break };
            pid = stat.rsplit(')').next().unwrap().split_whitespace().nth(1).unwrap().parse().unwrap();
        }
    }
    all.remove(&1);
    all
}

#[tokio::test]
async fn a_killed_supervisor_leaves_no_process_nested_or_not() {
    for (role, levels) in [("inner", 1), ("nested", 2)] {
        let mut own = Own::start(role);
        let all = all_below(&mut own).await;
        // Six are reported: two with a child and its child each, below one supervisor or two.
        if cfg!(target_os = "linux") {
            assert_eq!(all.len(), 6 + levels, "{all:?}");
        }
        own.child.kill().unwrap();
        own.child.wait().unwrap();
        until("nobody left", || all.iter().all(|pid| !runs(*pid))).await;
        // The guards do not keep the output open, so all is closed now.
        soon("the end of the output", async { while own.lines.recv().await.is_some() {} }).await;
    }
}

#[tokio::test]
async fn a_guard_that_is_killed_is_replaced_and_knows_all() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let mut own = Own::start("inner");
    let all = all_below(&mut own).await;
    let top = own.child.id();
    let guards = || -> Vec<u32> {
        let children = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let is_guard = |pid: &u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            stat.rsplit(')').next().unwrap().split_whitespace().nth(1) == Some(&top.to_string())
                && line.windows(11).any(|part| part == b"swarm-guard")
        };
        children.filter(is_guard).collect()
    };
    let first = guards();
    assert_eq!(first.len(), 1);
    signal(first[0], libc::SIGKILL);
    until("another guard", || guards().iter().any(|pid| *pid != first[0])).await;
    own.child.kill().unwrap();
    own.child.wait().unwrap();
    until("nobody left", || all.iter().all(|pid| !runs(*pid))).await;
}

#[tokio::test]
async fn signals_reload_and_stop_also_during_a_reload_and_lines_are_forwarded() {
    let mut own = Own::start("nested");
    let line = own.line("pid ").await;
    assert!(line.starts_with(&format!("out [{} ", std::env::current_exe().unwrap().file_name().unwrap().display())), "{line}");
    assert!(line.contains("] [sh "), "forwarded by both: {line}");
    let mut all = all_below_rest(&mut own).await;
    all.insert(own.child.id());
    own.line("err serves").await;
    signal(own.child.id(), libc::SIGTERM);
    own.line("] reported: signal 15").await;
    assert_eq!(own.line("err reported: ").await, "err reported: signal 15");
    assert!(own.ended().await.success());
    assert!(all.iter().all(|pid| !runs(*pid)));

    // The one it has is never ready, so its reload is under way until it is asked to stop.
    let mut own = Own::start("slow");
    own.line("up").await;
    signal(own.child.id(), libc::SIGHUP);
    own.line("up").await;
    signal(own.child.id(), libc::SIGINT);
    assert_eq!(own.line("reported: ").await, "err reported: signal 1, signal 2, reload failed");
    assert!(own.ended().await.success());
}

#[tokio::test]
async fn a_supervisor_with_unread_output_still_supervises() {
    let program = itself("flood");
    let mut command = Command::new(&program.command);
    command.args(&program.args).envs(program.env).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (sender, lines) = tokio::sync::mpsc::unbounded_channel();
    read_lines(child.stderr.take().unwrap(), "err ", sender);
    let mut own = Own { child, lines, passed: Vec::new() };
    own.line("serves").await;
    // SAFETY: all zeros is a valid number of bytes, and the call writes one.
    let full = |fd: i32| unsafe {
        let mut bytes: i32 = 0;
        libc::ioctl(fd, libc::FIONREAD, &raw mut bytes) == 0 && bytes >= 60_000
    };
    let unread = own.child.stdout.take().unwrap();
    until("a full pipe", || full(std::os::fd::AsRawFd::as_raw_fd(&unread))).await;
    signal(own.child.id(), libc::SIGTERM);
    assert!(own.ended().await.success());
}

async fn all_below_rest(own: &mut Own) -> HashSet<u32> {
    let mut pids = HashSet::new();
    for _ in 0..5 {
        pids.insert(own.line("pid ").await.rsplit(' ').next().unwrap().parse().unwrap());
    }
    pids
}

#[tokio::test]
async fn a_panic_in_a_task_stops_the_supervisor_with_an_error() {
    let supervisor = start(quick());
    supervisor.spawn(sh("exec sleep 100")).await.unwrap();
    let pid = next(&supervisor, "a process", |event| match event {
        SupervisorEvent::Started { pid, .. } => Some(pid),
        _ => None,
    })
    .await;
    until("all is reported", || supervisor.take_events(100).is_empty()).await;
    // It is called by the task of the process that starts.
    supervisor.set_wake(|| panic!("of the test"));
    drop(supervisor.spawn(sh("exec sleep 100")).await);
    let error = soon("the end", supervisor.stop()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panic);
    assert!(error.message().contains("of the test"), "{error}");
    assert_eq!(supervisor.spawn(sh("true")).await.unwrap_err().kind(), ErrorKind::Panic);
    soon("the last event", async { while supervisor.next().await.is_some() {} }).await;
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "the others are stopped");
}
