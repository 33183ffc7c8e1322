//! Networks of their own: where nothing of the host's is touched, and every packet that is seen is ours.

use std::fs;
use std::process::{Child, Command, Stdio};

use super::wait_for;

/// A network that lives as long as this value.
#[derive(Debug)]
pub struct Namespace {
    /// Whatever holds it open; it ends with its input, so also with a program that was killed.
    holder: Child,
}

impl Namespace {
    /// Makes one, with nothing in it but a loopback that is up.
    ///
    /// # Errors
    ///
    /// When this process may not.
    pub fn new() -> anyhow::Result<Self> {
        let script = "ip link set lo up && exec cat";
        let holder = Command::new("unshare")
            .args(["--net", "sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let mut namespace = Self { holder };
        let of = |process: &str| fs::read_link(format!("/proc/{process}/ns/net"));
        wait_for("a network of its own", 20, || {
            if let Some(status) = namespace.holder.try_wait()? {
                anyhow::bail!("`unshare --net` ended with {status}");
            }
            Ok(of(&namespace.holder.id().to_string())? != of("self")?)
        })?;
        Ok(namespace)
    }

    /// A process that is in it.
    pub fn process(&self) -> u32 {
        self.holder.id()
    }

    /// What stands before a command that is to run in it.
    pub fn wrapper(&self) -> Vec<String> {
        ["nsenter", "--target", &self.holder.id().to_string(), "--net"].map(str::to_owned).to_vec()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
