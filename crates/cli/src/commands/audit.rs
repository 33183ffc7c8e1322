//! `tidegate audit`: who did what in the directory, and which sign-ins were refused.

use std::path::PathBuf;

use clap::Subcommand;
use tidegate_core::api::AuditEntryView;
use tidegate_core::words::{actor_words, describe_audit};

use super::export::{self, exists};
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::text::{one_line, shell_word};
use crate::time;
use crate::transcript::quoted;

/// Who did what, and which sign-ins were refused.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For owners. What people do with a machine is in `tidegate transcript MACHINE`.

Examples:
  tidegate audit
  tidegate audit --format csv --limit 10000 > audit.csv
  tidegate audit export --out audit.tgx
  tidegate verify audit.tgx --root FINGERPRINT")]
pub(crate) struct Args {
    #[command(subcommand)]
    act: Option<Act>,
    /// In which form
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Most entries, the newest ones; 1 to 100000
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Print the API's JSON unchanged: the same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Write the whole log to a file that proves itself
    Export {
        /// The file to write
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
        /// Replace the file if it exists
        #[arg(long)]
        force: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For a terminal, the oldest first
    Text,
    /// The API's own, unchanged, the newest first
    Json,
    /// For a spreadsheet, the oldest first
    Csv,
}

/// Prints or exports the log.
pub(crate) async fn run(args: Args, screen: &Screen) -> Result<Exit, Failure> {
    let api = super::connect(&args.connection)?;
    if let Some(Act::Export { out, force }) = args.act {
        if !force && out.exists() {
            return Err(exists(&out));
        }
        let bytes = export::write_from(&api, &["audit", "export"], &out, force).await?;
        let file = out.display().to_string();
        screen.line(format!("The audit log is in {file} ({bytes} bytes)."))?;
        screen.line(format!("Prove it with: tidegate verify {} --root FINGERPRINT", shell_word(&file)))?;
        screen.line("FINGERPRINT is that of the owner's root key: `tidegate admin owner` printed it.")?;
        return Ok(Exit::Done);
    }
    let listing = api.list(&["audit"], &[("order", "newest")], args.limit as usize).await?;
    if args.json || args.format == Format::Json {
        screen.json(&listing.to_json())?;
        return Ok(Exit::Done);
    }
    let mut entries: Vec<AuditEntryView> = listing.parse()?;
    entries.reverse();
    match args.format {
        Format::Json => {}
        Format::Csv => screen.write(&csv(&entries))?,
        Format::Text => screen.write(&entries.iter().map(|entry| line(entry) + "\n").collect::<String>())?,
    }
    if listing.has_more() {
        screen.note(
            "There are older entries: raise --limit, or write all of them with `tidegate audit export`.",
        );
    }
    Ok(Exit::Done)
}

/// One entry on one line.
fn line(entry: &AuditEntryView) -> String {
    let (at, who) = (time::full(entry.at), actor_words(&entry.actor));
    format!("{:>5}  {at}  {who}  {}", entry.number, describe_audit(entry))
}

/// All entries under a heading (RFC 4180), safe to open in a spreadsheet.
fn csv(entries: &[AuditEntryView]) -> String {
    let mut text = "number,at,actor,kind,about,description,body,hash,previous_hash\r\n".to_owned();
    for entry in entries {
        let fields = [
            entry.number.to_string(),
            entry.at.to_string(),
            one_line(&entry.actor),
            entry.kind.clone(),
            entry.about.as_deref().map(one_line).unwrap_or_default(),
            describe_audit(entry),
            one_line(&entry.body.to_string()),
            entry.hash.to_string(),
            entry.previous_hash.to_string(),
        ];
        text.push_str(&fields.map(|field| quoted(&field)).join(","));
        text.push_str("\r\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entries() -> Vec<AuditEntryView> {
        let entry = |number: u64, actor: &str, kind: &str, about: Option<&str>, body: serde_json::Value| {
            serde_json::from_value(json!({
                "number": number, "at": "2026-11-23T14:03:05.000Z", "actor": actor, "kind": kind, "about": about,
                "hash": "0".repeat(64), "previous_hash": "1".repeat(64), "body": body
            }))
            .unwrap()
        };
        let refused = json!({ "kind": "sign_in_refused", "person": "p", "email": "kim@msp.example", "count": 4,
            "with": "password", "address": "192.0.2.7" });
        let opened = json!({ "kind": "session_opened", "with": "password", "address": "192.0.2.7" });
        vec![
            entry(1, "control plane", "sign_in_refused", Some("kim@msp.example"), refused),
            entry(2, "kim@msp.example", "session_opened", Some("kim@msp.example"), opened),
            entry(
                3,
                "kim@msp.example",
                "client_created",
                Some("=1+1@msp.example"),
                json!({ "name": "=HYPERLINK(\"x\")\u{1b}[31m" }),
            ),
        ]
    }

    #[test]
    fn the_log_reads_line_by_line_and_runs_nothing_in_a_spreadsheet() {
        let lines: Vec<_> = entries().iter().map(line).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
            1  2026-11-23 14:03:05Z  control plane  refused 4 sign-ins for kim@msp.example: wrong password from 192.0.2.7
            2  2026-11-23 14:03:05Z  kim@msp.example  signed in with a password from 192.0.2.7
            3  2026-11-23 14:03:05Z  kim@msp.example  made the client “=HYPERLINK("x")\x1b[31m”
        "#);
        let sheet = csv(&entries());
        assert_eq!(sheet.lines().count(), 4);
        assert!(!sheet.contains('\u{1b}') && !sheet.contains(",\"="), "{sheet}");
        assert!(sheet.contains(",\"'=1+1@msp.example\","), "{sheet}");
    }
}
