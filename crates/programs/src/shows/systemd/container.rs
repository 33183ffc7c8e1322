//! A machine with systemd in namespaces of its own: switched on, off, and unplugged.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use crate::harness::Cable;
use crate::harness::wait_for;

/// Names the folder of a minimal system with systemd; `./dev` makes it.
const ROOT_VARIABLE: &str = "TIDEGATE_SYSTEMD_ROOT";
const BOOT: &str = include_str!("boot.sh");
/// Joins the control group `$1`, then everything else of its own. Ended with the show, however that ends.
const UNSHARE: &str = r#"echo $$ > "$1/cgroup.procs" && exec setpriv --pdeathsig KILL unshare --mount --pid --fork \
    --uts --ipc --net --cgroup --kill-child --propagation private sh -c "$2" boot "$3""#;
/// How long a start or an end may take at the most.
const PATIENCE_S: u64 = 60;

/// The machine. Its folder is a copy, so that what a show does to it stays with the show.
#[derive(Debug)]
pub(super) struct Container {
    root: PathBuf,
    group: PathBuf,
    power: Option<Power>,
}

/// A machine that is on.
#[derive(Debug)]
struct Power {
    /// `unshare`: with it everything ends.
    outside: Child,
    /// The machine's first process, as the host counts.
    init: u32,
}

impl Container {
    /// Makes the machine in `folder`; it is off.
    pub(super) fn new(folder: &Path) -> anyhow::Result<Self> {
        let original = std::env::var_os(ROOT_VARIABLE).map(PathBuf::from).with_context(|| {
            format!("{ROOT_VARIABLE} names no system to boot: `./dev shows systemd` makes one and names it")
        })?;
        let id = Command::new("id").arg("-u").output()?;
        ensure!(id.stdout == b"0\n", "booting a system in namespaces takes root");
        let root = folder.join("machine-root");
        let copied = Command::new("cp").args(["-a", "--reflink=auto"]).arg(&original).arg(&root).status()?;
        ensure!(copied.success(), "failed to copy `{}`", original.display());
        fs::write(root.join("etc/hostname"), "plant-3\n")?;
        // Upkeep of a real machine's disks has no place here.
        let _ = fs::remove_dir_all(root.join("etc/systemd/system/timers.target.wants"));
        let group = own_group()?.join(format!("tidegate-show-{}", std::process::id()));
        fs::create_dir(&group).with_context(|| format!("failed to make `{}`", group.display()))?;
        Ok(Self { root, group, power: None })
    }

    /// A file of the machine, as the host sees it.
    pub(super) fn file(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The control group that everything of it is in.
    pub(super) fn group(&self) -> &Path {
        &self.group
    }

    /// Switches it on, with no cable in it, and waits until it has started.
    pub(super) fn boot(&mut self) -> anyhow::Result<()> {
        let outside = Command::new("sh")
            .args(["-c", UNSHARE, "sh"])
            .arg(&self.group)
            .arg(BOOT)
            .arg(&self.root)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let id = outside.id();
        // Init is only known once it has become systemd: until then it still is on its way out of the host's root.
        self.power = Some(Power { outside, init: 0 });
        wait_for("the machine's first process", PATIENCE_S, || {
            self.check_is_on()?;
            let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
            let Some(init) = children.split_whitespace().next().and_then(|init| init.parse().ok()) else {
                return Ok(false);
            };
            let is_systemd =
                fs::read_to_string(format!("/proc/{init}/comm")).is_ok_and(|name| name.trim() == "systemd");
            if let (true, Some(power)) = (is_systemd, &mut self.power) {
                power.init = init;
            }
            Ok(is_systemd)
        })?;
        wait_for("the machine's start", PATIENCE_S, || {
            self.check_is_on()?;
            let stands = self.ask("systemctl is-system-running")?;
            // Degraded: a service of the system's own that found no place in namespaces.
            Ok(["running", "degraded"].contains(&stands.as_str()))
        })
        .with_context(|| self.ask("systemctl --failed; journalctl -b -n 20 --no-pager").unwrap_or_default())
    }

    fn check_is_on(&mut self) -> anyhow::Result<()> {
        let power = self.power.as_mut().context("the machine is off")?;
        match power.outside.try_wait()? {
            Some(status) => bail!("the machine ended while it started: {status}"),
            None => Ok(()),
        }
    }

    /// Plugs a cable in; it goes with the next switching off.
    pub(super) fn plug_in(&self, cable: &Cable) -> anyhow::Result<()> {
        cable.plug_into(self.init()?)
    }

    /// Shuts it down as an administrator would; answers how long that took.
    pub(super) fn shut_down(&mut self) -> anyhow::Result<Duration> {
        let started = Instant::now();
        self.ask("systemctl --no-block poweroff")?;
        let mut power = self.power.take().context("the machine is off")?;
        wait_for("the machine's end", PATIENCE_S, || Ok(power.outside.try_wait()?.is_some()))?;
        Ok(started.elapsed())
    }

    /// Pulls the plug: every process ends at once.
    pub(super) fn cut_power(&mut self) -> anyhow::Result<()> {
        let mut power = self.power.take().context("the machine is off")?;
        power.outside.kill()?;
        power.outside.wait()?;
        wait_for("the end of the machine's processes", PATIENCE_S, || {
            Ok(!fs::read_to_string(self.group.join("cgroup.events"))?.contains("populated 1"))
        })
    }

    /// Runs a command as root of the machine; answers its exit code and output.
    pub(super) fn run(&self, command: &str) -> anyhow::Result<Output> {
        let init = self.init()?.to_string();
        Command::new("nsenter")
            .args([
                "--target", &init, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root",
                "--wd",
            ])
            .args(["--", "env", "-i", "HOME=/root", "LANG=C.UTF-8"])
            .arg("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .args(["sh", "-c", command])
            .stdin(Stdio::null())
            .output()
            .context("failed to run `nsenter`")
    }

    /// The same, and answers what it printed, whatever its exit code.
    pub(super) fn ask(&self, command: &str) -> anyhow::Result<String> {
        Ok(String::from_utf8_lossy(&self.run(command)?.stdout).trim().to_owned())
    }

    /// The same, where it must end with `code`; answers everything it said.
    pub(super) fn expect(&self, command: &str, code: i32) -> anyhow::Result<String> {
        let output = self.run(command)?;
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(
            output.status.code() == Some(code),
            "`{command}` ended with {} and said: {said}",
            output.status
        );
        Ok(said)
    }

    fn init(&self) -> anyhow::Result<u32> {
        self.power.as_ref().map(|power| power.init).context("the machine is off")
    }

    /// Ends it and takes its control groups away.
    pub(super) fn remove(&mut self) -> anyhow::Result<()> {
        if self.power.is_some() {
            self.cut_power()?;
        }
        wait_for("the end of the machine's control groups", PATIENCE_S, || {
            remove_groups(&self.group);
            Ok(!self.group.exists())
        })
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if self.group.exists() {
            let _ = self.remove();
        }
    }
}

/// Removes a control group and all below it; occupied ones stay.
fn remove_groups(group: &Path) {
    for below in fs::read_dir(group).into_iter().flatten().flatten() {
        if below.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_groups(&below.path());
        }
    }
    let _ = fs::remove_dir(group);
}

/// The control group (v2) of this process: the machine's is made below it.
fn own_group() -> anyhow::Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let mount =
        mounts.lines().find(|line| line.contains(" - cgroup2 ")).context("there are no control groups v2")?;
    let point = mount.split(' ').nth(4).context("a mount has a place")?;
    let groups = fs::read_to_string("/proc/self/cgroup")?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::")).context("no control group v2")?;
    Ok(Path::new(point).join(own.trim_start_matches('/')))
}
