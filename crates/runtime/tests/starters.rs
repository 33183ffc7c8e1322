//! The playbooks that a control plane begins with fit the checks of this runtime.
#![allow(clippy::unwrap_used, reason = "a test says where it broke")]

use tidegate_core::playbook::{fill, starters};
use tidegate_core::probe::Risk;
use tidegate_core::sequence::StopOn;
use tidegate_core::time::Timestamp;
use tidegate_runtime::probes;

#[test]
fn every_starter_fits_this_runtime_with_its_defaults_and_examples() {
    let (catalogue, now) = (probes::catalogue(), Timestamp::from_milliseconds(0));
    for starter in starters() {
        let spec = fill(&starter, &starter.examples()).unwrap();
        let resolved = spec.resolve(Some(&catalogue), now);
        let resolved = resolved.unwrap_or_else(|error| panic!("{}: {error}", starter.name));
        assert_eq!(resolved.stop_on, StopOn::Never, "{}: one finding must not hide the next", starter.name);
        let says_so = starter.about.contains("Only looks; changes nothing.");
        assert_eq!(says_so, resolved.risk == Risk::Observe, "{}", starter.name);
    }
}

/// What may be left out is left out: the arguments that remain are still enough.
#[test]
fn every_starter_fits_this_runtime_with_only_what_it_needs() {
    let catalogue = probes::catalogue();
    for starter in starters() {
        let mut values = starter.examples();
        values.retain(|name, _| starter.parameter(name).unwrap().required);
        let spec = fill(&starter, &values).unwrap();
        let resolved = spec.resolve(Some(&catalogue), Timestamp::from_milliseconds(0));
        assert!(resolved.is_ok(), "{}: {resolved:?}", starter.name);
    }
}
