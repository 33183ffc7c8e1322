//! The playbooks that a new control plane begins with: what plants ask most often, made of checks that exist.

use super::spec::PlaybookSpec;
use super::yaml;

/// The files, in the order of their names in a listing.
pub const STARTERS: [&str; 5] = [
    include_str!("starters/clock_is_off.yaml"),
    include_str!("starters/disk_is_full.yaml"),
    include_str!("starters/hmi_is_slow.yaml"),
    include_str!("starters/hmi_lost_its_controller.yaml"),
    include_str!("starters/service_is_down.yaml"),
];

/// The playbooks, read.
///
/// # Panics
///
/// Never: the files are compiled in, and a test reads them.
pub fn starters() -> Vec<PlaybookSpec> {
    STARTERS.iter().map(|text| yaml::read(text).expect("the starters are playbooks")).collect()
}
