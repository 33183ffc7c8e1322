//! `docs/errors.md` and the programs name the same codes, and each is provoked.

use std::collections::BTreeSet;

use tidegate_core::error::Code;
use tidegate_core::obstacle::Obstacle;
use tidegate_programs::provocations::AREAS;

/// Shorter than this is no paragraph that helps anybody at night.
const WORDS_MIN: usize = 12;

#[test]
fn every_code_of_the_programs_is_explained_and_no_other() {
    let explained: Vec<_> = rows().iter().map(|row| row.code).collect();
    let programs = codes();
    let unique: BTreeSet<_> = explained.iter().copied().collect();
    assert_eq!(unique.len(), explained.len(), "a code is explained twice");
    let missing: Vec<_> = programs.difference(&unique).collect();
    assert!(missing.is_empty(), "not explained: {missing:?}");
    let unknown: Vec<_> = unique.difference(&programs).collect();
    assert!(unknown.is_empty(), "explained, and no program says it: {unknown:?}");
}

#[test]
fn every_code_says_what_happened_and_what_to_do() {
    for Row { code, happened, next } in rows() {
        let words = happened.split_whitespace().count() + next.split_whitespace().count();
        assert!(words >= WORDS_MIN && !next.is_empty(), "`{code}` is explained in {words} words");
    }
}

#[test]
fn every_code_is_provoked_by_a_test() {
    let provoked: BTreeSet<_> = AREAS.iter().flat_map(|area| area.codes).copied().collect();
    assert_eq!(provoked, codes());
}

struct Row {
    code: &'static str,
    happened: &'static str,
    next: &'static str,
}

fn codes() -> BTreeSet<&'static str> {
    let answers = Code::ALL.iter().map(|code| code.as_str());
    answers.chain(Obstacle::ALL.iter().map(|obstacle| obstacle.as_str())).collect()
}

/// Rows of tables that begin with a code and end with what to do.
fn rows() -> Vec<Row> {
    let page = include_str!("../../../../docs/errors.md");
    page.lines()
        .filter_map(|line| {
            let row = line.strip_prefix("| `")?.strip_suffix(" |")?;
            let (code, rest) = row.split_once("` | ")?;
            let (happened, next) = rest.rsplit_once(" | ")?;
            Some(Row { code, happened, next })
        })
        .collect()
}
