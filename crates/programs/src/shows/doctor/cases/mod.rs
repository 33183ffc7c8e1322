//! The broken set-ups, each made for real.

mod machine;
mod way;

use std::process::Command;

use super::Clinic;

/// How many there are where everything can be made.
pub(super) const ALL: usize = 28;

/// One broken set-up.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// The doctor, in it.
    pub(super) command: Command,
    /// The one check that must be named.
    pub(super) broken: &'static str,
    /// Words of what is said.
    pub(super) says: &'static str,
    /// Words of the remedy.
    pub(super) remedy: &'static str,
}

/// All of them; those that this computer does not allow to be made are left out.
pub(super) fn all(clinic: &mut Clinic) -> anyhow::Result<Vec<Case>> {
    let mut cases = way::addresses(clinic)?;
    cases.extend(way::certificates(clinic)?);
    cases.extend(way::proxies(clinic)?);
    cases.extend(way::clocks(clinic)?);
    cases.extend(machine::states(clinic)?);
    cases.extend(machine::disks(clinic)?);
    cases.extend(machine::standings(clinic)?);
    Ok(cases)
}

fn case(
    name: &'static str,
    command: Command,
    broken: &'static str,
    says: &'static str,
    remedy: &'static str,
) -> Case {
    Case { name, command, broken, says, remedy }
}
