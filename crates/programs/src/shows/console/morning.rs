//! A night at three customers and the morning after: what needs a person is on one page, and its fault in one sentence.
//!
//! Four machines are real and go wrong in a way each; what is ordinary is done by machines without a process. The
//! pictures go to the folder that `TIDEGATE_SCREENSHOTS` names, else to a temporary one: whether somebody new to them can
//! say what is wrong is for a person to judge.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::signed_in;
use crate::harness::{
    Browser, Connection, Device, LightMachine, Machine, World, enrol_light, loopback, settle, wait_for,
};
use crate::shows::{Scale, figure};

/// Customers with their plants, the zone of each and what its ordinary machines are called.
const PLACES: [(&str, &str, &str, &str); 3] = [
    ("Nordwerk", "Plant 3", "Europe/Berlin", "Press"),
    ("Albrecht Dairy", "Bottling hall", "Europe/Berlin", "Filler line"),
    ("Kestrel Paper", "Mill 2", "Europe/Lisbon", "Winder"),
];
/// Ordinary machines of each plant: with the four that are not, forty.
const ORDINARY: usize = 12;
/// What ordinary machines were asked, and by how many of them a second thing.
const ROUTINE: [&str; 3] = ["Weekly check", "After the update", "Check of the link"];
const ASKED_TWICE: usize = 14;
const WAITING: usize = 4;
const CLEAN: usize = 3 * ORDINARY + ASKED_TWICE;
/// How long something has to come, on a busy computer.
const PATIENCE: u64 = 60;

struct Night {
    world: World,
    tokio: tokio::runtime::Runtime,
    /// The site of each place.
    sites: Vec<String>,
    /// Kept until the end: they are who is reachable.
    machines: Vec<Machine>,
}

/// Prepares the night, reads the morning, takes its pictures.
pub(in crate::shows) fn run(_: Scale) -> anyhow::Result<()> {
    let browser = Browser::start()?;
    let mut night = Night::begin()?;
    let ordinary = night.ordinary()?;
    let lost = night.lost_controller()?;
    night.recipes()?;
    night.cut_off()?;
    night.re_imaged()?;
    for machine in ordinary.iter().take(WAITING) {
        night.ask(&machine.endpoint.to_string(), "Look at the drive", &routine())?;
    }
    let view = night.counted()?;
    for (group, name) in [
        ("needs_person", "need a person"),
        ("held_or_missed", "held"),
        ("waiting", "waiting"),
        ("clean", "clean"),
    ] {
        figure(&format!("sequences, {name}"), count(&view, group));
    }
    let temporary = tempfile::tempdir()?;
    let given = std::env::var_os("TIDEGATE_SCREENSHOTS").map(PathBuf::from);
    let folder = given.as_deref().unwrap_or(temporary.path());
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    for device in [Device::DESK, Device::PHONE] {
        let tab = signed_in(&browser, &night.world, device)?;
        tab.goto(&format!("{}/", night.world.plane.url()))?;
        let text = tab.text()?;
        for said in [
            "3 things need a person",
            "Labeller 3 HMI",
            "Filler 2 HMI",
            "Packer 5 PC",
            "Palletiser 7 HMI",
            "refused",
            "interrupted",
        ] {
            ensure!(text.contains(said), "“{said}” is not on Overnight: {text}");
        }
        tab.shot(&folder.join(format!("morning-overnight-{}.png", device.width)), true)?;
        tab.goto(&format!("{}/sequences/{lost}", night.world.plane.url()))?;
        tab.shot(&folder.join(format!("morning-result-{}.png", device.width)), true)?;
        tab.close()?;
    }
    figure("pictures of Overnight and of one Result at both widths", 4);
    if given.is_some() {
        figure("they are in", folder.display());
    }
    Ok(())
}

fn routine() -> Value {
    json!([{ "probe": "ping", "with": { "host": "10.20.0.5" } }, { "probe": "system_info", "with": {} }])
}

fn count(view: &Value, group: &str) -> usize {
    view[group]["items"].as_array().map_or(0, Vec::len)
}

impl Night {
    fn begin() -> anyhow::Result<Self> {
        let world = World::new()?;
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let text = |value: &Value| value["id"].as_str().map(str::to_owned).context("it has an id");
        let mut sites = vec![world.site.clone()];
        // Sites have no revisions: the last edit counts.
        let zone = json!({ "time_zone": PLACES[0].2, "windows": ["daily 02:00-02:12"] });
        world.api.patch(&format!("/api/v1/sites/{}", world.site), 0, &zone)?;
        for (client, site, time_zone, _) in &PLACES[1..] {
            let client = text(&world.api.post("/api/v1/clients", &json!({ "name": client }))?)?;
            let site = json!({ "client_id": client, "name": site, "time_zone": time_zone });
            sites.push(text(&world.api.post("/api/v1/sites", &site)?)?);
        }
        Ok(Self { world, tokio, sites, machines: Vec::new() })
    }

    fn rename(&self, endpoint: &str, name: &str) -> anyhow::Result<()> {
        let place = format!("/api/v1/endpoints/{endpoint}");
        let revision = self.world.api.get(&place)?["revision"].as_u64().context("it has a revision")?;
        self.world.api.patch(&place, revision, &json!({ "name": name })).map(drop)
    }

    fn ask(&self, endpoint: &str, title: &str, steps: &Value) -> anyhow::Result<String> {
        let sequence = json!({ "title": title, "stop_on": "never", "steps": steps });
        let queued = self.world.api.post(&format!("/api/v1/endpoints/{endpoint}/sequences"), &sequence)?;
        Ok(queued["id"].as_str().context("a sequence has an id")?.to_owned())
    }

    /// What went as it should.
    fn ordinary(&mut self) -> anyhow::Result<Vec<LightMachine>> {
        let to = ([127, 0, 0, 1], self.world.plane.port()).into();
        let mut all = Vec::new();
        for (place, site) in self.sites.clone().into_iter().enumerate() {
            self.world.site = site;
            let code = self.world.code_for(ORDINARY)?;
            for (number, machine) in
                self.tokio.block_on(enrol_light(to, code, ORDINARY))?.into_iter().enumerate()
            {
                self.rename(
                    &machine.endpoint.to_string(),
                    &format!("{} {:02} HMI", PLACES[place].3, number + 1),
                )?;
                all.push(machine);
            }
        }
        for (number, machine) in all.iter_mut().enumerate() {
            let asked = if number < ASKED_TWICE { 2 } else { 1 };
            for title in ROUTINE.iter().cycle().skip(number).take(asked) {
                self.ask(&machine.endpoint.to_string(), title, &routine())?;
            }
            self.tokio.block_on(async {
                let mut connection = Connection::open(to, loopback(0)).await?;
                settle(machine, &mut connection).await?;
                ensure!(machine.run_steps(10)? == 2 * asked, "what was offered runs");
                settle(machine, &mut connection).await
            })?;
        }
        Ok(all)
    }

    /// A real machine of that plant, running.
    fn machine(&mut self, place: usize, name: &str) -> anyhow::Result<usize> {
        self.world.site.clone_from(&self.sites[place]);
        let mut machine = self.world.machine()?;
        self.rename(&machine.endpoint, name)?;
        machine.start()?;
        self.machines.push(machine);
        Ok(self.machines.len() - 1)
    }

    /// The controller's port refuses; what the HMI logged says since when.
    fn lost_controller(&mut self) -> anyhow::Result<String> {
        let log = self.world.directory.path().join("motion.log");
        std::fs::write(
            &log,
            "axis 3 in position\nservo link: no answer from controller\nservo link: given up after 3 retries\n",
        )?;
        let machine = self.machine(0, "Labeller 3 HMI")?;
        let steps = json!([
            { "probe": "ping", "with": { "host": "127.0.0.1", "count": 4 } },
            { "probe": "tcp_connect", "with": { "host": "127.0.0.1", "port": super::closed_port()? } },
            { "probe": "tail_file", "with": { "path": log, "lines": 10 } },
            { "probe": "disk_usage", "with": { "path": "/" } },
        ]);
        self.done(machine, "HMI lost the servo controller", &steps)
    }

    fn recipes(&mut self) -> anyhow::Result<String> {
        let machine = self.machine(1, "Filler 2 HMI")?;
        let url = format!("http://127.0.0.1:{}/recipes", super::closed_port()?);
        let steps = json!([
            { "probe": "http_check", "with": { "url": url } },
            { "probe": "processes", "with": {} },
        ]);
        self.done(machine, "Recipes do not load", &steps)
    }

    fn done(&self, machine: usize, title: &str, steps: &Value) -> anyhow::Result<String> {
        let id = self.ask(&self.machines[machine].endpoint, title, steps)?;
        self.world.ended(&id, PATIENCE)?;
        Ok(id)
    }

    /// The power failed in the middle of a step.
    fn cut_off(&mut self) -> anyhow::Result<()> {
        let machine = self.machine(2, "Packer 5 PC")?;
        let steps = json!([
            { "probe": "system_info", "with": {} },
            { "probe": "shell", "with": { "command": "echo rebuilding the recipe index; sleep 600" }, "timeout": "15m" },
        ]);
        let id = self.ask(&self.machines[machine].endpoint, "Rebuild the recipe index", &steps)?;
        wait_for("the step to run", PATIENCE, || {
            Ok(self.world.sequence(&id)?["steps"][1]["state"] == "running")
        })?;
        self.machines[machine].kill()?;
        self.machines[machine].start()?;
        self.world.ended(&id, PATIENCE).map(drop)
    }

    /// The disk was replaced while work waited; somebody has said that it is the same machine.
    fn re_imaged(&mut self) -> anyhow::Result<()> {
        let machine = self.machine(0, "Palletiser 7 HMI")?;
        let endpoint = self.machines[machine].endpoint.clone();
        wait_for("its first check-in", PATIENCE, || {
            Ok(self.world.api.get(&format!("/api/v1/endpoints/{endpoint}"))?["reachability"] == "reachable")
        })?;
        self.machines[machine].stop()?;
        for title in ["Check of the link", "Gripper misses cartons", "Read the drive's log"] {
            self.ask(&endpoint, title, &routine())?;
        }
        self.world.listed(&endpoint)?;
        let code = json!({ "site_id": self.world.site, "endpoint_id": endpoint });
        let code = self.world.api.post("/api/v1/enrolment-codes", &code)?;
        let code = code["code"].as_str().context("a new code is told")?;
        let state = self.world.directory.path().join("new-image");
        let mut new = Machine::enrol(&state, &self.world.plane.url(), code)?;
        new.start()?;
        self.machines.push(new);
        let mut candidate = None;
        wait_for("its new journal", PATIENCE, || {
            let view = self.world.api.get(&format!("/api/v1/endpoints/{endpoint}"))?;
            let journals = view["journals"].as_array().context("an endpoint has journals")?;
            let found = journals.iter().find(|it| it["state"] == "candidate" && it["number"] != 0);
            candidate = found.and_then(|it| it["id"].as_str().map(str::to_owned));
            Ok(candidate.is_some())
        })?;
        let adopt = json!({ "journal_id": candidate });
        self.world.api.post(&format!("/api/v1/endpoints/{endpoint}/adopt"), &adopt).map(drop)
    }

    /// The morning, once all of it is told.
    fn counted(&self) -> anyhow::Result<Value> {
        let mut view = Value::Null;
        let wanted = [("needs_person", 3), ("held_or_missed", 3), ("waiting", WAITING), ("clean", CLEAN)];
        wait_for("the night to be told", PATIENCE, || {
            view = self.world.api.get("/api/v1/overnight?limit=200")?;
            Ok(wanted.iter().all(|(group, items)| count(&view, group) == *items))
        })
        .with_context(|| format!("{view:#}"))?;
        Ok(view)
    }
}
