//! `tidegate admin`: what needs the data directory, on the control plane's own machine.

mod backup;
mod order_key;

use std::path::PathBuf;

use clap::Subcommand;
use tidegate_core::api::TokenLife;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::host::{self, OwnerOptions, PublicUrl};
use crate::screen::Screen;

/// Make owners and tokens, back up and restore, on the control plane's own machine.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Make the owner, the root key and a one-time sign-in link
    #[command(after_help = "\
The root key is what every machine trusts in the end. It is written to a file of your choosing and
never into the data directory. Keep it offline: without it no new order key can be made, and with it
anyone could.

Example:
  tidegate admin owner --data /var/lib/tidegate --email kim@msp.example --root-key /media/usb/root.pem \\
      --public-url https://tidegate.example")]
    Owner {
        /// The data directory; made where it does not exist
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// The owner's e-mail address
        #[arg(long, value_name = "ADDRESS")]
        email: String,
        /// Where the root key is written [default: tidegate-root-key.pem in the working directory]
        #[arg(long, value_name = "FILE")]
        root_key: Option<PathBuf>,
        /// Where people will reach the control plane, as for `serve`: the sign-in link leads there
        #[arg(
            long,
            alias = "url",
            value_name = "URL",
            env = "TIDEGATE_PUBLIC_URL",
            hide_env_values = true,
            default_value = "http://127.0.0.1:8080"
        )]
        public_url: PublicUrl,
    },
    /// Make an API token; it stands alone on the last line of standard output
    #[command(after_help = "\
Example:
  export TIDEGATE_TOKEN=$(tidegate admin token --data /var/lib/tidegate --email kim@msp.example | tail -n 1)")]
    Token {
        /// The data directory
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Whose token it is
        #[arg(long, value_name = "ADDRESS")]
        email: String,
        /// How long it works, such as 30d, or `never` for until it is withdrawn
        #[arg(long, value_name = "SPAN", default_value_t)]
        expires_in: TokenLife,
    },
    /// Make a one-time sign-in link for a person who lost their password; it is alone on the last line
    #[command(after_help = "\
It works once and for 24 hours, and replaces a link that was made before.

Example:
  tidegate admin sign-in-link --data /var/lib/tidegate --email kim@msp.example \\
      --public-url https://tidegate.example")]
    SignInLink {
        /// The data directory
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Whose link it is
        #[arg(long, value_name = "ADDRESS")]
        email: String,
        /// Where people reach the control plane, as for `serve`: the link leads there
        #[arg(
            long,
            alias = "url",
            value_name = "URL",
            env = "TIDEGATE_PUBLIC_URL",
            hide_env_values = true,
            default_value = "http://127.0.0.1:8080"
        )]
        public_url: PublicUrl,
    },
    /// Write a consistent copy of everything durable, also while `serve` runs
    Backup(backup::BackupArgs),
    /// Put a backup in place; `serve` must not run
    Restore(backup::RestoreArgs),
    /// Replace, revoke and list the keys that orders are signed with
    OrderKey(order_key::Args),
}

/// Does what needs the data directory.
pub(crate) fn run(args: Args, screen: &Screen) -> Result<Exit, Failure> {
    match args.act {
        Act::Owner { data, email, root_key, public_url } => {
            let url = public_url.to_string();
            let owner = host::create_owner(&OwnerOptions { data, email, root_key, url })?;
            screen.line(format!("The root key is in {}. Keep it offline.", owner.root_key.display()))?;
            screen
                .line(format!("Its fingerprint, for `tidegate verify --root`: {}", owner.root_fingerprint))?;
            screen.line("Sign in once with:")?;
            screen.line(owner.sign_in_link)?;
        }
        Act::Token { data, email, expires_in } => {
            let token = host::create_token(&data, &email, expires_in)?;
            screen.note(&format!(
                "The token is shown once and {}. Keep it where only you can read it.",
                works(expires_in)
            ));
            screen.line(token)?;
        }
        Act::SignInLink { data, email, public_url } => {
            let link = host::create_sign_in_link(&data, &email, &public_url.to_string())?;
            screen.note("The link works once, for 24 hours. Give it to that person only.");
            screen.line(link)?;
        }
        Act::Backup(args) => backup::backup(args, screen)?,
        Act::Restore(args) => backup::restore(args, screen)?,
        Act::OrderKey(args) => order_key::run(args, screen)?,
    }
    Ok(Exit::Done)
}

fn works(life: TokenLife) -> String {
    match life {
        TokenLife::For(span) => format!("works for {span}"),
        TokenLife::Never => "works until it is withdrawn".to_owned(),
    }
}
