//! How the checks are shown: a line each as soon as it is known, what is broken in words that stand out.

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tidegate_core::id::EndpointId;
use tidegate_core::time::Timestamp;
use tidegate_sqlite::Fatal;

use super::check::{Check, Finding, Subject, Trouble};

/// Where a line's text begins.
const INDENT: usize = 26;
/// The width where there is no terminal that says its own, and the widest that reads well.
const WIDTH: usize = 100;
/// The narrowest that is honoured.
const WIDTH_MIN: usize = 60;

/// The report, told as it grows.
pub(super) struct Report {
    page: Page,
    told: Arc<Mutex<Vec<Check>>>,
    endpoint: Option<EndpointId>,
    server: Option<String>,
}

/// How it is printed.
#[derive(Clone, Copy)]
struct Page {
    is_json: bool,
    has_colors: bool,
    width: usize,
    at: Timestamp,
}

impl Report {
    /// Begins one at `at`, as the machine's clock shows.
    pub(super) fn begin(is_json: bool, at: Timestamp) -> Self {
        let has_colors = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let size = rustix::termios::tcgetwinsize(std::io::stdout());
        let width = size.map_or(WIDTH, |size| usize::from(size.ws_col)).clamp(WIDTH_MIN, WIDTH);
        let page = Page { is_json, has_colors, width, at };
        Self { page, told: Arc::default(), endpoint: None, server: None }
    }

    /// Ends the program with what there is to say when the disk fails under the state.
    pub(super) fn on_disk_failure(&self) -> Fatal {
        let (page, told) = (self.page, Arc::clone(&self.told));
        Fatal::new(move |what| {
            let said = format!("the disk fails under the state: {what}");
            let remedy =
                "make sure there is room (`df -h`), see `dmesg`, and replace a disk that reports errors";
            let check = Finding::broken(said, remedy).of(Subject::Storage);
            let report = Self { page, told: Arc::clone(&told), endpoint: None, server: None };
            report.head(None, None);
            report.tell(check);
            report.end();
            std::process::exit(1)
        })
    }

    /// Tells about whom this is.
    pub(super) fn head(&self, endpoint: Option<EndpointId>, server: Option<String>) {
        if self.page.is_json {
            return;
        }
        let machine = endpoint
            .map_or("this machine, not enrolled".to_owned(), |endpoint| format!("machine {endpoint}"));
        let server = server.map(|server| format!(", control plane {server}")).unwrap_or_default();
        println!("tidegate-runtime {}, {}", env!("CARGO_PKG_VERSION"), self.page.at);
        println!("{machine}{server}\n");
    }

    /// Keeps whom this is about, for JSON.
    pub(super) fn about(&mut self, endpoint: Option<EndpointId>, server: Option<String>) {
        self.head(endpoint, server.clone());
        (self.endpoint, self.server) = (endpoint, server);
    }

    /// Tells one check.
    pub(super) fn tell(&self, check: Check) {
        if !self.page.is_json {
            print!("{}", self.page.lines(&check));
            // On a terminal each check is seen while the next one still waits for an answer.
            let _ = std::io::stdout().flush();
        }
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(check);
    }

    /// Sums up; true when nothing is broken.
    pub(super) fn end(&self) -> bool {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let broken: Vec<_> = told
            .iter()
            .filter(|check| matches!(check.finding, Finding::Broken(_)))
            .map(|check| check.subject)
            .collect();
        if self.page.is_json {
            let report = json!({
                "endpoint_id": self.endpoint,
                "server": self.server,
                "at": self.page.at,
                "well": broken.is_empty(),
                "checks": told.iter().map(value).collect::<Vec<_>>(),
            });
            println!("{report:#}");
        } else {
            println!("\n{}", self.page.sum(&told, &broken));
        }
        broken.is_empty()
    }
}

/// One check for programs.
fn value(check: &Check) -> Value {
    let (state, said, remedy) = match &check.finding {
        Finding::Well(said) => ("ok", said, None),
        Finding::Noted(Trouble { said, remedy }) => ("note", said, Some(remedy)),
        Finding::Broken(Trouble { said, remedy }) => ("broken", said, Some(remedy)),
        Finding::NotChecked(because) => ("not_checked", because, None),
    };
    json!({ "check": check.subject, "state": state, "said": said, "remedy": remedy })
}

impl Page {
    fn lines(self, check: &Check) -> String {
        let (color, mark, word, said, remedy) = match &check.finding {
            Finding::Well(said) => ("32", "✓", "ok", said.clone(), None),
            Finding::Noted(Trouble { said, remedy }) => ("33", "!", "note", said.clone(), Some(remedy)),
            Finding::Broken(Trouble { said, remedy }) => ("1;31", "✗", "BROKEN", said.clone(), Some(remedy)),
            Finding::NotChecked(because) => ("2", "·", "", format!("not checked: {because}"), None),
        };
        // Padded before it is painted: what paints has no width on the screen.
        let word = self.painted(color, &format!("{word:<7}"));
        let head = format!("  {} {word}{:<15}", self.painted(color, mark), check.subject.title());
        let mut text = self.block(&head, &said);
        if let Some(remedy) = remedy {
            let arrow = format!("{}{} ", " ".repeat(INDENT - 2), self.painted("1", "→"));
            text.push_str(&self.block(&arrow, remedy));
        }
        text
    }

    /// `text` behind `head`, broken between words so that it stays in its column.
    fn block(self, head: &str, text: &str) -> String {
        let room = self.width.saturating_sub(INDENT);
        let mut lines = vec![String::new()];
        for word in text.split_whitespace() {
            let used = lines.last().map_or(0, |line| line.chars().count());
            if used > 0 && used + 1 + word.chars().count() > room {
                lines.push(String::new());
            }
            let Some(line) = lines.last_mut() else { continue };
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        let between = format!("\n{}", " ".repeat(INDENT));
        format!("{head}{}\n", lines.join(&between))
    }

    fn sum(self, told: &[Check], broken: &[Subject]) -> String {
        let unchecked = told.iter().filter(|check| matches!(check.finding, Finding::NotChecked(_))).count();
        let has_notes = told.iter().any(|check| matches!(check.finding, Finding::Noted(_)));
        match broken {
            [] if unchecked == 0 && has_notes => self.painted("32", "Nothing is broken; see the note."),
            [] if unchecked == 0 => self.painted("32", "All is well."),
            [] => format!("Nothing is broken as far as could be checked; {unchecked} could not."),
            broken => {
                let names: Vec<_> = broken.iter().map(|subject| subject.title()).collect();
                self.painted("1;31", &format!("Broken: {}.", names.join(", ")))
            }
        }
    }

    fn painted(self, color: &str, text: &str) -> String {
        if self.has_colors { format!("\x1b[{color}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(width: usize) -> Page {
        Page { is_json: false, has_colors: false, width, at: Timestamp::from_milliseconds(0) }
    }

    fn checks() -> Vec<Check> {
        vec![
            Finding::Well("tidegate.example is 203.0.113.5".into()).of(Subject::Dns),
            Finding::noted("not used: what is sent can be read", "use https://").of(Subject::Tls),
            Finding::broken(
                "no connection to tidegate.example:443 (203.0.113.5:443): Connection refused (os error 111)",
                "check the port, and that the control plane is running; a firewall may refuse on its behalf",
            )
            .of(Subject::Tcp),
            Finding::NotChecked("TCP comes first".into()).of(Subject::ControlPlane),
        ]
    }

    #[test]
    fn a_report_reads_at_two_in_the_morning() {
        let page = page(WIDTH);
        let told = checks();
        let text: String = told.iter().map(|check| page.lines(check)).collect();
        insta::assert_snapshot!(format!("{text}\n{}", page.sum(&told, &[Subject::Tcp])));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_no_word_is_lost() {
        for check in checks() {
            let text = page(WIDTH_MIN).lines(&check);
            assert!(text.lines().all(|line| line.chars().count() <= WIDTH_MIN), "{text}");
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let wide = page(1_000).lines(&check);
            assert_eq!(words(&text), words(&wide));
        }
    }

    #[test]
    fn programs_get_the_same() {
        let values: Vec<_> = checks().iter().map(value).collect();
        assert_eq!(values[2]["check"], "tcp");
        assert_eq!(values[2]["state"], "broken");
        assert!(values[2]["remedy"].as_str().is_some_and(|remedy| remedy.starts_with("check the port")));
        assert_eq!(
            values[3],
            json!({
                "check": "control_plane", "state": "not_checked", "said": "TCP comes first", "remedy": null
            })
        );
    }
}
