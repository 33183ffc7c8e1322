//! Recorded exchanges, kept for good: programs that run in plants must go on speaking with newer ones.
//!
//! Each file under `v2` is one story, with the exact bytes that a runtime sent and that a control plane answered when the
//! story was recorded. The script of the story (`stories.rs`) is played twice against today's code. Once the recorded
//! requests go to today's control plane, whose answers must hold everything that the recorded ones held. Once the
//! recorded answers go to today's runtime, whose requests must hold everything that the recorded ones held.
//!
//! `TIDEGATE_RECORD=1 cargo test -p tidegate-core --test recorded` records stories that have no file yet. A file is
//! never changed: the program that sent these bytes is in the field.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod acts;
mod compare;
#[path = "../scenarios/world/database.rs"]
mod database;
mod exchange;
mod keys;
mod known;
mod machine;
mod plane;
mod play;
mod probes;
mod problem;
mod stories;
mod story;
mod translate;

use std::collections::BTreeSet;

use play::{Mode, Play, Variation};
use stories::STORIES;
use story::Story;

/// Plays every story that has a file, and names all that went wrong in any of them.
fn play_all(mode: Mode, variation: Variation) {
    let mut problems = Vec::new();
    for (name, script) in STORIES {
        let Some(story) = Story::load(name) else {
            problems.push(format!("story `{name}` has no file: TIDEGATE_RECORD=1 records it"));
            continue;
        };
        let mut play = Play::new(name, mode, story, variation);
        script(&mut play);
        problems.extend(play.finish());
    }
    assert!(
        problems.is_empty(),
        "this change breaks programs that are in the field; CONTRIBUTING.md says what to do:\n{}",
        problems.join("\n")
    );
}

#[test]
fn a_runtime_of_any_recorded_version_works_with_the_control_plane_of_today() {
    record_new_stories();
    play_all(Mode::RecordedRuntime, Variation::default());
}

#[test]
fn the_runtime_of_today_works_with_a_control_plane_of_any_recorded_version() {
    record_new_stories();
    play_all(Mode::RecordedPlane, Variation::default());
}

/// Other ids, salts and hashes than the recorded ones, as when a later program draws its randomness in another order.
#[test]
fn a_replay_does_not_depend_on_what_either_side_draws() {
    record_new_stories();
    play_all(Mode::RecordedRuntime, Variation { draws: 1, ..Variation::default() });
    play_all(Mode::RecordedPlane, Variation { draws: 1, ..Variation::default() });
}

/// A newer sender adds a field to every object that may grow, inside signatures too.
#[test]
fn a_field_that_only_the_newer_side_knows_is_ignored_in_every_message() {
    record_new_stories();
    play_all(Mode::RecordedRuntime, Variation { is_extended: true, ..Variation::default() });
    play_all(Mode::RecordedPlane, Variation { is_extended: true, ..Variation::default() });
}

#[test]
fn every_file_belongs_to_a_story() {
    record_new_stories();
    let names: BTreeSet<String> = STORIES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(story::recorded_names(), names, "a recorded story is never removed");
}

/// Records what has no file yet where `TIDEGATE_RECORD` is `1`. Where it names a story, that one is recorded over, which
/// is right only while no release has sent its bytes.
#[allow(clippy::disallowed_methods, reason = "a recording is asked for by the environment")]
fn record_new_stories() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let Ok(asked) = std::env::var("TIDEGATE_RECORD") else { return };
        let is_a_story = STORIES.iter().any(|(name, _)| *name == asked);
        assert!(asked == "1" || is_a_story, "TIDEGATE_RECORD is `1` or the name of a story, not `{asked}`");
        for (name, script) in STORIES {
            let is_asked_for = asked == *name || (asked == "1" && Story::load(name).is_none());
            if is_asked_for {
                let mut play = Play::new(name, Mode::Record, Story::default(), Variation::default());
                script(&mut play);
                play.save();
            }
        }
    });
}
