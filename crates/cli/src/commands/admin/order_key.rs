//! `tidegate admin order-key`: the keys that orders are signed with, made and withdrawn by the root key.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;
use tidegate_core::time::Milliseconds;
use tidegate_server::admin::order_key::{self, Before, OrderKey};

use crate::failure::Failure;
use crate::screen::Screen;

/// Replace, revoke and list the keys that orders are signed with.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Machines obey the order key that the owner's root key certified last. `new` replaces it: accepted
work runs. `revoke` replaces it because somebody else may have it: accepted work that it signed and
that has not started is refused. `serve` must not run meanwhile. Each machine takes the new key at
its next check-in, also after months.

With the root key at hand:
  tidegate admin order-key new --data /var/lib/tidegate --root-key /media/usb/root.pem

With the root key on a computer that stays offline:
  tidegate admin order-key new --data /var/lib/tidegate --request request.json
  tidegate admin order-key sign --request request.json --root-key root.pem --answer answer.json
  tidegate admin order-key new --data /var/lib/tidegate --answer answer.json")]
pub(super) struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Replace the order key; work that machines have accepted runs
    New(Renewal),
    /// Replace an order key that somebody else may have; what it signed and has not started is refused
    Revoke(Renewal),
    /// Sign a request with the root key; needs no data directory
    Sign {
        /// The request
        #[arg(long, value_name = "FILE")]
        request: PathBuf,
        /// The root key
        #[arg(long, value_name = "FILE")]
        root_key: PathBuf,
        /// Where the answer is written
        #[arg(long, value_name = "FILE")]
        answer: PathBuf,
    },
    /// List every order key, the one in use first
    List {
        /// The data directory
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("step").required(true).args(["root_key", "request", "answer"]))]
struct Renewal {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The root key, to do it in one step
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
    /// Make the keys and write what the root key is to sign to this file
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// Put the keys of the last request in use, with this answer
    #[arg(long, value_name = "FILE")]
    answer: Option<PathBuf>,
    /// How many days orders are obeyed [default: 365]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=3_650), conflicts_with = "answer")]
    valid_days: Option<u64>,
}

/// Does what the command says.
pub(super) fn run(args: Args, screen: &Screen) -> Result<(), Failure> {
    match args.act {
        Act::New(renewal) => renew(&renewal, Before::Replaced, screen),
        Act::Revoke(renewal) => renew(&renewal, Before::Revoked, screen),
        Act::Sign { request, root_key, answer } => {
            let key = order_key::sign(&request, &root_key, &answer)?;
            screen.line(format!("Order key {} is certified until {}.", key.serial, key.not_after))?;
            screen.line(format!("Take the answer {} to the control plane.", answer.display()))?;
            Ok(())
        }
        Act::List { data, json } => list(&data, json, screen),
    }
}

fn renew(renewal: &Renewal, before: Before, screen: &Screen) -> Result<(), Failure> {
    let Renewal { data, root_key, request, answer, valid_days } = renewal;
    let valid_for = valid_days.map(|days| Milliseconds(days * 86_400_000));
    let key = match (root_key, request, answer) {
        (Some(root_key), ..) => order_key::renew(data, root_key, before, valid_for)?,
        (None, None, Some(answer)) => order_key::accept(data, answer)?,
        (None, Some(request), _) => {
            order_key::request(data, request, before, valid_for)?;
            screen.line(format!("The request is in {}. It holds no secret.", request.display()))?;
            screen.line(format!(
                "Sign it where the root key is:\ntidegate admin order-key sign --request {} --root-key ROOT.PEM --answer \
                 ANSWER",
                request.display()
            ))?;
            return Ok(());
        }
        (None, None, None) => unreachable!("the command line asks for one of them"),
    };
    screen.line(format!("Order key {} is in use until {}.", key.serial, key.not_after))?;
    screen.line(format!("Its fingerprint: {}", key.fingerprint))?;
    screen
        .line("Each machine takes it at its next check-in. Make a backup: earlier ones hold an older key.")?;
    Ok(())
}

fn list(data: &Path, as_json: bool, screen: &Screen) -> Result<(), Failure> {
    let keys = order_key::list(data)?;
    if as_json {
        let items: Vec<_> = keys.iter().map(view).collect();
        screen.line(json!({ "items": items, "next": null }).to_string())?;
        return Ok(());
    }
    for key in &keys {
        let state = match (key.is_current, key.is_revoked) {
            (true, _) => "in use",
            (false, true) => "revoked",
            (false, false) => "replaced",
        };
        let OrderKey { serial, issued_at, not_after, fingerprint, .. } = key;
        screen.line(format!("{serial:>4}  {state:<8}  {issued_at} to {not_after}  {fingerprint}"))?;
    }
    Ok(())
}

fn view(key: &OrderKey) -> serde_json::Value {
    json!({
        "serial": key.serial,
        "fingerprint": key.fingerprint,
        "issued_at": key.issued_at,
        "not_after": key.not_after,
        "is_current": key.is_current,
        "is_revoked": key.is_revoked,
    })
}
