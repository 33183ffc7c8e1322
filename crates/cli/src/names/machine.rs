//! Machines by name: what people cannot tell apart is refused, and never guessed.

use tidegate_core::api::{EndpointState, EndpointView};
use tidegate_core::id::EndpointId;
use tidegate_core::words::folded_name;

use super::{Named, one_of, unknown};
use crate::failure::Failure;

/// The one machine whose id or name is `text`. Names are compared as people read them, so `hmi-3` and `HMI-3` are one
/// name, and a machine in service counts before those that are retired or revoked.
///
/// # Errors
///
/// A usage [`Failure`] when there is none or more than one, listing those it could be.
pub(super) fn machine(text: &str, endpoints: &[EndpointView]) -> Result<Named<EndpointId>, Failure> {
    let is_in_service =
        |view: &&EndpointView| matches!(view.state, EndpointState::Active | EndpointState::Recovered);
    let name = folded_name(text);
    let by_id: Vec<_> = endpoints.iter().filter(|view| view.id.to_string() == text).collect();
    let by_name: Vec<_> = endpoints.iter().filter(|view| folded_name(&view.name) == name).collect();
    let in_service: Vec<_> = by_name.iter().copied().filter(is_in_service).collect();
    let named = |views: &[&EndpointView]| views.iter().map(|view| named(view)).collect::<Vec<_>>();
    match [&by_id, &in_service, &by_name].into_iter().find(|matches| !matches.is_empty()) {
        Some(matches) => one_of("machine", text, &named(matches).iter().collect::<Vec<_>>()),
        None => Err(unknown("machine", text, &name, &named(&endpoints.iter().collect::<Vec<_>>()))),
    }
}

/// A machine with what tells it from another of its name.
fn named(view: &EndpointView) -> Named<EndpointId> {
    let seen = view
        .last_seen_at
        .map_or_else(|| "never seen".to_owned(), |at| format!("last seen {}", crate::time::full(at)));
    let about = match view.state {
        EndpointState::Active | EndpointState::Recovered => seen,
        EndpointState::Retired => format!("retired, {seen}"),
        EndpointState::Revoked => format!("revoked, {seen}"),
    };
    Named { id: view.id, name: view.name.clone(), about }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_named_without_regard_to_case_and_two_of_one_name_are_refused() {
        let view = |last: u8, name: &str, state: &str| -> EndpointView {
            serde_json::from_value(serde_json::json!({
                "id": EndpointId::from_bytes([last; 10]), "name": name, "client_id": "0000000000000001",
                "site_id": "0000000000000002", "state": state, "reachability": "never_seen", "work": "idle",
                "attention": [], "facts": {}, "enrolled_at": "2026-11-23T08:59:00Z", "revision": 0
            }))
            .unwrap()
        };
        let id = |last| EndpointId::from_bytes([last; 10]);
        let twins = [view(1, "hmi-3", "active"), view(2, "HMI-3", "recovered"), view(3, "hmi-3b", "active")];
        for text in ["hmi-3", "HMI-3", " Hmi-3 "] {
            let failure = machine(text, &twins).unwrap_err();
            assert_eq!(failure.what, format!("`{text}` names 2 machines"));
            let next = failure.next.unwrap();
            assert!(next.contains(&id(1).to_string()) && next.contains(&id(2).to_string()), "{next}");
            assert!(!next.contains(&id(3).to_string()), "{next}");
        }
        assert_eq!(machine(&id(2).to_string(), &twins).unwrap().id, id(2), "an id is never ambiguous");
        let retired = [view(1, "hmi-3", "retired"), view(2, "HMI-3", "active"), view(3, "hmi-3", "revoked")];
        assert_eq!(machine("hmi-3", &retired).unwrap().id, id(2), "the others are out of service");
        let gone = [view(1, "hmi-3", "retired"), view(3, "hmi-3", "revoked")];
        let next = machine("hmi-3", &gone).unwrap_err().next.unwrap();
        assert!(next.contains("retired, never seen") && next.contains("revoked, never seen"), "{next}");
        assert_eq!(machine("hmi-3", &gone[..1]).unwrap().id, id(1), "its record is still read by name");
        assert!(machine("hmi-4", &twins).unwrap_err().next.unwrap().starts_with("see them all"));
    }
}
