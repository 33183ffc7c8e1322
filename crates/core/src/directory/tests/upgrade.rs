//! A directory that an older program wrote.

use crate::directory::{SCHEMA, session_digest};
use crate::schema::{Schema, migrate};
use crate::sql::{ReadSql, Sql};
use crate::time::Milliseconds;

use super::people::who;
use super::sessions::{in_session, live};
use super::support::{World, secret};

#[test]
fn tokens_of_before_work_on_without_an_end_and_sessions_for_12_hours_from_when_they_began() {
    let mut world = World::of_version(2);
    let now = world.now;
    let person = crate::id::PersonId::from_bytes([3; 10]);
    world
        .db
        .execute(
            "INSERT INTO person (person_id, email, role, created_at) VALUES (?1, 'kim@msp.example', 'owner', ?2)",
            &[person.into(), now.into()],
        )
        .unwrap();
    world
        .db
        .execute(
            "INSERT INTO token (token_id, digest, name, person_id, created_at) VALUES ('t', ?1, 'old', ?2, ?3)",
            &[secret("token").into(), person.into(), now.into()],
        )
        .unwrap();
    for (session, hours) in [("fresh", 11), ("stale", 12)] {
        let at = now.shifted_by_ms(-hours * 3_600_000);
        world
            .db
            .execute(
                "INSERT INTO session (session_id, digest, person_id, created_at, expires_at, agent)
                 VALUES (?1, ?2, ?3, ?4, ?5, '')",
                &[
                    crate::id::SessionId::from_bytes([hours as u8; 10]).into(),
                    session_digest(session).into(),
                    person.into(),
                    at.into(),
                    at.plus(Milliseconds::from_days(14)).into(),
                ],
            )
            .unwrap();
    }
    migrate(&world.db, &SCHEMA).unwrap();
    assert!(in_session(&world, "fresh").is_some());
    assert_eq!(in_session(&world, "stale"), None);
    assert_eq!(live(&world, None).len(), 1);
    world.pass("1000d");
    assert!(who(&world, "token").is_some());
}

#[test]
fn an_upgraded_directory_has_the_tables_of_a_fresh_one() {
    let tables = |world: &World| {
        let rows = world.db.query(
            "SELECT tables.name, columns.name, columns.type, columns.\"notnull\", columns.pk
             FROM sqlite_schema AS tables JOIN pragma_table_info(tables.name) AS columns
             WHERE tables.type = 'table' ORDER BY 1, 2",
            &[],
        );
        rows.unwrap()
    };
    let fresh = tables(&World::new());
    for version in 1..SCHEMA.migrations.len() {
        let world = World::of_version(version);
        assert_ne!(tables(&world), fresh, "version {version} is an older one");
        migrate(&world.db, &SCHEMA).unwrap();
        assert_eq!(tables(&world), fresh, "version {version}");
    }
    let newer: &'static [&'static str] = &["", "", "", ""];
    let known = Schema { name: SCHEMA.name, migrations: &newer[..SCHEMA.migrations.len() - 1] };
    assert!(migrate(&World::new().db, &known).is_err(), "an older program leaves it alone");
}
