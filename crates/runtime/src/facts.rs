//! What the machine tells of itself: what stays the same between two starts, so that only a change is journaled.

use serde_json::{Map, Value};

use crate::probes;

/// The facts as they are now.
pub(crate) fn collect() -> Map<String, Value> {
    let mut facts = probes::machine_facts();
    for changing in ["memory_available_bytes", "uptime_seconds", "booted_at", "boot_id"] {
        facts.remove(changing);
    }
    facts.insert("runtime_version".into(), env!("CARGO_PKG_VERSION").into());
    facts
}

/// What the machine calls itself, for its record's name.
pub(crate) fn name(facts: &Map<String, Value>) -> String {
    let name = facts.get("hostname").and_then(Value::as_str).unwrap_or_default().trim();
    let clean: String = name.chars().filter(|character| !character.is_control()).take(100).collect();
    if clean.is_empty() { "unnamed machine".to_owned() } else { clean }
}
