//! Programs of two versions: what one writes in words that the other cannot read is kept and passed over.

use serde_json::Value;
use tidegate_core::chain::Link;
use tidegate_core::digest::Digest;
use tidegate_core::entropy::Entropy;
use tidegate_core::journal::JournalHeader;
use tidegate_core::runtime::{document_load, document_save};
use tidegate_core::sql::ReadSql;

use crate::world::{FIRST, World, look};

/// Appends an entry of a kind that this program does not know, as a newer runtime would.
fn entry_of_tomorrow(world: &World) {
    let disk = &world.machines[FIRST].disk;
    let body = r#"{"kind":"of_tomorrow","figures":[1,2]}"#;
    let rows = disk.query("SELECT header FROM journal ORDER BY number DESC LIMIT 1", &[]).unwrap();
    let last: JournalHeader = rows[0].json(0).unwrap();
    let number = last.link.number + 1;
    let link = Link::new(number, Digest::of(rows[0].text(0).unwrap()), body, &mut Entropy::new([7; 32]));
    let header = JournalHeader { kind: "of_tomorrow".to_owned(), link, ..last };
    let header = serde_json::to_string(&header).unwrap();
    let stored = disk.transaction(|db| {
        let mut state: Value = document_load(db, "state")?.unwrap();
        state["journal"]["number"] = number.into();
        state["journal"]["hash"] = Digest::of(&header).to_string().into();
        db.execute(
            "INSERT INTO journal (number, at, bytes, hash, header, body) VALUES (?1, 0, 1, ?2, ?3, ?4)",
            &[number.into(), Digest::of(&header).into(), header.as_str().into(), body.into()],
        )?;
        document_save(db, "state", &state)
    });
    stored.unwrap();
}

#[test]
fn an_entry_of_a_kind_of_tomorrow_is_on_record_and_work_goes_on() {
    let mut world = World::new(1, None);
    world.settle(FIRST, 3);
    entry_of_tomorrow(&world);
    let work = world.queue(look());
    world.settle(FIRST, 4);
    assert_eq!(world.transcript_count("journal.of_tomorrow"), 1);
    world.expect_runs(work, 1);
    assert_eq!(world.machines[FIRST].status_at(world.now).map(|status| status.live), Some(0));
}

#[test]
fn a_state_directory_of_yesterday_opens() {
    let mut world = World::new(1, None);
    world.settle(FIRST, 3);
    let disk = &world.machines[FIRST].disk;
    let without = disk.transaction(|db| {
        let mut state: Value = document_load(db, "state")?.unwrap();
        assert!(state.as_object_mut().unwrap().remove("traffic_told").is_some());
        document_save(db, "state", &state)
    });
    without.unwrap();
    let work = world.queue(look());
    world.settle(FIRST, 4);
    world.expect_runs(work, 1);
}
