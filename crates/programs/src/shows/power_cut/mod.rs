//! Power cuts under the control plane and under the machine: nothing acknowledged is missing, nothing is corrupt.
//!
//! The programs run on a disk that keeps only what was synced ([`crate::power_cut`]); each disk lives through many
//! cuts and is looked over after each. At the end a disk that lies proves that losses would be seen.

mod disk;
mod load;
mod runtime;
mod server;

use anyhow::{Context as _, ensure};

use super::{Scale, figure};
use runtime::MachineDisk;
use server::ServerDisk;

/// Cuts that one disk lives through, before a fresh one is taken.
const CUTS_PER_DISK: usize = 20;
/// Cuts within which a disk that lies must be found out.
const LIES_MAX: usize = 5;

/// What was counted.
#[derive(Debug, Default)]
struct Tally {
    cuts: usize,
    /// Answers 2xx under the control plane; journal entries that it was told before a cut under the machine.
    acknowledged: usize,
    entries: u64,
    corrupt: usize,
    ran: usize,
    interrupted: usize,
    reran: usize,
}

pub(super) fn run(scale: Scale) -> anyhow::Result<()> {
    let cuts = scale.pick(200, 6);
    let per_disk = CUTS_PER_DISK.min(cuts / 2);
    let under_server = cut_server(cuts, per_disk).context("under the control plane")?;
    figure("control plane: power cuts, half with leaked writes", under_server.cuts);
    figure("control plane: answers 2xx that must be there", under_server.acknowledged);
    figure("control plane: of them missing / databases corrupt", format!("0 / {}", under_server.corrupt));
    figure("control plane: transcript entries whose chain holds", under_server.entries);
    figure("control plane: steps queued meanwhile, each ran once", under_server.ran);
    let under_machine = cut_machine(cuts, per_disk).context("under the machine")?;
    figure("machine: power cuts, half with leaked writes", under_machine.cuts);
    figure(
        "machine: journal entries told before a cut / missing",
        format!("{} / 0", under_machine.acknowledged),
    );
    figure(
        "machine: journal entries kept / databases corrupt",
        format!("{} / {}", under_machine.entries, under_machine.corrupt),
    );
    figure("machine: attempts that succeeded, each ran once", under_machine.ran);
    figure("machine: attempts cut off, each says `interrupted`", under_machine.interrupted);
    figure("machine: of them run again, as `rerun` asked", under_machine.reran);
    lies()
}

/// What the disk does in a cut: every second time some of what was not synced is there all the same.
fn honest(cut: usize) -> String {
    let leak = if cut.is_multiple_of(2) { "0" } else { "0.5" };
    format!("seed={cut},leak={leak}")
}

fn cut_server(cuts: usize, per_disk: usize) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    while tally.cuts < cuts {
        let mut disk = ServerDisk::new(tally.cuts as u64)?;
        for _ in 0..per_disk.min(cuts - tally.cuts) {
            let cut = tally.cuts;
            let wrong = disk.cut(cut, &honest(cut), &mut tally).with_context(|| format!("cut {cut}"))?;
            ensure!(wrong.is_empty(), "after cut {cut} ({}) it misses: {wrong:?}", honest(cut));
        }
        disk.settle(&mut tally).with_context(|| format!("after {} cuts", tally.cuts))?;
    }
    Ok(tally)
}

fn cut_machine(cuts: usize, per_disk: usize) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    while tally.cuts < cuts {
        let mut disk = MachineDisk::new(tally.cuts as u64)?;
        for _ in 0..per_disk.min(cuts - tally.cuts) {
            let cut = tally.cuts;
            let wrong = disk.cut(cut, &honest(cut), &mut tally).with_context(|| format!("cut {cut}"))?;
            ensure!(wrong.is_empty(), "after cut {cut} ({}) it misses: {wrong:?}", honest(cut));
        }
        disk.settle(&mut tally).with_context(|| format!("after {} cuts", tally.cuts))?;
    }
    Ok(tally)
}

/// The same on a disk that says it synced and did not: the show must fail.
fn lies() -> anyhow::Result<()> {
    let mut server = ServerDisk::new(0)?;
    let found = find_loss(|cut| server.cut(cut, "sync=lie", &mut Tally::default()))?;
    let (cuts, wrong) =
        found.context("a control plane on a disk that lies lost nothing: the show cannot fail")?;
    let acknowledged = server.acknowledged();
    figure("control plane on a disk that lies: found at cut", cuts);
    figure("… which misses", format!("{} of {acknowledged} answers", wrong.join(", ")));
    let mut machine = MachineDisk::new(0)?;
    let found = find_loss(|cut| machine.cut(cut, "sync=lie", &mut Tally::default()))?;
    let (cuts, wrong) = found.context("a machine on a disk that lies lost nothing: the show cannot fail")?;
    figure("machine on a disk that lies: found at cut", cuts);
    figure("… which misses", wrong.join(", "));
    Ok(())
}

type Found = Option<(usize, Vec<String>)>;

fn find_loss(mut cut: impl FnMut(usize) -> anyhow::Result<Vec<String>>) -> anyhow::Result<Found> {
    for number in 1..=LIES_MAX {
        let wrong = cut(number)?;
        if !wrong.is_empty() {
            return Ok(Some((number, wrong)));
        }
    }
    Ok(None)
}
