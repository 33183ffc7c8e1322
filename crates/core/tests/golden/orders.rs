//! Work, orders and what takes them back.

use serde_json::{Map, Value};
use tidegate_core::digest::Digest;
use tidegate_core::journal::{Outcome, SequenceEnd, StepOutcome};
use tidegate_core::sequence::{EndState, StopOn};
use tidegate_core::time::Milliseconds;
use tidegate_core::wire::{Offered, Order, OrderKind, Policy, Void, Work, WorkStep};

use super::Goldens;
use super::fixed::{ENDPOINT, JOURNAL, LOG, V, at, by_order_key, digest, json, sequence};

pub(crate) fn add(goldens: &mut Goldens) {
    goldens.insert("work".into(), json(&work()));
    let kinds = kinds();
    for (index, kind) in kinds.iter().enumerate() {
        assert_eq!(place(kind), index, "every kind has an example");
        let order = order(kind.clone());
        by_order_key(&order);
        let text = json(&order);
        let word = serde_json::to_value(kind).unwrap()["kind"].as_str().unwrap().to_owned();
        goldens.insert(format!("order-{word}"), text);
    }
    goldens.insert("offered".into(), json(&offered()));
    by_order_key(&void());
    goldens.insert("void".into(), json(&void()));
}

/// Where each kind stands in [`kinds`]; a new kind does not compile without a place.
fn place(kind: &OrderKind) -> usize {
    match kind {
        OrderKind::Adopt { .. } => 0,
        OrderKind::Run { .. } => 1,
        OrderKind::Cancel { .. } => 2,
        OrderKind::Configure { .. } => 3,
        OrderKind::Retire => 4,
        OrderKind::Unknown => unreachable!("only read, never written"),
    }
}

fn kinds() -> [OrderKind; 5] {
    let policy = Policy {
        shell: false,
        probes: Some(vec!["ping".into()]),
        paths: Some(vec!["C:\\Motion".into()]),
        ..Policy::default()
    };
    [
        OrderKind::Adopt { journal: JOURNAL },
        run(),
        OrderKind::Cancel { sequence: sequence() },
        OrderKind::Configure { policy },
        OrderKind::Retire,
    ]
}

fn run() -> OrderKind {
    OrderKind::Run { sequence: sequence(), work: by_order_key(&work()).digest() }
}

fn order(order: OrderKind) -> Order {
    let (number, previous) = match order {
        OrderKind::Adopt { .. } => (1, Digest::ZERO),
        _ => (2, digest("order 1")),
    };
    Order { v: V, endpoint: ENDPOINT, log: LOG, number, previous, at: at(0), order }
}

pub(crate) fn work() -> Work {
    let with = Map::from_iter([("host".to_owned(), Value::from("10.20.0.5"))]);
    Work {
        v: V,
        endpoint: ENDPOINT,
        sequence: sequence(),
        title: "HMI lost the servo controller".into(),
        stop_on: StopOn::Never,
        issued_at: at(0),
        not_before: Some(at(60)),
        expires_at: at(604_800),
        expiry_explicit: false,
        steps: vec![WorkStep {
            probe: "ping".into(),
            with,
            timeout: Milliseconds::from_seconds(30),
            rerun: false,
        }],
    }
}

/// A sequence whose work the endpoint does not keep any more.
pub(crate) fn forgotten() -> tidegate_core::id::SequenceId {
    "248h248h248h248h-wcecx83s1gzg08dm".parse().unwrap()
}

pub(crate) fn offered() -> Offered {
    Offered { order: by_order_key(&order(run())), work: Some(by_order_key(&work())) }
}

pub(crate) fn void() -> Void {
    Void {
        v: V,
        endpoint: ENDPOINT,
        log: LOG,
        number: 2,
        hash: by_order_key(&order(run())).digest(),
        previous: digest("order 1"),
    }
}

pub(crate) fn outcome() -> Outcome {
    Outcome {
        sequence: sequence(),
        ended: Some(SequenceEnd::Completed),
        steps: vec![StepOutcome { attempts: 1, state: Some(EndState::Succeeded) }],
    }
}
