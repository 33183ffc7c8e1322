//! What scripts branch on: the exit codes of `tidegate`, against a control plane and a runtime that really run.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tidegate_programs::harness::{World, binary, free_port, wait_for};

/// Nobody has a name under this one (RFC 2606), so asking for it finds something and needs no network.
const NOWHERE: &str = "host=nowhere.invalid";

#[test]
fn what_becomes_of_the_work_is_the_exit_code() -> anyhow::Result<()> {
    let mut world = World::new()?;
    let mut machine = world.machine()?;
    machine.start()?;
    let endpoint = machine.endpoint.clone();
    wait_for("the machine's checks", 20, || {
        Ok(world.api.get(&format!("/api/v1/endpoints/{endpoint}"))?["facts"]["hostname"].is_string())
    })?;

    let said = world.tidegate(&["run", &endpoint, "--wait", "--", "echo", "fine"], 0)?;
    ensure!(said.contains("✓ Done") && said.contains("| fine"), "0, done: {said}");
    let said = world.tidegate(&["run", &endpoint, "--wait", "--", "exit 3"], 1)?;
    ensure!(said.contains("✗ Failed: exit code 3"), "1, a step did not succeed: {said}");
    let said = world.tidegate(&["run", &endpoint, "--wait", "--probe", "ping", NOWHERE, "count=1"], 5)?;
    ensure!(said.contains("! Done: `nowhere.invalid` was not found"), "5, needs a look: {said}");
    let said = world.tidegate(&["run", &endpoint, "--wait", "--json", "--", "exit 3"], 1)?;
    let sequence: Value = serde_json::from_str(&said).context("one document and nothing else")?;
    ensure!(sequence["state"] == "failed", "{sequence:#}");

    machine.stop()?;
    let arguments = ["run", &endpoint, "--wait", "--timeout", "1s", "--", "true"];
    let said = world.tidegate(&arguments, 3)?;
    ensure!(
        said.contains("waits for  the machine's next check-in"),
        "3, not taken within the timeout: {said}"
    );

    world.tidegate(&["endpoints", "retire", &endpoint, "--yes"], 0)?;
    let refused = tidegate(&world, &["run", &endpoint, "--", "true"])?;
    ends(&refused, 4, &["nothing was queued"])
}

#[test]
fn an_error_says_what_happened_and_what_next() -> anyhow::Result<()> {
    let mut world = World::new()?;
    let mut machine = world.machine()?;
    machine.start()?;
    let endpoint = machine.endpoint.clone();
    wait_for("the machine's checks", 20, || {
        Ok(world.tidegate(&["endpoints", "show", &endpoint, "--probes"], 0)?.contains("count"))
    })?;
    let file = world.directory.path().join("mistake.yaml");
    std::fs::write(&file, "title: a mistake\nsteps:\n  - probe: ping\n    args: { host: a }\n")?;
    let file = file.to_string_lossy();

    ends(&tidegate(&world, &["endpoints", "watch"])?, 2, &["watch", "--help"])?;
    ends(&tidegate(&world, &["endpoints", "show", "nobody"])?, 2, &["`nobody`", "tidegate endpoints list"])?;
    ends(&tidegate(&world, &["run", &endpoint, "--file", &file])?, 2, &["unknown field `args`", "line 4"])?;
    let unknown = ["run", &endpoint, "--probe", "pong", "host=a"];
    ends(&tidegate(&world, &unknown)?, 2, &["unknown probe `pong`", "ping", "--probes"])?;
    let out_of_bounds = ["run", &endpoint, "--probe", "ping", "host=a", "count=99"];
    ends(&tidegate(&world, &out_of_bounds)?, 2, &["`count`", "from 1 to 20", "--probes"])?;

    let nobody = format!("http://127.0.0.1:{}", free_port()?);
    ends(&tidegate(&world, &["clients", "--url", &nobody])?, 3, &["failed to reach", "refused", "repeat"])?;

    let mut stranger = command(&world, &["clients"])?;
    let stranger = stranger.env("TIDEGATE_TOKEN", "tgp_not-a-token").output()?;
    ends(&stranger, 4, &["token", "tidegate admin token"])?;
    let mut unsigned = command(&world, &["clients"])?;
    let unsigned = unsigned.env_remove("TIDEGATE_TOKEN").env_remove("TIDEGATE_URL").output()?;
    ends(&unsigned, 2, &["no control plane is named", "tidegate login LINK"])
}

#[test]
fn a_playbook_is_run_by_name_and_goes_out_to_a_file_and_back() -> anyhow::Result<()> {
    let mut world = World::new()?;
    let mut machine = world.machine()?;
    machine.start()?;
    let endpoint = machine.endpoint.clone();
    wait_for("the machine's checks", 20, || {
        Ok(world.tidegate(&["endpoints", "show", &endpoint, "--probes"], 0)?.contains("count"))
    })?;
    let here = world.directory.path().to_string_lossy().into_owned();

    let listed = world.tidegate(&["playbooks"], 0)?;
    ensure!(listed.contains("Disk is full") && listed.contains("Service is down"), "the starters: {listed}");
    let shown = world.tidegate(&["playbooks", "show", "disk is full"], 0)?;
    ensure!(shown.contains("folder: one line of text") && shown.contains("It takes about"), "{shown}");

    let set = format!("folder={here}");
    let run = ["playbooks", "run", "Disk is full", "--endpoint", &endpoint, "--set", &set];
    let said = tidegate(&world, &[&run[..], &["--wait", "--json"]].concat())?;
    let sequence: Value = serde_json::from_slice(&said.stdout).context("one document and nothing else")?;
    ensure!(sequence["playbook"]["name"] == "Disk is full", "it says where it is from: {sequence:#}");
    ensure!(sequence["steps"][2]["state"] == "succeeded", "the command ran: {sequence:#}");
    let printed =
        sequence["steps"][2]["attempts"][0]["result"]["output"]["text"].as_str().unwrap_or_default();
    ensure!(printed.contains(&here), "it looked where it was told to: {printed}");

    let hostile = format!("folder={here}; touch {here}/owned");
    let run = ["playbooks", "run", "Disk is full", "--endpoint", &endpoint, "--set", &hostile];
    ends(&tidegate(&world, &run)?, 4, &["`folder`", "one plain word", "invalid_playbook"])?;
    let missing = ["playbooks", "run", "Service is down", "--endpoint", &endpoint];
    ends(&tidegate(&world, &missing)?, 4, &["`service` is missing", "1 to 255 bytes"])?;
    let unknown = ["playbooks", "run", "Disk is full", "--endpoint", &endpoint, "--set", "path=/"];
    ends(&tidegate(&world, &unknown)?, 2, &["no parameter `path`", "folder, since"])?;
    ensure!(!world.directory.path().join("owned").exists(), "no value became a command");
    let queued = world.api.get(&format!("/api/v1/sequences?endpoint={endpoint}"))?;
    ensure!(queued["items"].as_array().map(Vec::len) == Some(1), "mistakes queue nothing: {queued}");

    let file = world.directory.path().join("disk.yaml");
    let out = file.to_string_lossy().into_owned();
    world.tidegate(&["playbooks", "export", "Disk is full", "--out", &out], 0)?;
    ends(
        &tidegate(&world, &["playbooks", "export", "Disk is full", "--out", &out])?,
        2,
        &["exists already"],
    )?;
    let same = world.tidegate(&["playbooks", "import", &out], 0)?;
    ensure!(same.contains("stays at version 1"), "what came out is what is there: {same}");
    let text = std::fs::read_to_string(&file)?;
    std::fs::write(&file, text.replace("title: Disk is full", "title: Full disk"))?;
    let saved = world.tidegate(&["playbooks", "import", &out], 0)?;
    ensure!(saved.contains("is at version 2"), "an edit is a version: {saved}");
    std::fs::write(&file, text.replace("{{folder}}", "{{place}}"))?;
    ends(&tidegate(&world, &["playbooks", "import", &out])?, 2, &["`{{place}}`", "nothing was stored"])?;

    world.tidegate(&["playbooks", "archive", "Disk is full"], 0)?;
    ensure!(!world.tidegate(&["playbooks", "list"], 0)?.contains("Disk is full"), "it is out of the way");
    let run = ["playbooks", "run", "Disk is full", "--endpoint", &endpoint];
    ends(&tidegate(&world, &run)?, 4, &["archived", "unarchive it first"])?;
    world.tidegate(&["playbooks", "unarchive", "Disk is full"], 0)?;
    ensure!(world.tidegate(&["playbooks", "list"], 0)?.contains("Disk is full"), "and back again");
    Ok(())
}

#[test]
fn a_control_plane_that_cannot_start_says_why() -> anyhow::Result<()> {
    let world = World::new()?;
    let empty = world.directory.path().join("empty").to_string_lossy().into_owned();
    ends(&tidegate(&world, &["serve", "--data", &empty])?, 4, &["no owner", "tidegate admin owner"])?;
    let data = world.plane.data.to_string_lossy().into_owned();
    let free = format!("127.0.0.1:{}", free_port()?);
    ends(&tidegate(&world, &["serve", "--data", &data, "--listen", &free])?, 4, &["in use"])?;

    let other = world.directory.path().join("other").to_string_lossy().into_owned();
    let key = world.directory.path().join("other-root-key.pem").to_string_lossy().into_owned();
    let owner = ["admin", "owner", "--data", &other, "--email", "kim@example.com", "--root-key", &key];
    let link = world.tidegate(&owner, 0)?;
    ensure!(link.lines().last().is_some_and(|line| line.contains("/sign-in#")), "{link}");
    let taken = format!("127.0.0.1:{}", world.plane.port());
    ends(&tidegate(&world, &["serve", "--data", &other, "--listen", &taken])?, 4, &["listen", "--listen"])
}

#[test]
fn an_altered_export_is_found_and_another_file_is_none() -> anyhow::Result<()> {
    let mut world = World::new()?;
    let mut machine = world.machine()?;
    machine.start()?;
    let id = world.queue(&machine, &json!({ "steps": [{ "probe": "system_info" }] }))?;
    world.ended(&id, 30)?;
    let file = world.directory.path().join("record.tgx");
    let path = file.to_string_lossy().into_owned();
    world.tidegate(&["export", &machine.endpoint, "--out", &path], 0)?;
    let said = world.tidegate(&["verify", &path], 6)?;
    ensure!(said.contains("not proved: whose record this is") && !said.contains('✓'), "{said}");
    ends(&tidegate(&world, &["export", &machine.endpoint, "--out", &path])?, 2, &["exists", "--force"])?;

    // Whose record it is: the code that the machine enrolled with holds the root key's fingerprint.
    let code = world.code()?;
    let fingerprint = code.split('.').nth(2).context("a code has four parts")?;
    let said = world.tidegate(&["verify", &path, "--root", fingerprint], 0)?;
    ensure!(said.contains("as you named it") && said.contains("✓ complete to "), "{said}");
    ensure!(said.contains("endorsed") && said.contains("signed  "), "{said}");
    world.tidegate(&["verify", &path, "--root", &"0".repeat(64)], 5)?;

    let genuine = std::fs::read_to_string(&file)?;
    std::fs::write(&file, genuine.replacen("\"queued\"", "\"queuex\"", 1))?;
    let said = world.tidegate(&["verify", &path], 5)?;
    ensure!(said.contains('✗') && said.contains("complete to "), "{said}");
    std::fs::write(&file, "not an export\n")?;
    ends(&tidegate(&world, &["verify", &path])?, 4, &["no export", "tidegate export"])
}

#[test]
fn a_sign_in_link_works_once_and_is_remembered() -> anyhow::Result<()> {
    let mut world = World::new()?;
    world.plane.stop()?;
    let fresh = world.directory.path().join("fresh");
    let key = world.directory.path().join("fresh.pem").to_string_lossy().into_owned();
    let owner = ["admin", "owner", "--email", "kim@example.com", "--root-key", &key, "--url"];
    let url = world.plane.url();
    let fresh_text = fresh.to_string_lossy().into_owned();
    let said = world.tidegate(&[&owner[..], &[&url, "--data", &fresh_text]].concat(), 0)?;
    let link = said.lines().last().context("the link is the last line")?.to_owned();
    world.plane.data = fresh;
    world.plane.start()?;

    let signed_in = |arguments: &[&str]| -> anyhow::Result<Output> {
        let mut command = command(&world, arguments)?;
        Ok(command.env_remove("TIDEGATE_TOKEN").env_remove("TIDEGATE_URL").output()?)
    };
    ends(&signed_in(&["login", &link])?, 0, &[])?;
    ends(&signed_in(&["clients"])?, 0, &[])?;
    ends(&signed_in(&["login", &link])?, 4, &["works once", "tidegate admin token"])
}

#[test]
fn a_link_tells_what_passed_when_it_is_asked_and_at_its_end() -> anyhow::Result<()> {
    let far = TcpListener::bind(("127.0.0.1", 0))?;
    let to = far.local_addr()?.to_string();
    let mut link = Command::new(binary("tidegate")?)
        .args(["link", "--json", "--listen", "127.0.0.1:0", "--to", &to])
        .args(["--schedule", "open rate=none latency=1ms", "--rate", "8bit/s"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(link.stdout.take().context("its output is read")?).lines();
    let mut event = || -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&lines.next().context("it says something")??)?)
    };
    let address = event()?["address"].as_str().context("it tells its address")?.to_owned();
    ensure!(event()?["event"] == "open", "the schedule begins");

    let mut near = TcpStream::connect(&address)?;
    near.write_all(b"question")?;
    let (mut end, _) = far.accept()?;
    end.read_exact(&mut [0; 8])?;
    end.write_all(b"an answer")?;
    near.read_exact(&mut [0; 9])?;
    let passed =
        |event: &Value| [&event["connections"], &event["up_bytes"], &event["down_bytes"]] == [1, 8, 9];
    let process = link.id().to_string();
    let signal = |name: &str| Command::new("kill").args([name, &process]).status();
    signal("-USR1")?;
    let counts = event()?;
    ensure!(counts["event"] == "counts" && passed(&counts), "{counts}");
    signal("-TERM")?;
    let ended = event()?;
    ensure!(ended["event"] == "ended" && passed(&ended), "{ended}");
    ensure!(link.wait()?.success());
    Ok(())
}

fn command(world: &World, arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(binary("tidegate")?);
    command
        .args(arguments)
        .env("TIDEGATE_URL", world.plane.url())
        .env("TIDEGATE_TOKEN", &world.plane.token)
        .env("XDG_CONFIG_HOME", world.directory.path());
    Ok(command)
}

fn tidegate(world: &World, arguments: &[&str]) -> anyhow::Result<Output> {
    Ok(command(world, arguments)?.output()?)
}

/// The program ended with `code` and told, on standard error, all of `parts`.
fn ends(output: &Output, code: i32, parts: &[&str]) -> anyhow::Result<()> {
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(code), "{} and not {code}: {said}", output.status);
    for part in parts {
        ensure!(said.contains(part), "it does not say `{part}`: {said}");
    }
    Ok(())
}
