//! Every error that an operator can meet: its code, what provoked it, and what a person was told.

use super::{Scale, figure};
use crate::provocations::{AREAS, provoke};

pub(super) fn run(_: Scale) -> anyhow::Result<()> {
    let (mut provoked, mut codes) = (0, std::collections::BTreeSet::new());
    for area in AREAS {
        println!("\n  {}", area.name);
        for met in provoke(area)? {
            println!("\n    {}: {}", met.code, met.how);
            for line in met.said.lines() {
                println!("      |{line}");
            }
            codes.insert(met.code);
            provoked += 1;
        }
    }
    println!();
    figure("errors provoked, each with its code, its place and what next", provoked);
    figure("codes among them", codes.len());
    Ok(())
}
