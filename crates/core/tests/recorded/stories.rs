//! The scripts of all recorded stories. A script is changed only to keep it compiling: what it does is in the file too,
//! and the two are compared. A new exchange is a new story.

use tidegate_core::runtime::Input;
use tidegate_core::sequence::EndState;

use crate::play::Play;

type Script = fn(&mut Play);

pub(crate) const STORIES: &[(&str, Script)] = &[
    ("first_contact", first_contact),
    ("results", results),
    ("refused_work", refused_work),
    ("cancelled_work", cancelled_work),
    ("waiting_work", waiting_work),
    ("interrupted_work", interrupted_work),
    ("altered_orders", altered_orders),
    ("set_back_machine", set_back_machine),
    ("replaced_machine", replaced_machine),
    ("announced_restore", announced_restore),
    ("silent_restore", silent_restore),
    ("pruned_entries", pruned_entries),
    ("unknown_endpoint", unknown_endpoint),
    ("new_order_key", new_order_key),
    ("revoked_order_key", revoked_order_key),
    ("repeated_request", repeated_request),
    ("restarted_plane", restarted_plane),
];

/// An enrolled machine whose log is taken up and whose journal endorses the transcript.
fn settled(play: &mut Play) {
    play.enrols();
    play.syncs(3);
}

fn first_contact(play: &mut Play) {
    play.asks_the_time();
    settled(play);
    play.syncs(2);
    play.asks_the_time();
    let problem = "connection timed out".to_owned();
    let closed_at = "2027-01-15T07:00:00Z".parse().unwrap();
    play.at_the_machine("the path was closed for a while", Input::Link { closed_at, attempts: 118, problem });
    let day = serde_json::from_str("\"2027-01-14\"").unwrap();
    play.at_the_machine("a day is over", Input::Traffic { day, up_bytes: 143_012, down_bytes: 61_440 });
    let facts = serde_json::Map::from_iter([("hostname".to_owned(), "hmi-7".into())]);
    let probes = tidegate_core::probe::Catalogue::default();
    play.at_the_machine("its facts change", Input::Facts { facts, probes });
    play.syncs(3);
}

fn results(play: &mut Play) {
    settled(play);
    play.packs();
    let work = play.queues(&["look", "act", "look"], None);
    play.syncs(2);
    play.step_ends(EndState::Succeeded, &"64 bytes from 10.20.0.5: \"0.8 ms\"\n".repeat(200));
    play.syncs(1);
    play.step_ends(EndState::Succeeded, "Motorstörung quittiert ✓");
    play.step_ends(EndState::TimedOut, "");
    play.syncs(1);
    play.shows(work);
}

fn refused_work(play: &mut Play) {
    settled(play);
    let first = play.queues(&["look", "forbidden"], None);
    let second = play.queues(&["gone"], None);
    play.syncs(2);
    play.step_ends(EndState::Succeeded, "as it should be");
    play.syncs(1);
    play.shows(first);
    play.shows(second);
    let third = play.queues(&["act", "look"], None);
    play.syncs(2);
    play.step_ends(EndState::Failed, "no such service");
    play.syncs(1);
    play.shows(third);
}

fn cancelled_work(play: &mut Play) {
    settled(play);
    let running = play.queues(&["act", "act"], None);
    let waiting = play.queues(&["look"], None);
    play.syncs(2);
    play.cancels(waiting);
    play.cancels(running);
    play.syncs(4);
    play.shows(running);
    play.shows(waiting);
}

fn waiting_work(play: &mut Play) {
    settled(play);
    let work = play.queues(&["look"], Some(600));
    play.syncs(2);
    play.shows(work);
    play.passes(700);
    play.step_ends(EndState::Succeeded, "late");
    play.syncs(1);
    play.shows(work);
}

fn interrupted_work(play: &mut Play) {
    settled(play);
    let work = play.queues(&["look again", "act"], None);
    play.syncs(2);
    play.boots();
    play.syncs(1);
    play.step_ends(EndState::Succeeded, "the second time");
    play.boots();
    play.syncs(2);
    play.shows(work);
}

fn altered_orders(play: &mut Play) {
    settled(play);
    let work = play.queues(&["look"], None);
    for _ in 0..3 {
        play.sync_altered();
    }
    play.syncs(2);
    play.shows(work);
}

fn set_back_machine(play: &mut Play) {
    settled(play);
    play.disk_is_copied();
    let work = play.queues(&["look"], None);
    play.syncs(2);
    play.step_ends(EndState::Succeeded, "before it was set back");
    play.syncs(2);
    play.disk_is_set_back();
    play.syncs(3);
    play.adopts();
    play.syncs(3);
    play.shows(work);
}

fn replaced_machine(play: &mut Play) {
    settled(play);
    let work = play.queues(&["look"], None);
    play.syncs(1);
    play.is_imaged_anew();
    play.syncs(2);
    play.adopts();
    play.syncs(3);
    play.shows(work);
}

fn announced_restore(play: &mut Play) {
    settled(play);
    let work = play.queues(&["look"], None);
    play.backs_up();
    play.syncs(2);
    play.step_ends(EndState::Succeeded, "since the backup");
    play.syncs(2);
    play.restores(true);
    play.shows(work);
    play.syncs(5);
    play.shows(work);
}

fn silent_restore(play: &mut Play) {
    settled(play);
    play.backs_up();
    let work = play.queues(&["look"], None);
    play.syncs(2);
    play.step_ends(EndState::Succeeded, "forgotten by the control plane");
    play.syncs(2);
    play.restores(false);
    play.shows(work);
    play.syncs(6);
    play.shows(work);
}

fn pruned_entries(play: &mut Play) {
    play.keeps_no_acknowledged_entry();
    settled(play);
    play.backs_up();
    let work = play.queues(&["look"], None);
    play.syncs(2);
    play.step_ends(EndState::Succeeded, "pruned");
    play.syncs(2);
    play.restores(true);
    play.syncs(5);
    play.shows(work);
}

fn unknown_endpoint(play: &mut Play) {
    play.backs_up_nothing();
    settled(play);
    play.restores(false);
    play.syncs(2);
    play.recovers();
    play.syncs(2);
    play.adopts();
    play.syncs(4);
    let work = play.queues(&["look"], None);
    play.syncs(2);
    play.step_ends(EndState::Succeeded, "");
    play.syncs(2);
    play.shows(work);
}

fn new_order_key(play: &mut Play) {
    settled(play);
    play.rotates(false);
    let work = play.queues(&["look"], None);
    play.syncs(3);
    play.step_ends(EndState::Succeeded, "by the new key");
    play.syncs(1);
    play.shows(work);
    play.asks_the_time();
}

fn revoked_order_key(play: &mut Play) {
    settled(play);
    let running = play.queues(&["look"], None);
    let accepted = play.queues(&["look"], None);
    play.syncs(2);
    play.rotates(true);
    play.syncs(2);
    play.step_ends(EndState::Succeeded, "");
    play.syncs(1);
    play.shows(running);
    play.shows(accepted);
}

fn repeated_request(play: &mut Play) {
    settled(play);
    let work = play.queues(&["look"], None);
    play.sync_lost();
    play.repeats();
    play.syncs(2);
    play.step_ends(EndState::Succeeded, "once");
    play.sync_lost();
    play.repeats();
    play.syncs(1);
    play.shows(work);
}

fn restarted_plane(play: &mut Play) {
    settled(play);
    play.syncs(2);
    play.restarts();
    play.syncs(4);
}
