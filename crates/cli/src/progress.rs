//! Watches sequences until they end: a line a step, updated in place on a terminal.

use std::time::{Duration, Instant};

use tidegate_core::api::{SequenceState, SequenceView};
use tidegate_core::id::SequenceId;

use crate::client::{Answer, Api};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::sequence_text;
use crate::text::{one_line, shortened};
use crate::verdict;

/// How soon a sequence is asked about again after it changed: a person sees a step end at once.
const DELAY_MIN: Duration = Duration::from_millis(300);
/// How late while nothing changes: what waits for hours costs thirty small requests a minute.
const DELAY_MAX: Duration = Duration::from_secs(2);
/// How long the control plane may be away before watching gives up; the work itself is safe meanwhile.
const AWAY_MAX: Duration = Duration::from_secs(300);

/// A sequence as last seen.
pub(crate) struct Watched {
    /// The machine's name.
    pub machine: String,
    /// As the API answered it.
    pub answer: Answer,
    /// The same as a value.
    pub view: SequenceView,
}

/// Watches sequences, given with their machines' names, until none moves by itself or `timeout` has passed.
///
/// # Errors
///
/// What a request failed with; being away for a while is none.
pub(crate) async fn watch(
    api: &Api,
    sequences: &[(SequenceId, String)],
    timeout: Option<Duration>,
    screen: &Screen,
) -> Result<Vec<Watched>, Failure> {
    let began = Instant::now();
    let mut display = Display::new(screen);
    let mut delay = DELAY_MIN;
    let mut last_heard = Instant::now();
    loop {
        match read(api, sequences).await {
            Ok(watched) => {
                last_heard = Instant::now();
                let has_changed = display.show(&watched);
                delay = if has_changed { DELAY_MIN } else { (delay * 3 / 2).min(DELAY_MAX) };
                let is_over = watched.iter().all(|watched| !moves(watched.view.state));
                if is_over || timeout.is_some_and(|timeout| began.elapsed() >= timeout) {
                    return Ok(watched);
                }
            }
            Err(failure) if failure.exit == Exit::NotReachable && last_heard.elapsed() < AWAY_MAX => {
                let is_over = timeout.is_some_and(|timeout| began.elapsed() >= timeout);
                if is_over {
                    return Err(failure);
                }
                display.away(&failure.what);
                delay = DELAY_MAX;
            }
            Err(failure) => return Err(failure),
        }
        let left = timeout.map_or(delay, |timeout| timeout.saturating_sub(began.elapsed()));
        tokio::time::sleep(delay.min(left)).await;
    }
}

/// Whether a sequence in `state` changes without a person.
fn moves(state: SequenceState) -> bool {
    !state.is_ended()
        && !matches!(state, SequenceState::Draft | SequenceState::Held | SequenceState::AwaitingApproval)
}

async fn read(api: &Api, sequences: &[(SequenceId, String)]) -> Result<Vec<Watched>, Failure> {
    let mut watched = Vec::with_capacity(sequences.len());
    for (id, machine) in sequences {
        let answer = api.get(&["sequences", &id.to_string()], &[]).await?;
        let view = answer.parse()?;
        watched.push(Watched { machine: machine.clone(), answer, view });
    }
    Ok(watched)
}

/// What was printed so far.
struct Display<'a> {
    screen: &'a Screen,
    lines: Vec<String>,
    is_away: bool,
}

impl<'a> Display<'a> {
    fn new(screen: &'a Screen) -> Self {
        Self { screen, lines: Vec::new(), is_away: false }
    }

    /// Shows what changed, and tells whether anything did.
    fn show(&mut self, watched: &[Watched]) -> bool {
        let lines: Vec<_> = watched.iter().flat_map(|watched| self.lines_of(watched)).collect();
        if lines == self.lines {
            return false;
        }
        if self.screen.is_live && !self.is_away {
            self.screen.progress(&redraw(self.lines.len(), &lines));
        } else {
            for (index, line) in lines.iter().enumerate() {
                if self.lines.get(index) != Some(line) {
                    self.screen.note(line);
                }
            }
        }
        self.is_away = false;
        self.lines = lines;
        true
    }

    fn away(&mut self, what: &str) {
        if !self.is_away {
            self.screen.note(&format!("{}; what is queued is safe, asking again", one_line(what)));
        }
        self.is_away = true;
    }

    fn lines_of(&self, watched: &Watched) -> Vec<String> {
        let view = &watched.view;
        let fit = |text: String| {
            // A line that wraps would be counted as one and not be erased.
            if self.screen.is_live { shortened(&text, self.screen.width - 1) } else { one_line(&text) }
        };
        let head = verdict::of_sequence(view);
        let mut lines =
            vec![self.screen.paint(
                head.tone,
                &fit(format!("{} {}  {}", head.tone.mark(), watched.machine, head.text())),
            )];
        for step in &view.steps {
            let verdict = verdict::of_step(step);
            lines.push(self.screen.paint(
                verdict.tone,
                &fit(format!(
                    "  {} {}. {}  {}",
                    verdict.tone.mark(),
                    step.index,
                    shortened(&sequence_text::title(step), 34),
                    verdict.text()
                )),
            ));
        }
        lines
    }
}

/// Moves up over what stands there and writes `lines` in its place (ECMA-48: CUU, EL, ED).
fn redraw(lines_before: usize, lines: &[String]) -> String {
    let mut text = if lines_before == 0 { String::new() } else { format!("\u{1b}[{lines_before}A") };
    for line in lines {
        text.push_str(&format!("\r\u{1b}[K{line}\n"));
    }
    text.push_str("\u{1b}[J");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use tidegate_core::api::StepState;
    use tidegate_core::sequence::Finding;

    #[test]
    fn progress_is_a_line_for_the_machine_and_one_a_step() {
        let screen = Screen::plain();
        let mut display = Display::new(&screen);
        let steps = [(StepState::Succeeded, Finding::Attention), (StepState::Running, Finding::None)];
        let running = vec![watched(SequenceState::Running, &steps)];
        assert!(display.show(&running), "the first look changes everything");
        assert!(!display.show(&running), "the second nothing");
        insta::assert_snapshot!(display.lines.join("\n"));
    }

    #[test]
    fn what_waits_for_a_person_is_not_watched_for_ever() {
        let still: Vec<_> = sample::SEQUENCE_STATES.into_iter().filter(|state| moves(*state)).collect();
        let expected = [
            SequenceState::Queued,
            SequenceState::Offered,
            SequenceState::Delivered,
            SequenceState::Running,
            SequenceState::Cancelling,
        ];
        assert_eq!(still, expected);
    }

    #[test]
    fn lines_are_redrawn_in_place() {
        assert_eq!(redraw(0, &["a".into()]), "\r\u{1b}[Ka\n\u{1b}[J");
        assert_eq!(redraw(2, &["a".into()]), "\u{1b}[2A\r\u{1b}[Ka\n\u{1b}[J");
    }

    fn watched(state: SequenceState, steps: &[(StepState, Finding)]) -> Watched {
        let view = sample::sequence(state, steps);
        Watched { machine: "hmi-3".into(), answer: Answer { text: String::new() }, view }
    }
}
