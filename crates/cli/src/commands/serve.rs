//! `tidegate serve`: the control plane.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::host::{self, LogFormat, ServeOptions};

/// Run the control plane.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Everything durable is in one SQLite file in the data directory. Before the first start:

  tidegate admin owner --data DIR --email YOU@EXAMPLE

Examples:
  tidegate serve --data /var/lib/tidegate
  tidegate serve --data /var/lib/tidegate --listen 0.0.0.0:443 \\
      --tls-cert chain.pem --tls-key key.pem
  tidegate serve --data /var/lib/tidegate --listen 10.0.0.2:8080 --runtime-listen 0.0.0.0:8443 \\
      --tls-cert chain.pem --tls-key key.pem

Health is at /healthz and /readyz, figures for Prometheus at /metrics. It stops on SIGTERM and
Ctrl-C after answering what it has begun.")]
pub(crate) struct Args {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where people, and without --runtime-listen also runtimes, reach it
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where only runtimes reach it
    #[arg(long, value_name = "ADDR")]
    runtime_listen: Option<SocketAddr>,
    /// Certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Room on the disk, in MiB, that is kept for results and cancels: with less, new work is refused
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u64).range(..=1 << 20))]
    reserve: u64,
    /// How log lines look
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

/// Runs the control plane until it is asked to stop.
pub(crate) async fn run(args: Args) -> Result<Exit, Failure> {
    let options = ServeOptions {
        data: args.data,
        listen: args.listen,
        runtime_listen: args.runtime_listen,
        tls: args.tls_cert.zip(args.tls_key),
        reserve_bytes: args.reserve << 20,
        log_format: args.log_format,
    };
    host::serve(options).await?;
    Ok(Exit::Done)
}
