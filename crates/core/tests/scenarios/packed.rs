//! Long entries are stored packed, and everything that reads them gets the exact text (G5).

use tidegate_core::api::{Paging, TranscriptEntryView};
use tidegate_core::call::{Answer, EndpointQuestion};
use tidegate_core::chain::Entry;
use tidegate_core::runtime::Input;
use tidegate_core::sql::ReadSql;
use tidegate_core::transcript::TranscriptHeader;

use crate::world::{FIRST, World};

/// A world whose machine wrote one long entry.
fn world() -> World {
    let mut world = World::new(1, None);
    world.settle(FIRST, 3);
    let version = "quoted \" and escaped \n ".repeat(10_000);
    world.machine_handle(FIRST, Input::Booted { version, leftovers: 0 });
    world.settle(FIRST, 3);
    world
}

fn exported(world: &World) -> Vec<Entry> {
    match world.asked(EndpointQuestion::ExportEntries { after: 0, through: 1_000 }).unwrap() {
        Answer::ExportEntries(entries) => entries.into_iter().map(|(_, entry)| entry).collect(),
        other => panic!("{other:?}"),
    }
}

fn page(world: &World) -> Vec<TranscriptEntryView> {
    let paging = Paging { cursor: None, limit: 100 };
    let question = EndpointQuestion::Transcript { is_newest_first: false, sequence: None, paging };
    match world.asked(question).unwrap() {
        Answer::Transcript(page) => page.items,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_long_entry_takes_little_room_and_is_exported_as_it_was_hashed() {
    let world = world();
    let stored = "SELECT body IS NULL, LENGTH(packed) FROM transcript WHERE packed IS NOT NULL";
    let rows = world.control.query(stored, &[]).unwrap();
    assert!(!rows.is_empty(), "the long entry is packed");
    for row in &rows {
        assert_eq!(row.integer(0).unwrap(), 1, "a packed entry is not stored twice");
        assert!(row.integer(1).unwrap() < 10_000, "{row:?}");
    }
    let long: Vec<_> = exported(&world)
        .into_iter()
        .inspect(|entry| {
            let header: TranscriptHeader = serde_json::from_str(&entry.header).unwrap();
            assert!(header.link.holds(entry.body.as_deref().unwrap()), "{}", entry.header);
        })
        .filter(|entry| entry.body.as_ref().unwrap().len() > 200_000)
        .collect();
    assert_eq!(long.len(), 1);
}

#[test]
fn rows_of_before_read_as_packed_ones_do() {
    let world = world();
    let (exported_before, shown_before) = (exported(&world), page(&world));
    // As a release before this one stored it.
    let entries = exported_before.iter().zip(1_u64..);
    world
        .control
        .transaction(|db| {
            for (entry, number) in entries {
                db.execute(
                    "UPDATE transcript SET body = ?2, packed = NULL WHERE number = ?1",
                    &[number.into(), entry.body.clone().into()],
                )?;
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(exported(&world), exported_before);
    assert_eq!(page(&world), shown_before);
    assert!(
        shown_before.iter().any(|entry| entry.body.as_ref().is_some_and(|body| body["version"].is_string()))
    );
}
