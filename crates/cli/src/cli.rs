//! The command line as a whole; each command's own part is with the command.

use clap::{Parser, Subcommand};

use crate::commands::{
    admin, audit, clients, codes, demo, endpoints, export, link, login, overnight, playbooks, run, sequences,
    serve, sites, tokens, transcript, verify,
};
use crate::exit;

/// Durable remote troubleshooting for machines that are only sometimes reachable.
///
/// Queue checks and actions for a machine now; it runs them when its path next opens; the transcript shows
/// every step with its times, and can be proved.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, max_term_width = 100, after_help = format!("{AFTER_HELP}\n{}", exit::HELP))]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Begin:
  tidegate demo                              the whole story on this computer, in two minutes
  tidegate login LINK                        sign in with the link that `admin owner` printed

A day's work:
  tidegate endpoints                         the machines, and which of them need a person
  tidegate run hmi-3 --probe ping host=10.20.0.5 count=4
  tidegate run hmi-3 --file servo.yaml --wait
  tidegate overnight                         what happened while nobody looked
  tidegate transcript hmi-3                  what happened on it, with all times

TIDEGATE_URL and TIDEGATE_TOKEN work everywhere. Listings and `show` take --json.
";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See the whole story on this computer: a control plane, a machine, a link that opens and closes
    Demo(demo::Args),
    /// Sign in with a one-time link and remember the control plane
    Login(login::Args),
    /// The MSP's customers
    Clients(clients::Args),
    /// Plants and places of the clients
    Sites(sites::Args),
    /// Codes that admit machines
    EnrolmentCodes(codes::Args),
    /// API tokens for scripts
    Tokens(tokens::Args),
    /// The machines
    Endpoints(endpoints::Args),
    /// What happened while nobody looked, by what it asks of a person
    Overnight(overnight::Args),
    /// Queue checks and actions for machines, reachable now or not
    Run(Box<run::Args>),
    /// Sequences with parameters, kept under a name
    Playbooks(playbooks::Args),
    /// What is queued, under way and done
    Sequences(sequences::Args),
    /// What happened on a machine, with all times
    Transcript(transcript::Args),
    /// Who did what, and which sign-ins were refused
    Audit(audit::Args),
    /// Write a machine's whole record to a file that proves itself
    Export(export::Args),
    /// Prove an exported record: nothing changed, dropped, reordered or cut off
    Verify(verify::Args),
    /// Run the control plane
    Serve(serve::Args),
    /// Make owners and tokens, back up and restore, on the control plane's own machine
    Admin(admin::Args),
    /// A network path that opens and closes on a schedule, for trials
    Link(link::Args),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_teaches() {
        for (name, path) in [
            ("tidegate", &[][..]),
            ("run", &["run"]),
            ("serve", &["serve"]),
            ("link", &["link"]),
            ("backup", &["admin", "backup"]),
            ("restore", &["admin", "restore"]),
        ] {
            let mut command = Cli::command().term_width(100);
            command.build();
            let found = path.iter().fold(&mut command, |command, part| {
                command.find_subcommand_mut(part).expect("the command exists")
            });
            insta::assert_snapshot!(format!("help_{name}"), found.render_long_help().to_string());
        }
    }

    #[test]
    fn what_scripts_write_reads() {
        for line in [
            "tidegate serve --data d --listen 127.0.0.1:8080 --runtime-listen 0.0.0.0:8443 --tls-cert c --tls-key k --log-format json",
            "tidegate demo --data d --exit",
            "tidegate admin owner --data d --email e@x --root-key f",
            "tidegate admin token --data d --email e@x",
            "tidegate admin token --data d --email e@x --expires-in never",
            "tidegate tokens --json",
            "tidegate tokens create backup --expires-in 30d",
            "tidegate tokens revoke 0123456789abcdef",
            "tidegate admin sign-in-link --data d --email e@x --public-url https://tg.example",
            "tidegate admin backup --data d --out f",
            "tidegate admin backup --data d --out f --without-keys",
            "tidegate admin backup --data d --out f --encrypt-to age1a --encrypt-to age1b --encrypt-to-file g",
            "tidegate admin restore --data d --from f",
            "tidegate admin restore --data d --from f --keys-from g --identity i --identity j --root-key r",
            "tidegate login https://tg.example/sign-in#s",
            "tidegate clients --json",
            "tidegate clients create Acme --url https://tg.example",
            "tidegate sites create --client Acme --time-zone Europe/Berlin Plant",
            "tidegate enrolment-codes create --site Plant --uses 3 --expires-in 2d",
            "tidegate enrolment-codes create --site Plant --endpoint hmi-3",
            "tidegate endpoints list --client Acme --site Plant --json",
            "tidegate endpoints adopt hmi-3 --journal 0123456789abcdef -y",
            "tidegate endpoints rename hmi-3 press",
            "tidegate endpoints note hmi-3 text",
            "tidegate endpoints tag hmi-3 line-4 press",
            "tidegate run a b --file s.yaml --wait --timeout 5m",
            "tidegate run a --probe ping host=b count=4 --title T --stop-on failed",
            "tidegate run a --draft -- df -h --si",
            "tidegate run a --expires-at 2026-11-24T00:00:00Z --not-before 2026-11-23T22:00:00Z -- true",
            "tidegate playbooks",
            "tidegate playbooks list --archived --json",
            "tidegate playbooks show x --version 2 --yaml",
            "tidegate playbooks import x.yaml",
            "tidegate playbooks export x --out x.yaml --force",
            "tidegate playbooks archive x",
            "tidegate playbooks unarchive x",
            "tidegate playbooks run x --endpoint a --endpoint b --set host=c count=4 --wait --timeout 5m",
            "tidegate sequences list --endpoint a --state running --since 2d",
            "tidegate sequences cancel x y --yes",
            "tidegate sequences note x text",
            "tidegate sequences run-next x y",
            "tidegate sequences review x y",
            "tidegate sequences unreview x",
            "tidegate sequences assign x ben@example.com",
            "tidegate sequences assign x",
            "tidegate overnight --since 12h --limit 500 --json",
            "tidegate transcript a --format csv --sequence x",
            "tidegate transcript a --follow",
            "tidegate export a --out f --force",
            "tidegate audit --format csv --limit 10",
            "tidegate audit export --out f",
            "tidegate verify f --json",
            "tidegate verify f --authority g --revoked 1 --revoked 2",
            "tidegate link --listen 127.0.0.1:0 --to 127.0.0.1:1 --schedule open",
            "tidegate link --listen 127.0.0.1:0 --to a:1 --always-open --rate up:8kbit/s --rate down:32kbit/s --json",
            "tidegate link --listen 127.0.0.1:0 --to a:1 --always-open --cut-idle 60s --cut-age none --cut-tells nobody",
        ] {
            if let Err(error) = Cli::try_parse_from(line.split_whitespace()) {
                panic!("{line}: {error}");
            }
        }
        for line in [
            "tidegate serve",
            "tidegate run a",
            "tidegate run a --file s -- ls",
            "tidegate run a --draft --wait -- ls",
            "tidegate run a --expires-in 7 -- ls",
            "tidegate tokens create backup --expires-in 400d",
            "tidegate serve --data d --tls-cert c",
            "tidegate playbooks run x",
            "tidegate playbooks run x --endpoint a --set host",
            "tidegate clients --token x",
            "tidegate overnight --limit 501",
            "tidegate audit --limit 0",
            "tidegate link --listen 127.0.0.1:0 --to a:1",
            "tidegate link --listen 127.0.0.1:0 --to a:1 --always-open --rate 32",
        ] {
            let error = Cli::try_parse_from(line.split_whitespace()).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
