//! Backups without keys and encrypted ones, made and restored by the real programs while a real machine waits.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use tidegate_programs::harness::{Machine, World};

/// A key of no other use than in these tests, as `age-keygen` writes it.
const IDENTITY: &str = "AGE-SECRET-KEY-1AXUX7X46XAZ0H56KEWNHHTMJGUZNRU0888SEPQQFN58NS4WRFK8QMD3490\n";
const RECIPIENT: &str = "age1zvnjn3x9jx8h2atln69ny0drth5v3qs8xc57kjuejhqqfnpa7saswknr6z";

#[test]
fn a_machine_obeys_its_control_plane_after_every_kind_of_restore() -> anyhow::Result<()> {
    let mut world = World::new()?;
    let mut machine = world.machine()?;
    machine.start()?;
    works(&world, &machine, "before")?;
    let place = |name: &str| world.directory.path().join(name).to_string_lossy().into_owned();
    let (keyless, encrypted, identity) = (place("keyless.db"), place("backup.age"), place("identity.txt"));
    let root_key = place("root-key.pem");
    fs::write(&identity, IDENTITY)?;

    let said = world.plane.admin(&["backup", "--out", &keyless, "--without-keys"])?;
    ensure!(said.contains("It holds no keys.") && said.contains("not encrypted"), "{said}");
    let said = world.plane.admin(&["backup", "--out", &encrypted, "--encrypt-to", RECIPIENT])?;
    ensure!(said.contains("encrypted to 1 recipient, whose --identity opens it"), "{said}");

    ensure!(world.plane.stop()?, "the control plane stops when asked");
    let said = world.plane.admin(&["restore", "--from", &keyless])?;
    ensure!(said.contains("order key 1 stays in use"), "{said}");
    world.plane.start()?;
    works(&world, &machine, "with the keys of the directory that was replaced")?;

    ensure!(world.plane.stop()?, "the control plane stops when asked");
    fs::remove_dir_all(&world.plane.data)?;
    world.plane.admin(&["restore", "--from", &encrypted, "--identity", &identity])?;
    world.plane.start()?;
    works(&world, &machine, "with the keys of the encrypted backup")?;

    ensure!(world.plane.stop()?, "the control plane stops when asked");
    fs::remove_dir_all(&world.plane.data)?;
    let said = world.plane.admin(&["restore", "--from", &keyless, "--root-key", &root_key])?;
    ensure!(said.contains("the root key made order key 2"), "{said}");
    world.plane.start()?;
    works(&world, &machine, "with a new key")?;
    world.verified(&machine.endpoint)?;
    Ok(())
}

/// SQLite leaves what was deleted in free pages. Tidegate has it overwritten; another tool that opened the database may not
/// have, so a backup without keys takes nothing from there.
#[test]
fn a_backup_without_keys_has_nothing_of_the_free_pages() -> anyhow::Result<()> {
    let mut world = World::new()?;
    ensure!(world.plane.stop()?, "the control plane stops when asked");
    let seeds = leave_in_free_pages(&world.plane.data.join("tidegate.db"))?;
    let holds = |name: &str| -> anyhow::Result<bool> {
        let bytes = fs::read(world.directory.path().join(name))?;
        Ok(seeds.iter().any(|seed| bytes.windows(seed.len()).any(|window| window == seed)))
    };
    for (name, option, expected) in [("whole.db", None, true), ("keyless.db", Some("--without-keys"), false)]
    {
        let out = world.directory.path().join(name).to_string_lossy().into_owned();
        let arguments: Vec<&str> = ["backup", "--out", &out].into_iter().chain(option).collect();
        world.plane.admin(&arguments)?;
        ensure!(holds(name)? == expected, "{name} holds a key: {}", !expected);
    }
    Ok(())
}

/// Puts the keys into many rows, deletes the rows, takes the keys themselves away, and answers what they were.
fn leave_in_free_pages(database: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let connection = rusqlite::Connection::open(database)?;
    connection.pragma_update(None, "secure_delete", false)?;
    let mut statement = connection.prepare("SELECT order_seed, statement_seed FROM order_key")?;
    let seeds = statement.query_row([], |row| Ok(vec![row.get(0)?, row.get(1)?]))?;
    drop(statement);
    connection.execute_batch(
        "CREATE TABLE former (order_seed BLOB, statement_seed BLOB, filler BLOB);
         INSERT INTO former WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
             SELECT order_seed, statement_seed, zeroblob(500) FROM order_key, n;
         DROP TABLE former;
         UPDATE order_key SET order_seed = randomblob(32), statement_seed = randomblob(32);",
    )?;
    connection.close().map_err(|(_, error)| error).context("the database can be closed")?;
    Ok(seeds)
}

fn works(world: &World, machine: &Machine, when: &str) -> anyhow::Result<()> {
    let arguments = ["run", &machine.endpoint, "--wait", "--timeout", "60s", "--", "echo", "fine"];
    let said = world.tidegate(&arguments, 0).with_context(|| when.to_owned())?;
    ensure!(said.contains("| fine"), "{when}: {said}");
    Ok(())
}
