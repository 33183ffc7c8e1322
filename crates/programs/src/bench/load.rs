//! Prepared requests over kept connections, as fast as answers come.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::harness::{Connection, cpu_seconds, loopback};

/// What one connection sends.
pub(super) enum Lane {
    /// Each once.
    Once(Vec<Vec<u8>>),
    /// The same again and again.
    Forever(Vec<u8>),
}

/// Where to, and whose processor time counts.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) pid: u32,
    /// The status of every answer.
    pub(super) status: u16,
}

/// What a load did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) requests: usize,
    pub(super) seconds: f64,
    /// Processor time of the server.
    pub(super) cpu: f64,
}

impl Measured {
    pub(super) fn per_second(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    pub(super) fn cpu_us(&self) -> f64 {
        self.cpu * 1e6 / self.requests.max(1) as f64
    }
}

/// Sends every lane over a connection of its own, for at most `at_most`.
pub(super) async fn drive(target: Target, lanes: Vec<Lane>, at_most: Duration) -> anyhow::Result<Measured> {
    let mut ready = Vec::new();
    for (number, lane) in lanes.into_iter().enumerate() {
        ready.push((Connection::open(target.address, loopback(number)).await?, lane));
    }
    let (cpu, started) = (cpu_seconds(target.pid)?, Instant::now());
    let until = started + at_most;
    let sending = ready.into_iter().map(|(connection, lane)| send(connection, lane, target.status, until));
    let sent = futures_util::future::join_all(sending).await;
    let seconds = started.elapsed().as_secs_f64();
    let mut requests = 0;
    for count in sent {
        requests += count?;
    }
    ensure!(requests > 0, "nothing was answered");
    Ok(Measured { requests, seconds, cpu: cpu_seconds(target.pid)? - cpu })
}

async fn send(mut connection: Connection, lane: Lane, status: u16, until: Instant) -> anyhow::Result<usize> {
    let mut sent = 0;
    match lane {
        Lane::Once(requests) => {
            for request in requests {
                if Instant::now() >= until {
                    break;
                }
                exchange(&mut connection, &request, status).await?;
                sent += 1;
            }
        }
        Lane::Forever(request) => {
            while Instant::now() < until {
                exchange(&mut connection, &request, status).await?;
                sent += 1;
            }
        }
    }
    Ok(sent)
}

async fn exchange(connection: &mut Connection, request: &[u8], status: u16) -> anyhow::Result<()> {
    let answer = connection.exchange(request).await.context("the server closed the connection")?;
    let said = answer.body;
    ensure!(answer.status == status, "answered {}: {}", answer.status, String::from_utf8_lossy(said));
    Ok(())
}
