//! `tidegate serve`: the control plane.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::host::{self, LogFormat, ProxyNetwork, PublicUrl, ServeOptions};

/// Run the control plane.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Everything durable is in one SQLite file in the data directory. Before the first start:

  tidegate admin owner --data DIR --email YOU@EXAMPLE

Examples:
  tidegate serve --data /var/lib/tidegate
  tidegate serve --data /var/lib/tidegate --listen 0.0.0.0:443 \\
      --tls-cert chain.pem --tls-key key.pem
  tidegate serve --data /var/lib/tidegate --public-url https://tidegate.example \\
      --trusted-proxy 127.0.0.1
  tidegate serve --data /var/lib/tidegate --listen 10.0.0.2:8080 --runtime-listen 0.0.0.0:8443 \\
      --tls-cert chain.pem --tls-key key.pem

The console and the API answer at --public-url alone. Without it they answer at the addresses they
listen on, at localhost, and at the names in the certificate; machines are answered at every name.

Behind a proxy everybody seems to come from the proxy, and one who guesses passwords would lock all
out. Name it with --trusted-proxy: then the last address in X-Forwarded-For or Forwarded that is no
trusted proxy counts. The proxy must pass the Host header on as it came (nginx: proxy_set_header
Host $host). A proxy that passes bytes on speaks the PROXY protocol: --proxy-protocol.

A renewed certificate is taken within seconds, or at once on SIGHUP; connections go on.

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
    /// Where people reach it, such as https://tidegate.example: links and commands lead there
    #[arg(long, value_name = "URL", env = "TIDEGATE_PUBLIC_URL", hide_env_values = true)]
    public_url: Option<PublicUrl>,
    /// A proxy in front that may name the sender of a request (`X-Forwarded-For`, `Forwarded`); may be repeated
    #[arg(long, value_name = "CIDR")]
    trusted_proxy: Vec<ProxyNetwork>,
    /// Connections from trusted proxies begin with a PROXY header (version 1 or 2)
    #[arg(long, requires = "trusted_proxy")]
    proxy_protocol: bool,
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
        public_url: args.public_url,
        trusted_proxies: args.trusted_proxy,
        proxy_protocol: args.proxy_protocol,
        reserve_bytes: args.reserve << 20,
        log_format: args.log_format,
    };
    host::serve(options).await?;
    Ok(Exit::Done)
}
