//! Whether a playbook holds together: judged when it is saved, so that whoever runs it at night need not.

use std::collections::BTreeSet;

use crate::probe::ArgumentKind;
use crate::sequence::{EXPIRES_IN_MAX, SequenceSpec, SpecError};

use super::fill::{SHELL_PROBE, is_shell_word};
use super::placeholder::{Malformed, Piece, is_name, pieces, texts};
use super::spec::{
    ABOUT_BYTES_MAX, NAME_BYTES_MAX, OPTIONS_MAX, PARAMETER_ABOUT_BYTES_MAX, PARAMETER_NAME_BYTES_MAX,
    PARAMETERS_MAX, PLAYBOOK_BYTES_MAX, Parameter, PlaybookSpec, TEXT_BYTES_MAX,
};

/// Longest word of a choice in bytes.
const OPTION_BYTES_MAX: usize = 100;

/// Why a playbook cannot be saved as it is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaybookError {
    /// A name that is empty or too long.
    #[error("`name` has 1 to {NAME_BYTES_MAX} bytes and no control characters")]
    Name,
    /// A description that is too long.
    #[error("`about` has at most {ABOUT_BYTES_MAX} bytes")]
    About,
    /// Too many parameters.
    #[error("a playbook has at most {PARAMETERS_MAX} parameters, this one {0}")]
    Parameters(usize),
    /// Too large in all.
    #[error("a playbook has at most {PLAYBOOK_BYTES_MAX} bytes as JSON, this one {0}")]
    Bytes(usize),
    /// A span out of bounds.
    #[error("`expires_in` is from 1s to {EXPIRES_IN_MAX}")]
    Expiry,
    /// A parameter's name that placeholders cannot hold.
    #[error(
        "parameter `{0}`: a name begins with a lower-case letter and goes on with such letters, digits and \
         underscores, up to {PARAMETER_NAME_BYTES_MAX} bytes"
    )]
    ParameterName(String),
    /// Two parameters of one name.
    #[error("parameter `{0}` is declared twice")]
    Twice(String),
    /// Bounds or words that make no sense.
    #[error("parameter `{parameter}`: {problem}")]
    Parameter {
        /// Which.
        parameter: String,
        /// What would do.
        problem: String,
    },
    /// A default or example that the parameter itself would not take.
    #[error("parameter `{parameter}`: its `{field}` must be {expected}")]
    Value {
        /// Which.
        parameter: String,
        /// `default` or `example`.
        field: &'static str,
        /// What would do.
        expected: String,
    },
    /// A parameter that stands nowhere.
    #[error("parameter `{0}` stands nowhere: use it as `{{{{{0}}}}}`, or take it out")]
    Unused(String),
    /// A `{{` that begins no placeholder.
    #[error(
        "{place}: `{text}` begins no placeholder such as `{{{{name}}}}`; a literal `{{{{` is written `{{{{{{{{`"
    )]
    Placeholder {
        /// Where.
        place: String,
        /// What stands there.
        text: String,
    },
    /// A placeholder without a parameter.
    #[error("{place}: `{{{{{parameter}}}}}` names no parameter; declared are: {declared}")]
    Undeclared {
        /// Where.
        place: String,
        /// The name.
        parameter: String,
        /// The names there are.
        declared: String,
    },
    /// A parameter that may be left out, within a text that stays.
    #[error(
        "{place}: `{{{{{parameter}}}}}` stands within other text and may be left out: give it a `default`, or make it \
         `required`"
    )]
    Optional {
        /// Where.
        place: String,
        /// Which.
        parameter: String,
    },
    /// A word that a shell would read as more than a word.
    #[error(
        "parameter `{parameter}` stands in the command of step {step}, so its `{text}` must be one plain word: letters, \
         digits and . _ : / \\ @ -"
    )]
    ShellWord {
        /// Which.
        parameter: String,
        /// The step, counted from 1.
        step: usize,
        /// The word.
        text: String,
    },
    /// Steps, title or spans that no sequence could have.
    #[error("{0}")]
    Sequence(#[from] SpecError),
}

impl PlaybookSpec {
    /// Judges what is written: bounds, placeholders declared, parameters used, defaults and examples of their kind.
    /// Probes and arguments are the machine's to judge, when it is known which.
    ///
    /// # Errors
    ///
    /// The first [`PlaybookError`].
    pub fn check(&self) -> Result<(), PlaybookError> {
        if self.name.trim().is_empty()
            || self.name.len() > NAME_BYTES_MAX
            || self.name.contains(char::is_control)
        {
            return Err(PlaybookError::Name);
        }
        if self.about.len() > ABOUT_BYTES_MAX {
            return Err(PlaybookError::About);
        }
        if self.parameters.len() > PARAMETERS_MAX {
            return Err(PlaybookError::Parameters(self.parameters.len()));
        }
        if self.expires_in.is_some_and(|span| span.0 < 1_000 || span > EXPIRES_IN_MAX) {
            return Err(PlaybookError::Expiry);
        }
        self.as_sequence().check_bounds()?;
        let bytes = serde_json::to_string(self).map_or(usize::MAX, |text| text.len());
        if bytes > PLAYBOOK_BYTES_MAX {
            return Err(PlaybookError::Bytes(bytes));
        }
        let mut names = BTreeSet::new();
        for parameter in &self.parameters {
            parameter.check()?;
            if !names.insert(parameter.name.as_str()) {
                return Err(PlaybookError::Twice(parameter.name.clone()));
            }
        }
        self.check_placeholders()
    }

    /// The steps with their placeholders as text.
    pub(super) fn as_sequence(&self) -> SequenceSpec {
        SequenceSpec {
            title: self.title.clone(),
            steps: self.steps.clone(),
            stop_on: self.stop_on,
            expires_in: self.expires_in,
            expires_at: None,
            not_before: None,
            playbook: None,
        }
    }

    fn check_placeholders(&self) -> Result<(), PlaybookError> {
        let mut used = BTreeSet::new();
        if let Some(title) = &self.title {
            self.check_text(title, "`title`", false, &mut used)?;
        }
        for (index, step) in self.steps.iter().enumerate() {
            let number = index + 1;
            let mut found = Vec::new();
            step.with.values().for_each(|value| texts(value, &mut found));
            let mut in_step = BTreeSet::new();
            for text in found {
                self.check_text(text, &format!("step {number}"), true, &mut in_step)?;
            }
            if step.probe == SHELL_PROBE {
                self.check_shell_words(number, &in_step)?;
            }
            used.append(&mut in_step);
        }
        match self.parameters.iter().find(|parameter| !used.contains(parameter.name.as_str())) {
            Some(unused) => Err(PlaybookError::Unused(unused.name.clone())),
            None => Ok(()),
        }
    }

    /// Judges the placeholders of one text and adds them to `used`. One that may be left out stands alone, where alone
    /// is allowed: its argument then is left out with it.
    fn check_text<'a>(
        &self,
        text: &'a str,
        place: &str,
        may_be_left_out: bool,
        used: &mut BTreeSet<&'a str>,
    ) -> Result<(), PlaybookError> {
        let pieces = pieces(text)
            .map_err(|Malformed(text)| PlaybookError::Placeholder { place: place.to_owned(), text })?;
        for piece in &pieces {
            let Piece::Placeholder(name) = piece else { continue };
            let place = || place.to_owned();
            let Some(parameter) = self.parameter(name) else {
                let parameter = (*name).to_owned();
                return Err(PlaybookError::Undeclared {
                    place: place(),
                    parameter,
                    declared: self.declared(),
                });
            };
            if parameter.may_be_absent() && (pieces.len() > 1 || !may_be_left_out) {
                return Err(PlaybookError::Optional { place: place(), parameter: (*name).to_owned() });
            }
            used.insert(name);
        }
        Ok(())
    }

    /// The words that the author chose are held to what holds for those that others will choose.
    fn check_shell_words(&self, step: usize, used: &BTreeSet<&str>) -> Result<(), PlaybookError> {
        for parameter in self.parameters.iter().filter(|parameter| used.contains(parameter.name.as_str())) {
            let options: &[String] = match &parameter.kind {
                ArgumentKind::Choice { options } => options,
                ArgumentKind::Text { .. } | ArgumentKind::Integer { .. } | ArgumentKind::Boolean => &[],
            };
            let given = parameter.default.iter().chain(&parameter.example).filter_map(|value| value.as_str());
            let refused = options.iter().map(String::as_str).chain(given).find(|text| !is_shell_word(text));
            if let Some(text) = refused {
                let (parameter, text) = (parameter.name.clone(), text.to_owned());
                return Err(PlaybookError::ShellWord { parameter, step, text });
            }
        }
        Ok(())
    }

    /// The names of the parameters, for people.
    pub(super) fn declared(&self) -> String {
        let names: Vec<_> =
            self.parameters.iter().take(PARAMETERS_MAX).map(|known| known.name.as_str()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }
}

impl Parameter {
    /// Whether it can be without any value.
    pub(super) fn may_be_absent(&self) -> bool {
        !self.required && self.default.is_none()
    }

    fn check(&self) -> Result<(), PlaybookError> {
        if !is_name(&self.name) {
            let shown = self.name.chars().take(PARAMETER_NAME_BYTES_MAX).collect();
            return Err(PlaybookError::ParameterName(shown));
        }
        let problem = |problem: String| PlaybookError::Parameter { parameter: self.name.clone(), problem };
        if self.about.len() > PARAMETER_ABOUT_BYTES_MAX {
            return Err(problem(format!("`about` has at most {PARAMETER_ABOUT_BYTES_MAX} bytes")));
        }
        if self.required && self.default.is_some() {
            return Err(problem("what is `required` has no `default`: take one of them out".to_owned()));
        }
        match &self.kind {
            ArgumentKind::Text { bytes_max } if !(1..=TEXT_BYTES_MAX).contains(bytes_max) => {
                return Err(problem(format!("`bytes_max` is 1 to {TEXT_BYTES_MAX}")));
            }
            ArgumentKind::Integer { min, max } if min > max => {
                return Err(problem(format!("`min` {min} is above `max` {max}")));
            }
            ArgumentKind::Choice { options } if !are_words(options) => {
                return Err(problem(format!(
                    "`options` are 1 to {OPTIONS_MAX} different words of 1 to {OPTION_BYTES_MAX} bytes in one line"
                )));
            }
            ArgumentKind::Text { .. }
            | ArgumentKind::Integer { .. }
            | ArgumentKind::Boolean
            | ArgumentKind::Choice { .. } => {}
        }
        for (field, value) in [("default", &self.default), ("example", &self.example)] {
            if value.as_ref().is_some_and(|value| !self.accepts(value)) {
                let (parameter, expected) = (self.name.clone(), self.expected());
                return Err(PlaybookError::Value { parameter, field, expected });
            }
        }
        Ok(())
    }
}

fn are_words(options: &[String]) -> bool {
    let different: BTreeSet<_> = options.iter().collect();
    (1..=OPTIONS_MAX).contains(&options.len())
        && different.len() == options.len()
        && options.iter().all(|option| {
            (1..=OPTION_BYTES_MAX).contains(&option.len()) && !option.contains(char::is_control)
        })
}
