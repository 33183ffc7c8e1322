//! The commands, a file each.

pub(crate) mod admin;
pub(crate) mod audit;
pub(crate) mod clients;
pub(crate) mod codes;
pub(crate) mod demo;
mod endpoint_text;
pub(crate) mod endpoints;
pub(crate) mod export;
pub(crate) mod link;
pub(crate) mod login;
pub(crate) mod overnight;
mod playbook_text;
pub(crate) mod playbooks;
pub(crate) mod run;
pub(crate) mod sequences;
pub(crate) mod serve;
pub(crate) mod sites;
pub(crate) mod tokens;
pub(crate) mod transcript;
pub(crate) mod verify;
mod verify_audit;
pub(crate) mod verify_keys;

use crate::cli::Command;
use crate::client::Api;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::screen::Screen;

/// Does what the command line says.
pub(crate) async fn run(command: Command, screen: &Screen) -> Result<Exit, Failure> {
    match command {
        Command::Demo(args) => demo::run(args, screen).await,
        Command::Login(args) => login::run(args, screen).await,
        Command::Clients(args) => clients::run(args, screen).await,
        Command::Sites(args) => sites::run(args, screen).await,
        Command::EnrolmentCodes(args) => codes::run(args, screen).await,
        Command::Tokens(args) => tokens::run(args, screen).await,
        Command::Endpoints(args) => endpoints::run(args, screen).await,
        Command::Overnight(args) => overnight::run(args, screen).await,
        Command::Run(args) => run::run(*args, screen).await,
        Command::Playbooks(args) => playbooks::run(args, screen).await,
        Command::Sequences(args) => sequences::run(args, screen).await,
        Command::Transcript(args) => transcript::run(args, screen).await,
        Command::Audit(args) => audit::run(args, screen).await,
        Command::Export(args) => export::run(args, screen).await,
        Command::Verify(args) => verify::run(&args, screen),
        Command::Serve(args) => serve::run(args).await,
        Command::Admin(args) => admin::run(args, screen),
        Command::Link(args) => link::run(args, screen).await,
    }
}

/// The control plane that the flags, the environment or `login` name.
fn connect(connection: &Connection) -> Result<Api, Failure> {
    Api::new(connection.target()?)
}
