//! The command line of `tidegate-runtime`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_core::time::Milliseconds;
use tokio::signal::unix::{SignalKind, signal};

use crate::doctor::{DoctorArguments, doctor};
use crate::enrol::{EnrolOptions, enrol};
use crate::net::{Intervals, ServerAddress};
use crate::policy_arguments::PolicyArguments;
use crate::service::{self, InstallArguments, UninstallArguments};
use crate::session::{RunEnd, RunOptions, run};
use crate::{executor, failure, state_directory, status};

/// Runs diagnostic work that Tidegate keeps for this machine, whenever a path to the control plane is open.
#[derive(Debug, Parser)]
#[command(
    name = "tidegate-runtime",
    version,
    max_term_width = 100,
    after_help = "A machine is set up with two commands:
  tidegate-runtime enrol --server https://tidegate.example --code tg1.…
  tidegate-runtime install"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes this machine an endpoint of a control plane. Repeating it is safe.
    #[command(
        after_help = "The policy given here is this machine's own: an order can narrow it, and only enrolling it again \
(another --state, a fresh code) widens it.

  For checks of logs and of one network, and nothing else:
    tidegate-runtime enrol --server URL --code CODE --forbid-shell \\
      --allow-path /var/log --allow-path /opt/motion --allow-net 10.20.0.0/16 --allow-net plc7.plant:502
  For checks that also see certificates with their keys:
    … --allow-denied /etc/ssl/private"
    )]
    Enrol {
        /// The control plane's address, such as https://tidegate.example
        #[arg(long)]
        server: String,
        /// The enrolment code, whole; or `-` to read it from standard input
        #[arg(long, env = "TIDEGATE_ENROLMENT_CODE", hide_env_values = true)]
        code: String,
        /// Where the state is kept
        #[arg(long, default_value = state_directory::DEFAULT)]
        state: PathBuf,
        /// A private CA that the control plane's TLS is verified with, PEM
        #[arg(long)]
        ca: Option<PathBuf>,
        /// What to call this machine [default: its host name]
        #[arg(long)]
        name: Option<String>,
        /// Accepts a state directory on a file system that may forget
        #[arg(long)]
        allow_volatile_state: bool,
        /// Accepts http:// to another machine: everything sent can be read and changed on the way
        #[arg(long)]
        allow_http: bool,
        /// Prints JSON
        #[arg(long)]
        json: bool,
        // Last, because its heading holds for what follows.
        #[command(flatten)]
        policy: PolicyArguments,
    },
    /// Takes work, runs it, returns the results; until it is stopped.
    Run {
        /// Where the state is kept
        #[arg(long, default_value = state_directory::DEFAULT)]
        state: PathBuf,
        /// The slowest retry while there is no path: shorter than the shortest window
        #[arg(long, default_value = "60s", value_parser = Milliseconds::parse)]
        retry_max: Milliseconds,
        /// Spends fewer bytes on a link where they cost: holds as long as possible and never probes whether the path
        /// still stands, so that a broken one may be noticed only after some minutes
        #[arg(long, env = "TIDEGATE_METERED")]
        metered: bool,
        /// Divides every interval of the path: for tests that have less time than machines
        #[arg(long, hide = true, default_value_t = 1)]
        interval_divisor: u32,
        /// Lets no answer be held: for the comparison with a program that polls
        #[arg(long, hide = true)]
        poll: bool,
        /// The service that runs it, which is removed when the machine is retired
        #[arg(long, hide = true, value_name = "NAME")]
        service: Option<String>,
    },
    /// Makes the runtime a service that starts with the machine. Repeating it upgrades in place.
    Install(InstallArguments),
    /// Takes away what `install` put there. The state directory stays, unless it is asked for too.
    Uninstall(UninstallArguments),
    /// Finds out what keeps this machine from its work, and says what to do about it.
    Doctor(DoctorArguments),
    /// Says how this machine stands.
    Status {
        /// Where the state is kept
        #[arg(long, default_value = state_directory::DEFAULT)]
        state: PathBuf,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
}

/// The program: exit code 0 done, 1 failed, 2 usage, 3 not reachable, 4 refused.
pub fn main() -> ExitCode {
    if let Some(code) = executor::guard_main(std::env::args_os()) {
        return code;
    }
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("TIDEGATE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("another part of the program chose the cryptography already");
    }
    match perform(arguments.command) {
        Ok(code) => code,
        Err(error) => failure::print(&error),
    }
}

fn perform(command: Command) -> anyhow::Result<ExitCode> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match command {
        Command::Enrol { server, code, state, ca, name, policy, allow_volatile_state, allow_http, json } => {
            check_address(&server, allow_http)?;
            let code = if code == "-" { std::io::read_to_string(std::io::stdin())? } else { code };
            let ca_pem = ca
                .map(|file| {
                    std::fs::read_to_string(&file).with_context(|| {
                        let what = format!("failed to read the CA `{}`", file.display());
                        let next = "name with --ca a PEM file that this user may read; nothing was sent";
                        Obstructed::new(Obstacle::FileUnreadable, what, next)
                    })
                })
                .transpose()?;
            let options = EnrolOptions {
                server: &server,
                code: code.trim(),
                state: &state,
                ca_pem,
                name,
                policy: policy.policy()?,
                allow_volatile: allow_volatile_state,
            };
            let done = tokio.block_on(enrol(options))?;
            if json {
                println!("{}", done.json());
            } else if done.was_enrolled {
                println!("already enrolled as {}: nothing was changed", done.endpoint);
            } else {
                let place = if state == Path::new(state_directory::DEFAULT) {
                    String::new()
                } else {
                    format!(" --state {}", state.display())
                };
                println!(
                    "enrolled as {}; next: tidegate-runtime install{place} (as a service), or tidegate-runtime run{place}",
                    done.endpoint
                );
                if let Some(warning) = done.name_warning() {
                    println!("{warning}");
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Run { state, retry_max, metered, interval_divisor, poll, service } => {
            let options = RunOptions {
                retry_max: Duration::from_millis(retry_max.0.max(100)),
                is_metered: metered,
                intervals: Intervals::divided_by(interval_divisor),
                is_polling: poll,
            };
            let local = tokio::task::LocalSet::new();
            let end =
                local.block_on(&tokio, async { run(&state, options, service::ready, stopped()?).await })?;
            Ok(match end {
                RunEnd::Stopped => ExitCode::SUCCESS,
                RunEnd::Retired => retired(service.as_deref(), &state),
            })
        }
        Command::Install(arguments) => {
            println!("{}", service::install(&arguments)?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Uninstall(arguments) => {
            println!("{}", service::uninstall(&arguments)?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Doctor(arguments) => {
            let is_well = tokio.block_on(doctor(&arguments))?;
            Ok(ExitCode::from(u8::from(!is_well)))
        }
        Command::Status { state, json } => {
            let report = status::read(&state)?;
            if json {
                println!("{}", serde_json::to_string_pretty(&report)?);
            } else {
                println!("{}", report.text());
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A retired machine's service removes itself. Where it cannot, or nobody installed one, the exit code says that this
/// machine is refused, and a service manager that knows the code does not start it again.
fn retired(service: Option<&str>, state: &Path) -> ExitCode {
    match service.map(service::remove_retired) {
        Some(Ok(())) => {
            tracing::info!("the service removed itself; the state directory stays");
            return ExitCode::SUCCESS;
        }
        Some(Err(error)) => {
            let problem = format!("{error:#}");
            tracing::error!(problem, "the service could not remove itself: run `tidegate-runtime uninstall`");
        }
        None => {}
    }
    let what = format!("the machine in `{}` was retired, and takes no work any more", state.display());
    let next = "nothing, if that is meant; to work with it again enrol it anew with another --state";
    failure::print(&Obstructed::new(Obstacle::Retired, what, next).into())
}

/// Refuses to send secrets in the clear to another machine.
fn check_address(server: &str, allow_http: bool) -> anyhow::Result<()> {
    let address = ServerAddress::parse(server)?;
    if address.is_tls || address.is_here() || allow_http {
        return Ok(());
    }
    anyhow::bail!(Obstructed::new(
        Obstacle::HttpNotAllowed,
        format!("`{server}` is http:// to another machine, which can be read and changed on the way"),
        "use https://, or pass --allow-http where the path is protected otherwise; nothing was sent",
    ))
}

fn stopped() -> anyhow::Result<impl Future<Output = ()>> {
    let (mut terminated, mut interrupted) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        tracing::info!("stopping");
    })
}
