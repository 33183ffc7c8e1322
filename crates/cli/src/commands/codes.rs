//! `tidegate enrolment-codes`: what admits machines.

use clap::Subcommand;
use serde_json::json;
use tidegate_core::api::{CodeView, NewCode, SiteView};
use tidegate_core::id::CodeId;
use tidegate_core::time::Milliseconds;

use crate::client::{Api, LISTING_ITEMS_MAX};
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::screen::Screen;
use crate::table::{Column, Table};
use crate::text::{one_line, shell_word};
use crate::time;

/// Codes that admit machines.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    act: Option<Act>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List them, the newest first (what happens without a command)
    List,
    /// Make one and print the command to run on the machine
    #[command(after_help = "\
The code is shown once and stored hashed.

Examples:
  tidegate enrolment-codes create --site 'Plant 7'
  tidegate enrolment-codes create --site 'Plant 7' --uses 20 --expires-in 2d
  tidegate enrolment-codes create --site 'Plant 7' --endpoint hmi-3    (its disk was replaced)")]
    Create(Create),
    /// Withdraw one; machines it admitted stay
    Revoke {
        /// Its id
        #[arg(value_parser = parse_id)]
        code: CodeId,
    },
}

#[derive(Debug, clap::Args)]
struct Create {
    /// The site that machines enrol into, by name, CLIENT/NAME or id
    #[arg(long, value_name = "SITE")]
    site: String,
    /// How many machines it admits [default: 1]
    #[arg(long, value_name = "N")]
    uses: Option<u32>,
    /// How long it admits, such as 2d [default: 7d]
    #[arg(long, value_name = "SPAN", value_parser = Milliseconds::parse)]
    expires_in: Option<Milliseconds>,
    /// The one existing machine it re-enrols, after its disk was replaced or re-imaged
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: Option<String>,
    /// Where runtimes reach the control plane, if not at the URL used here
    #[arg(long, value_name = "URL")]
    runtime_url: Option<String>,
}

/// Lists, makes or withdraws codes.
pub(crate) async fn run(args: Args, screen: &Screen) -> Result<Exit, Failure> {
    let api = super::connect(&args.connection)?;
    match args.act.unwrap_or(Act::List) {
        Act::List => list(&api, args.output, screen).await?,
        Act::Create(create) => self::create(&api, create, args.output, screen).await?,
        Act::Revoke { code } => {
            let answer = api.post(&["enrolment-codes", &code.to_string(), "revoke"], &json!({})).await?;
            args.output.one(screen, &answer, |_: serde_json::Value| {
                format!("Code {code} admits nothing any more.\n")
            })?;
        }
    }
    Ok(Exit::Done)
}

async fn list(api: &Api, output: Output, screen: &Screen) -> Result<(), Failure> {
    let listing = api.list(&["enrolment-codes"], &[], LISTING_ITEMS_MAX).await?;
    let sites: Vec<SiteView> = match output.json {
        true => Vec::new(),
        false => api.list(&["sites"], &[], LISTING_ITEMS_MAX).await?.parse()?,
    };
    let table = Table::new(&[
        Column::Whole("ID"),
        Column::Wrapped("SITE"),
        Column::Whole("LEFT"),
        Column::Whole("UNTIL"),
        Column::Wrapped("MADE BY"),
    ]);
    let empty = "No codes. Make one with: tidegate enrolment-codes create --site SITE";
    output.listing(screen, &listing, table, empty, |table, code: CodeView| {
        let site = sites.iter().find(|site| site.id == code.site_id);
        let site = site.map_or_else(|| code.site_id.to_string(), |site| site.name.clone());
        table.row(&[
            code.id.to_string(),
            site,
            code.uses_left.to_string(),
            time::short(code.expires_at),
            code.created_by,
        ]);
    })
}

async fn create(api: &Api, create: Create, output: Output, screen: &Screen) -> Result<(), Failure> {
    let server = match &create.runtime_url {
        Some(url) => crate::connection::parse_base(url)?,
        None => api.base().clone(),
    };
    let site = api.site_named(&create.site).await?;
    let endpoint = match &create.endpoint {
        Some(endpoint) => Some(api.endpoint_named(endpoint).await?),
        None => None,
    };
    let code = NewCode {
        site_id: site.id,
        uses: create.uses,
        expires_in: create.expires_in,
        endpoint_id: endpoint.as_ref().map(|endpoint| endpoint.id),
    };
    let answer = api.post(&["enrolment-codes"], &code).await?;
    let about = match &endpoint {
        Some(endpoint) => format!("re-enrols `{}`", one_line(&endpoint.name)),
        None => format!("admits machines into `{}`", one_line(&site.name)),
    };
    output.one(screen, &answer, |code: CodeView| instructions(&code, &about, server.as_str()))
}

/// What to do on the machine. The command stands alone on its line, ready to be copied.
fn instructions(code: &CodeView, about: &str, server: &str) -> String {
    let times = if code.uses_left == 1 { "once".to_owned() } else { format!("{} times", code.uses_left) };
    let secret = code.code.as_deref().unwrap_or("CODE");
    // The runtime takes plain HTTP to another machine only when it is told to.
    let is_plain = server.starts_with("http://") && !is_loopback(server);
    let plain = if is_plain { " --allow-http" } else { "" };
    format!(
        "Code {} {about}, {times}, until {}.\nOn the machine, as administrator:\n\n  tidegate-runtime enrol --server {} --code {}{plain}\n  tidegate-runtime install\n\nThe second one makes it a service; `tidegate-runtime run` in its place runs it until you stop it.\n",
        code.id,
        time::full(code.expires_at),
        shell_word(server.trim_end_matches('/')),
        shell_word(secret),
    )
}

fn is_loopback(server: &str) -> bool {
    let host = server.trim_start_matches("http://");
    ["127.", "localhost", "[::1]"].iter().any(|loopback| host.starts_with(loopback))
}

fn parse_id(text: &str) -> Result<CodeId, String> {
    text.parse().map_err(|_| "not the id of a code: find it with `tidegate enrolment-codes list`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use tidegate_core::id::SiteId;

    #[test]
    fn the_instructions_hold_the_exact_command() {
        let code = CodeView {
            id: CodeId::from_bytes([1; 10]),
            code: Some("tg1.abc.def.0123".into()),
            site_id: SiteId::from_bytes([2; 10]),
            endpoint_id: None,
            uses_left: 1,
            expires_at: sample::at("14:03:00"),
            created_at: sample::at("13:03:00"),
            created_by: "kim@msp.example".into(),
        };
        insta::assert_snapshot!(instructions(&code, "admits machines into `Plant 7`", "https://tg.example/"));
        let said = |server| instructions(&code, "admits", server);
        assert!(said("http://10.0.0.4:8080").contains(" --allow-http\n"));
        assert!(!said("http://127.0.0.1:8080").contains("--allow-http"));
    }
}
