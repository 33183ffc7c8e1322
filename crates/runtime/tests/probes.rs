//! The probes as steps, the way the runtime runs them.
#![allow(clippy::unwrap_used, reason = "a test says where it broke")]

mod support;

use serde_json::{Map, Value, json};
use support::{Groups, Machine};
use tidegate_core::sequence::{EndState, Finding};
use tidegate_core::wire::Policy;
use tidegate_runtime::executor::{Ended, StepTask};

async fn run(probe: &str, with: Value) -> Ended {
    let Value::Object(with) = with else { unreachable!() };
    Machine::new(Groups::Used).start_probe(probe, with, 20).wait().await
}

#[tokio::test(flavor = "current_thread")]
async fn system_info_is_ok() {
    let ended = run("system_info", json!({})).await;
    assert_eq!((ended.state, ended.result.finding), (EndState::Succeeded, Finding::Ok), "{ended:?}");
    assert!(ended.result.summary.contains(" GiB memory, up "), "{ended:?}");
    let refused = run("system_info", json!({ "verbose": true })).await;
    assert_eq!(refused.state, EndState::Refused);
}

#[tokio::test(flavor = "current_thread")]
async fn tail_file_reads_and_refuses() {
    let ended = run("tail_file", json!({ "path": "/etc/passwd", "lines": 1000, "contains": "root:" })).await;
    assert_eq!(ended.state, EndState::Succeeded, "{ended:?}");
    assert!(ended.result.output.head.starts_with("root:"));
    let ended = run("tail_file", json!({ "path": "/no/such/file" })).await;
    let summary = ended.result.summary.as_str();
    assert_eq!((ended.state, summary), (EndState::Failed, "`/no/such/file` does not exist"));
    assert_eq!(run("tail_file", json!({ "path": "etc/passwd" })).await.state, EndState::Refused);
    assert_eq!(
        run("tail_file", json!({ "path": "/etc/passwd", "lines": 1001 })).await.state,
        EndState::Refused
    );
}

#[tokio::test(flavor = "current_thread")]
async fn ping_stops_at_its_limit() {
    let Value::Object(with) = json!({ "host": "127.0.0.1", "count": 20, "interval_ms": 10_000 }) else {
        unreachable!()
    };
    let machine = Machine::new(Groups::Used);
    let start = std::time::Instant::now();
    let ended = machine.start_probe("ping", with, 1).wait().await;
    assert!(start.elapsed().as_secs() < 5);
    assert!(matches!(ended.state, EndState::TimedOut | EndState::Failed), "{ended:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_service_is_known_or_the_machine_says_why_nobody_can_tell() {
    let ended = run("service_status", json!({ "name": "no-such-service" })).await;
    let summary = ended.result.summary.as_str();
    match ended.state {
        EndState::Succeeded => assert_eq!(summary, "no service of the name no-such-service"),
        _ => assert!(summary.contains("systemd") || summary.contains("bus"), "{ended:?}"),
    }
    for name in ["-H", "--all", "a*", "a b"] {
        assert_eq!(run("service_status", json!({ "name": name })).await.state, EndState::Refused, "{name}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_log_is_read_or_the_machine_says_that_there_is_none() {
    let ended = run("event_log", json!({ "since": "1h", "level": "debug", "last": 3 })).await;
    eprintln!("{}\n{}", ended.result.summary, ended.result.output.head);
    match ended.state {
        EndState::Succeeded => assert!(ended.result.summary.ends_with(" in the last 1 h"), "{ended:?}"),
        _ => assert!(ended.result.summary.contains("journal"), "{ended:?}"),
    }
    assert_eq!(run("event_log", json!({ "since": "soon" })).await.state, EndState::Refused);
    assert_eq!(run("event_log", json!({ "unit": "*" })).await.state, EndState::Refused);
}

#[tokio::test(flavor = "current_thread")]
async fn no_probe_looks_behind_a_link_that_leads_out_of_the_allowed_folders() {
    let machine = Machine::new(Groups::Used);
    let (allowed, outside) = (machine.file("allowed"), machine.file("outside"));
    std::fs::create_dir(&allowed).unwrap();
    std::fs::write(&outside, "secret\n").unwrap();
    std::fs::write(allowed.join("inside"), "a line\n").unwrap();
    std::os::unix::fs::symlink(&outside, allowed.join("link")).unwrap();
    for probe in ["tail_file", "file_facts", "disk_usage"] {
        for (name, state) in [("inside", EndState::Succeeded), ("link", EndState::Refused)] {
            let Value::Object(with) = json!({ "path": allowed.join(name) }) else { unreachable!() };
            let task = StepTask {
                probe: probe.into(),
                with,
                timeout: std::time::Duration::from_secs(20),
                output_limit_bytes: 1 << 16,
                policy: Policy {
                    paths: Some(vec![allowed.to_string_lossy().into_owned()]),
                    ..Policy::default()
                },
            };
            let ended = machine.executor.start(task).wait().await;
            assert_eq!(ended.state, state, "{probe} of {name}: {ended:?}");
            assert!(!serde_json::to_string(&ended.result).unwrap().contains("secret"), "{probe}");
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn every_probe_without_required_arguments_runs_with_its_defaults() {
    for probe in tidegate_runtime::probes::catalogue().0 {
        if probe.arguments.iter().all(|argument| !argument.required) {
            let ended = run(&probe.name, Value::Object(Map::new())).await;
            eprintln!("{}: {}", probe.name, ended.result.summary);
            // A machine without journald has no log to read, and says so.
            let has_none = probe.name == "event_log" && ended.result.summary.contains("journal");
            assert!(ended.state == EndState::Succeeded || has_none, "{}: {ended:?}", probe.name);
        }
    }
}
