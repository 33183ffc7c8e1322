//! `tidegate login`: a one-time link becomes a token that later commands find.

use std::io::BufRead;

use reqwest::Url;
use serde::Deserialize;
use serde_json::json;

use tidegate_core::api::TokenLife;
use tidegate_core::obstacle::Obstacle;

use crate::client::{Api, Retry};
use crate::connection::Connection;
use crate::credentials::{self, Credentials};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::text::one_line;

/// Sign in with a one-time link and remember the control plane.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The link is spent by signing in. What is stored is a token in
$XDG_CONFIG_HOME/tidegate/credentials.json, readable by you alone.

Examples:
  tidegate login 'https://tidegate.example/sign-in#…'
  tidegate login -                            reads the link from standard input")]
pub(crate) struct Args {
    /// The link that `tidegate admin owner` or a colleague gave you; `-` reads it from standard input
    link: String,
    /// How long the token works, such as 30d, or `never` for until it is withdrawn [default: 90d]
    #[arg(long, value_name = "SPAN")]
    expires_in: Option<TokenLife>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Deserialize)]
struct SignedIn {
    token: String,
    #[serde(default)]
    email: Option<String>,
}

/// Signs in and stores the token.
pub(crate) async fn run(args: Args, screen: &Screen) -> Result<Exit, Failure> {
    let link = if args.link == "-" { read_line()? } else { args.link.clone() };
    let Some(path) = credentials::path() else {
        return Err(Failure::usage("there is nowhere to store the token")
            .of(Obstacle::FileNotWritten)
            .because("neither XDG_CONFIG_HOME nor HOME is set")
            .next("set one of them, or use TIDEGATE_URL and TIDEGATE_TOKEN"));
    };
    let (url, secret) = parse_link(&link)?;
    let target = args.connection.target_to_sign_in(url.as_str())?;
    let ca = args.connection.ca.as_ref().map(std::path::absolute).transpose()?;
    let mut asked = json!({"secret": secret});
    if let Some(life) = args.expires_in {
        asked["expires_in"] = json!(life);
    }
    // A lost answer has spent the link: repeating would only hide that behind a refusal.
    let answer = Api::new(target)?.post_with(&["sign-in"], &asked, Retry::WhileUnsent).await?;
    let signed_in: SignedIn = answer.parse()?;
    let stored = Credentials { url: url.to_string(), token: signed_in.token, ca };
    credentials::store(&path, &stored).map_err(|error| {
        Failure::refused(format!("failed to store the token in `{}`", path.display()))
            .of(Obstacle::FileNotWritten)
            .caused_by(&error)
            .next("the link is spent; ask for another once the file can be written")
    })?;
    let who = signed_in.email.map(|email| format!(" as {}", one_line(&email))).unwrap_or_default();
    screen.line(format!("Signed in to {url}{who}. Commands use it unless TIDEGATE_URL says otherwise."))?;
    Ok(Exit::Done)
}

/// Splits a link into the control plane and the secret: the fragment (which browsers never send), else the
/// last part of the path.
fn parse_link(link: &str) -> Result<(Url, String), Failure> {
    let wrong = || {
        Failure::usage("that is not a sign-in link")
            .of(Obstacle::InvalidLink)
            .next("one looks like https://tidegate.example/sign-in#… and is copied whole")
    };
    let link = Url::parse(link.trim()).map_err(|_| wrong())?;
    let segments: Vec<_> = link.path_segments().map(Iterator::collect).unwrap_or_default();
    let Some(place) = segments.iter().rposition(|segment| *segment == "sign-in") else {
        return Err(wrong());
    };
    let in_path = segments.get(place + 1).copied().filter(|segment| !segment.is_empty());
    let secret = link.fragment().filter(|secret| !secret.is_empty()).or(in_path).ok_or_else(wrong)?;
    let mut base = link.clone();
    base.set_path(&segments[..place].join("/"));
    Ok((crate::connection::parse_base(base.as_str())?, secret.to_owned()))
}

fn read_line() -> Result<String, Failure> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_split_into_control_plane_and_secret() {
        let parse = |link| parse_link(link).map(|(url, secret)| (url.to_string(), secret)).ok();
        let expected = |url: &str| Some((url.to_owned(), "s3cret".to_owned()));
        assert_eq!(parse("https://tg.example/sign-in#s3cret"), expected("https://tg.example/"));
        assert_eq!(parse("http://127.0.0.1:8080/sign-in/s3cret\n"), expected("http://127.0.0.1:8080/"));
        assert_eq!(parse("https://msp.example/tg/sign-in#s3cret"), expected("https://msp.example/tg/"));
        for wrong in ["https://tg.example/", "https://tg.example/sign-in", "sign-in#x", "https://x/sign-in#"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
