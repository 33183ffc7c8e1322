//! Many light machines at once, enrolled and synced through the real protocol.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::ensure;

use super::connection::{Connection, loopback, request_bytes};
use super::light::{ENROL_PATH, LightMachine, Newcomer, SYNC_PATH};

/// How many connections enrol at once.
const ENROLLING: usize = 32;

/// Enrols so many machines; each is asked for by `keep`, which may drop it and keep its answer alone.
///
/// # Errors
///
/// Whatever the control plane said.
pub async fn enrol_many<T: Send + 'static>(
    to: SocketAddr,
    code: String,
    machines: usize,
    keep: impl Fn(Newcomer, &[u8]) -> anyhow::Result<T> + Send + Sync + 'static,
) -> anyhow::Result<Vec<T>> {
    let (code, keep, next) = (Arc::new(code), Arc::new(keep), Arc::new(AtomicUsize::new(0)));
    let mut tasks = tokio::task::JoinSet::new();
    for lane in 0..ENROLLING.min(machines) {
        let (code, keep, next) = (code.clone(), keep.clone(), next.clone());
        tasks.spawn(async move {
            let mut kept = Vec::new();
            // Its own address: enrolments are limited for each.
            let mut connection = Connection::open(to, loopback(lane)).await?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= machines {
                    return anyhow::Ok(kept);
                }
                let newcomer = Newcomer::new(number)?;
                let body = newcomer.request(&code)?;
                let bytes = request_bytes("POST", ENROL_PATH, &[], &body);
                let answer = connection.exchange(&bytes).await?;
                let said = String::from_utf8_lossy(answer.body);
                ensure!(answer.status == 200, "enrolment answered {}: {said}", answer.status);
                kept.push(keep(newcomer, answer.body)?);
            }
        });
    }
    let mut all = Vec::with_capacity(machines);
    while let Some(kept) = tasks.join_next().await {
        all.extend(kept??);
    }
    Ok(all)
}

/// Enrols so many machines that can sync.
///
/// # Errors
///
/// Whatever the control plane said.
pub async fn enrol_light(to: SocketAddr, code: String, machines: usize) -> anyhow::Result<Vec<LightMachine>> {
    enrol_many(to, code, machines, Newcomer::enrolled).await
}

/// Syncs until there is nothing more to say on either side. Steps that are offered stay where they are.
///
/// # Errors
///
/// Whatever the control plane said, or that it does not come to an end.
pub async fn settle(machine: &mut LightMachine, connection: &mut Connection) -> anyhow::Result<()> {
    for _ in 0..20 {
        let request = machine.request(0)?;
        let bytes = request_bytes("POST", SYNC_PATH, &[], &request.bytes);
        let answer = connection.exchange(&bytes).await?;
        if answer.status == 204 {
            return Ok(());
        }
        let said = String::from_utf8_lossy(answer.body);
        ensure!(answer.status == 200, "a sync answered {}: {said}", answer.status);
        machine.take(answer.body)?;
    }
    anyhow::bail!("a machine does not settle")
}
