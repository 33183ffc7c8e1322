//! The exit codes that scripts branch on. They are part of the interface: they never change their meaning.

use std::process::ExitCode;

/// How the program ends.
///
/// Commands that only look (`list`, `show`, `transcript`) answer [`Exit::Done`] once they could show it,
/// whatever it says: a script that reads `--json` judges for itself. `run --wait` and `verify` judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: done, and nothing needs attention.
    Done,
    /// 1: a step did not succeed.
    StepFailed,
    /// 2: the command line, a file it names, or a missing confirmation.
    Usage,
    /// 3: the control plane, or within `--timeout` the machine, was not reached. Trying again may do.
    NotReachable,
    /// 4: it was reached and would not. Trying the same again does not help.
    Refused,
    /// 5: done, but something needs a person.
    Attention,
    /// 6: nothing is wrong with it and it is not proved: `verify` without `--root`, or under a revoked order key.
    Unproved,
}

/// The table of the codes, for help texts.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done, and nothing needs attention
  1  a step did not succeed
  2  usage: the command line, a file it names, a missing confirmation
  3  not reachable: the control plane, or the machine within --timeout
  4  refused: by the control plane, the machine or this program
  5  done, but something needs attention
  6  verify: the file holds and is not proved: no --root, or its order key is revoked";

impl Exit {
    /// The number the process ends with.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::StepFailed => 1,
            Self::Usage => 2,
            Self::NotReachable => 3,
            Self::Refused => 4,
            Self::Attention => 5,
            Self::Unproved => 6,
        }
    }

    /// The one to end with when several things were done: what is worse for whoever waits.
    ///
    /// A step that did not succeed outweighs all, since it is certain; then what was refused, what was not
    /// reached, and what needs attention.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        if self.weight() >= other.weight() { self } else { other }
    }

    fn weight(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Unproved => 1,
            Self::Attention => 2,
            Self::NotReachable => 3,
            Self::Refused => 4,
            Self::StepFailed => 5,
            Self::Usage => 6,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_the_interface() {
        let all = [
            Exit::Done,
            Exit::StepFailed,
            Exit::Usage,
            Exit::NotReachable,
            Exit::Refused,
            Exit::Attention,
            Exit::Unproved,
        ];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 4, 5, 6]);
        for exit in all {
            assert!(HELP.contains(&format!("\n  {}  ", exit.code())), "{exit:?} is in the help");
        }
    }

    #[test]
    fn of_several_the_worse_one_counts_whatever_the_order() {
        assert_eq!(Exit::Done.worse(Exit::Attention), Exit::Attention);
        assert_eq!(Exit::StepFailed.worse(Exit::Attention), Exit::StepFailed);
        assert_eq!(Exit::NotReachable.worse(Exit::StepFailed), Exit::StepFailed);
        assert_eq!(Exit::Refused.worse(Exit::NotReachable), Exit::Refused);
        assert_eq!(Exit::Done.worse(Exit::Done), Exit::Done);
    }
}
