//! Steps with real processes: what becomes of their trees, their output and their surroundings.
#![allow(clippy::unwrap_used, reason = "a test says where it broke")]

mod support;

use std::time::{Duration, Instant};

use support::{Groups, Machine};
use tidegate_core::sequence::EndState;

/// Eight processes that want to survive: sessions of their own, an empty environment, no hangup signal.
const STUBBORN_TREE: &str = "
    mark() { sleep 600 & echo $! >> $FILE; }
    setsid setsid sh -c 'echo $$ >> $FILE; exec sleep 600' &
    env -i FILE=$FILE setsid sh -c 'echo $$ >> $FILE; exec sleep 600' &
    nohup sh -c 'echo $$ >> $FILE; exec sleep 600' >/dev/null 2>&1 &
    (setsid sh -c '(setsid sh -c \"echo \\$\\$ >> $FILE; exec sleep 600\" &)' &)
    setsid sh -c 'trap \"\" TERM HUP INT; echo $$ >> $FILE; while :; do sleep 600; done' &
    mark; mark; mark
    while [ $(wc -l < $FILE) -lt 8 ]; do sleep 0.01; done
    echo ready
";

fn stubborn(machine: &Machine, then: &str) -> String {
    format!("export FILE={}; {STUBBORN_TREE} {then}", machine.file("pids").display())
}

#[tokio::test(flavor = "current_thread")]
async fn a_finished_command_leaves_nothing_running() {
    for groups in Groups::BOTH {
        let machine = Machine::new(groups);
        let ended = machine.shell(&stubborn(&machine, "exit 3"), 20).await;
        assert_eq!(ended.state, EndState::Failed, "{ended:?}");
        assert_eq!(ended.result.data["exit_code"], 3);
        assert_eq!(ended.result.output.head, "ready\n");
        assert!(ended.result.data["ended_processes"].as_u64() >= Some(8), "{ended:?}");
        machine.assert_all_gone(8);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_timeout_ends_the_whole_tree_and_keeps_the_output() {
    for groups in Groups::BOTH {
        let machine = Machine::new(groups);
        let ended = machine.shell(&stubborn(&machine, "sleep 600"), 2).await;
        assert_eq!(ended.state, EndState::TimedOut, "{ended:?}");
        assert_eq!(ended.result.summary, "stopped after its limit of 2s");
        assert_eq!(ended.result.output.head, "ready\n");
        machine.assert_all_gone(8);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_cancel_ends_the_whole_tree() {
    for groups in Groups::BOTH {
        let machine = Machine::new(groups);
        let mut running = machine.start(&stubborn(&machine, "sleep 600"), 60);
        machine.until_lines("pids", 8).await;
        let asked = Instant::now();
        running.kill();
        let ended = running.wait().await;
        eprintln!("{groups:?}: cancelled in {:?}", asked.elapsed());
        assert_eq!((ended.state, ended.result.summary.as_str()), (EndState::Cancelled, "cancelled"));
        machine.assert_all_gone(8);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_step_dropped_by_its_caller_is_ended() {
    let machine = Machine::new(Groups::Used);
    let running = machine.start(&stubborn(&machine, "sleep 600"), 60);
    machine.until_lines("pids", 8).await;
    drop(running);
    let next = machine.shell("echo next", 20).await;
    assert_eq!(next.result.output.head, "next\n");
    machine.assert_all_gone(8);
}

#[tokio::test(flavor = "current_thread")]
async fn a_fork_storm_loses_the_race() {
    // Every generation starts a session of its own and leaves its parent, as fast as a shell can.
    let storm = "export STORM='echo $$ >> $FILE; (setsid sh -c \"$STORM\" &)';
        for i in 1 2 3 4 5 6; do (setsid sh -c \"$STORM\" &); done; sleep 600";
    for groups in Groups::BOTH {
        let machine = Machine::new(groups);
        let command = format!("export FILE={}; {storm}", machine.file("pids").display());
        let mut running = machine.start(&command, 60);
        machine.until_lines("pids", 300).await;
        let asked = Instant::now();
        running.kill();
        let ended = running.wait().await;
        eprintln!("{groups:?}: storm over in {:?}", asked.elapsed());
        assert_eq!(ended.state, EndState::Cancelled);
        machine.assert_all_gone(300);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_background_process_that_holds_the_output_open_does_not_hold_the_step() {
    let machine = Machine::new(Groups::Forbidden);
    let start = Instant::now();
    let ended = machine.shell("setsid sleep 600 & echo done", 60).await;
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!((ended.state, ended.result.output.head.as_str()), (EndState::Succeeded, "done\n"));
}

#[tokio::test(flavor = "current_thread")]
async fn steps_run_one_at_a_time() {
    let machine = Machine::new(Groups::Used);
    let file = machine.file("order");
    let note = |word: &str| format!("echo {word} >> {0}; sleep 0.2; echo {word} >> {0}", file.display());
    let (mut first, mut second) = (machine.start(&note("a"), 20), machine.start(&note("b"), 20));
    tokio::join!(first.wait(), second.wait());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a\na\nb\nb\n");
}

#[tokio::test(flavor = "current_thread")]
async fn a_step_dropped_before_its_turn_never_starts() {
    let machine = Machine::new(Groups::Used);
    let mut first = machine.start("sleep 0.3", 20);
    drop(machine.start(&format!("echo started > {}", machine.file("second").display()), 20));
    first.wait().await;
    machine.shell("true", 20).await;
    assert!(!machine.file("second").exists());
}

#[tokio::test(flavor = "current_thread")]
async fn both_streams_and_any_bytes_come_back() {
    let machine = Machine::new(Groups::Used);
    let ended = machine.shell(r"printf 'a\0\377\n'; printf 'wrong\n' >&2; exit 1", 20).await;
    let output = &ended.result.output;
    assert_eq!((output.head.as_str(), output.bytes), ("a\0\\xFF\n", 4));
    assert_eq!(output.encoding.as_deref(), Some("utf-8 with other bytes"));
    assert_eq!(ended.result.error_output.as_ref().unwrap().head, "wrong\n");
    assert_eq!(ended.result.summary, "exit code 1, 10 bytes");
    let ended = machine.shell("kill -9 $$", 20).await;
    assert_eq!((ended.state, &ended.result.data["signal"]), (EndState::Failed, &9.into()));
}

#[tokio::test(flavor = "current_thread")]
async fn a_command_gets_clean_surroundings() {
    let machine = Machine::new(Groups::Used);
    // A descriptor that even `exec` would hand on, as a careless parent of the runtime may leave one.
    let leaked = std::fs::File::create(machine.file("leaked")).unwrap();
    rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty()).unwrap();
    let ended = machine
        .shell(
            "ls -l /proc/self/fd | sed -n 's/.* -> //p'; pwd; env | grep -c ^TIDEGATE_; echo ${HOME:+home};
             grep -E '^Sig(Blk|Ign)' /proc/self/status; cut -d' ' -f5,6 /proc/$$/stat; echo $$",
            20,
        )
        .await;
    let lines: Vec<&str> = ended.result.output.head.lines().collect();
    let descriptors: Vec<&str> = lines.iter().copied().take_while(|line| *line != "/").collect();
    assert_eq!(descriptors[0], "/dev/null");
    assert!(descriptors[1].starts_with("pipe:"), "{lines:?}");
    // Standard output of `ls` is the pipe to `sed`, then standard error and the listing itself.
    assert_eq!(descriptors.len(), 4, "{lines:?}");
    assert!(!ended.result.output.head.contains("leaked"), "{lines:?}");
    let rest = &lines[descriptors.len()..];
    assert_eq!(rest[..3], ["/", "0", "home"], "{lines:?}");
    // Signals above 31 are the C library's own.
    let standard =
        |line: &str| u64::from_str_radix(line.split('\t').nth(1).unwrap(), 16).unwrap() & 0x7FFF_FFFF;
    assert!(rest[3..5].iter().all(|line| standard(line) == 0), "{lines:?}");
    assert_eq!(rest[5], format!("{0} {0}", rest[6]), "its own group and session: {lines:?}");
    drop(leaked);
}

#[tokio::test(flavor = "current_thread")]
async fn what_does_not_fit_the_catalogue_is_refused() {
    let machine = Machine::new(Groups::Used);
    let with = serde_json::Map::new();
    let ended = machine.start_probe("shell", with.clone(), 5).wait().await;
    assert_eq!(ended.state, EndState::Refused);
    assert!(ended.result.summary.starts_with("`shell` needs `command`"), "{ended:?}");
    let ended = machine.start_probe("format_disk", with, 5).wait().await;
    assert_eq!(ended.state, EndState::Refused);
    assert!(ended.result.summary.starts_with("unknown probe `format_disk`"), "{ended:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn twenty_megabytes_keep_both_ends_and_their_count() {
    let machine = Machine::new(Groups::Used);
    let ended = machine.shell("echo first; head -c 20000000 /dev/zero | tr '\\0' x; echo last", 60).await;
    let output = &ended.result.output;
    assert_eq!((output.bytes, output.head.len(), output.tail.len()), (20_000_011, 16_384, 16_384));
    assert_eq!(output.dropped_bytes, output.bytes - 2 * 16_384);
    assert!(output.head.starts_with("first\nx") && output.tail.ends_with("xlast\n"));
}

#[tokio::test(flavor = "current_thread")]
async fn a_command_starts_with_the_listed_variables_and_no_others() {
    // What cargo gave this test stands for what a service was given.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    for groups in Groups::BOTH {
        let ended = Machine::new(groups).shell("env", 20).await;
        let text = &ended.result.output.head;
        let mut names: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
        let of_shells = ["PWD", "OLDPWD", "SHLVL", "_", "TZ"];
        names.retain(|name| !of_shells.contains(name));
        names.sort_unstable();
        assert_eq!(names, ["HOME", "LANG", "LOGNAME", "PATH", "SHELL", "USER"], "{text}");
        assert!(text.contains("SHELL=/bin/sh\n") && text.contains("LANG=C.UTF-8\n"), "{text}");
    }
}
