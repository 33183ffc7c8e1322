//! `tidegate admin order-key`: the keys that orders are signed with, made and withdrawn by the root key.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;
use tidegate_core::digest::Digest;
use tidegate_core::time::Milliseconds;
use tidegate_server::admin::order_key::{self, Before, OrderKey, Pending, Renewed, SignOptions};

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

With the root key on a computer that stays offline. The first command prints a fingerprint: carry it
there yourself. A request that was swapped on the way has another one and is not signed:
  tidegate admin order-key new --data /var/lib/tidegate --request request.json
  tidegate admin order-key sign --request request.json --fingerprint FINGERPRINT \\
      --root-key root.pem --answer answer.json
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
        /// The request's fingerprint, as `new`, `revoke` and `list` show it on the control plane
        #[arg(long, value_name = "FINGERPRINT")]
        fingerprint: Digest,
        /// The root key
        #[arg(long, value_name = "FILE")]
        root_key: PathBuf,
        /// Where the answer is written
        #[arg(long, value_name = "FILE")]
        answer: PathBuf,
        /// The most days that orders may be obeyed
        #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u64).range(1..=3_650))]
        valid_days: u64,
        /// The new serial, if it does not follow the one in use
        #[arg(long, value_name = "NUMBER")]
        serial: Option<u64>,
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
    /// The new serial, above every one that a machine knows [default: the next one]
    #[arg(long, value_name = "NUMBER", conflicts_with = "answer")]
    serial: Option<u64>,
    /// With `new`: drop a pending request that revokes the key in use
    #[arg(long, conflicts_with = "answer")]
    drop_revoke: bool,
}

/// Does what the command says.
pub(super) fn run(args: Args, screen: &Screen) -> Result<(), Failure> {
    match args.act {
        Act::New(renewal) => renew(&renewal, Before::Replaced, screen),
        Act::Revoke(renewal) => renew(&renewal, Before::Revoked, screen),
        Act::Sign { request, fingerprint, root_key, answer, valid_days, serial } => {
            let valid_for_max = Milliseconds::from_days(valid_days);
            let options = SignOptions { request, root_key, answer, fingerprint, valid_for_max, serial };
            let key = order_key::sign(&options)?;
            screen.line(format!("Order key {} is certified until {}.", key.serial, key.not_after))?;
            screen.line(format!("Its fingerprint: {}", key.fingerprint))?;
            screen.line(revokes(&key))?;
            screen.line(format!("Take the answer {} to the control plane.", options.answer.display()))?;
            Ok(())
        }
        Act::List { data, json } => list(&data, json, screen),
    }
}

fn renew(renewal: &Renewal, before: Before, screen: &Screen) -> Result<(), Failure> {
    let Renewal { data, root_key, request, answer, valid_days, serial, drop_revoke } = renewal;
    let valid_for = valid_days.map(Milliseconds::from_days);
    let how = order_key::Renewal { before, valid_for, serial: *serial, may_drop_revoke: *drop_revoke };
    let key = match (root_key, request, answer) {
        (Some(root_key), ..) => {
            let Renewed { key, dropped } = order_key::renew(data, root_key, how)?;
            tell_dropped(dropped.as_ref(), screen)?;
            key
        }
        (None, None, Some(answer)) => order_key::accept(data, answer, before)?,
        (None, Some(request), _) => {
            let Renewed { key, dropped } = order_key::request(data, request, how)?;
            tell_dropped(dropped.as_ref(), screen)?;
            return tell_request(&key, request, renewal, screen);
        }
        (None, None, None) => unreachable!("the command line asks for one of them"),
    };
    screen.line(format!("Order key {} is in use until {}.", key.serial, key.not_after))?;
    screen.line(format!("Its fingerprint: {}", key.fingerprint))?;
    screen.line(revokes(&key))?;
    screen
        .line("Each machine takes it at its next check-in. Make a backup: earlier ones hold an older key.")?;
    Ok(())
}

/// What the operator compares where the root key is, and the command for it.
fn tell_request(key: &Pending, request: &Path, renewal: &Renewal, screen: &Screen) -> Result<(), Failure> {
    screen.line(format!("The request is in {}. It holds no secret.", request.display()))?;
    screen.line(format!("It asks for order key {}, until {}.", key.key.serial, key.key.not_after))?;
    screen.line(revokes(&key.key))?;
    screen.line(format!("Fingerprint of the request: {}", key.request))?;
    let days = renewal.valid_days.filter(|days| *days > 365);
    let days = days.map(|days| format!(" --valid-days {days}")).unwrap_or_default();
    let serial = renewal.serial.map(|serial| format!(" --serial {serial}")).unwrap_or_default();
    screen.line(format!(
        "Carry the fingerprint yourself, not with the file, and sign the request where the root key is:\ntidegate admin \
         order-key sign --request {} --fingerprint {}{days}{serial} --root-key ROOT.PEM --answer ANSWER",
        request.display(),
        key.request
    ))?;
    Ok(())
}

fn tell_dropped(dropped: Option<&Pending>, screen: &Screen) -> Result<(), Failure> {
    if let Some(dropped) = dropped {
        let what = match dropped.before {
            Before::Revoked => "revoke the key in use",
            Before::Replaced => "replace the key in use",
        };
        screen.line(format!(
            "Dropped: the pending request for order key {} to {what}. Its answer can no longer be used. Its fingerprint \
             was {}",
            dropped.key.serial, dropped.request
        ))?;
    }
    Ok(())
}

/// What becomes of accepted work that earlier keys signed.
fn revokes(key: &OrderKey) -> String {
    if key.revokes.is_empty() {
        return "Revokes: no order key. Accepted work that earlier ones signed runs.".to_owned();
    }
    let serials: Vec<_> = key.revokes.iter().map(u64::to_string).collect();
    format!(
        "Revokes: {}. Accepted work that they signed and that has not started is refused.",
        serials.join(", ")
    )
}

fn list(data: &Path, as_json: bool, screen: &Screen) -> Result<(), Failure> {
    let listed = order_key::list(data)?;
    if as_json {
        let items: Vec<_> = listed.keys.iter().map(view).collect();
        let pending = listed.pending.as_ref().map(pending_view);
        screen.line(json!({ "items": items, "pending": pending, "next": null }).to_string())?;
        return Ok(());
    }
    for key in &listed.keys {
        let state = match (key.is_current, key.is_revoked) {
            (true, _) => "in use",
            (false, true) => "revoked",
            (false, false) => "replaced",
        };
        let OrderKey { serial, issued_at, not_after, fingerprint, .. } = key;
        screen.line(format!("{serial:>4}  {state:<8}  {issued_at} to {not_after}  {fingerprint}"))?;
    }
    if let Some(pending) = listed.pending {
        screen.line(format!(
            "A request for order key {}, until {}, waits for its answer.",
            pending.key.serial, pending.key.not_after
        ))?;
        screen.line(revokes(&pending.key))?;
        screen.line(format!("Fingerprint of the request: {}", pending.request))?;
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

fn pending_view(pending: &Pending) -> serde_json::Value {
    json!({
        "serial": pending.key.serial,
        "fingerprint": pending.key.fingerprint,
        "request_fingerprint": pending.request,
        "not_after": pending.key.not_after,
        "revokes": pending.key.revokes,
        "does_revoke": pending.before == Before::Revoked,
    })
}
