//! Everything that is shown holds in its quick form too: the same code with fewer rounds, in every test run.

use tidegate_programs::harness::Browser;
use tidegate_programs::shows::{SHOWS, Scale, can_make_networks, can_mount, run};

#[test]
fn work_for_a_machine_that_is_off_runs_once_and_in_order() {
    holds("offline-queue");
}

#[test]
fn a_step_cut_off_by_a_kill_leaves_nothing_and_is_not_run_again() {
    holds("kill-mid-step");
}

#[test]
fn a_link_cut_in_the_middle_stops_no_work_and_hides_nothing() {
    holds("link-cut");
}

#[test]
fn a_short_window_is_not_missed_however_the_link_was_closed() {
    holds("two-minute-window");
}

#[test]
fn a_trickle_is_enough_for_work_with_real_output() {
    holds("trickle");
}

#[test]
fn output_without_end_stays_within_bounds_and_is_counted() {
    holds("big-output");
}

#[test]
fn a_step_over_its_limit_leaves_no_process() {
    holds("timeout");
}

#[test]
fn nothing_altered_runs_or_passes_for_genuine() {
    holds("tamper");
}

#[test]
fn replaced_and_revoked_keys_strand_no_machine_and_serve_no_thief() {
    holds("rotate");
}

#[test]
fn a_recorded_sync_that_is_sent_again_moves_nothing() {
    holds("replay");
}

#[test]
fn no_doctored_export_is_proved() {
    holds("verify-false");
}

#[test]
fn a_record_that_a_machine_filled_can_always_be_read() {
    holds("large-record");
}

#[test]
fn floods_stay_within_bounds_and_honest_work_goes_on() {
    holds("flood");
}

#[test]
fn power_cuts_lose_nothing_acknowledged_and_damage_nothing() {
    holds("power-cut");
}

#[test]
fn full_disks_lose_nothing_acknowledged_and_all_goes_on_by_itself() {
    if can_mount() {
        holds("full-disk");
    } else {
        eprintln!(
            "SKIPPED: full-disk mounts small disks in a namespace of its own, which is not allowed here"
        );
    }
}

#[test]
fn clocks_that_are_decades_off_are_no_matter() {
    if rustix::process::geteuid().is_root() {
        holds("clocks");
    } else {
        eprintln!("SKIPPED: clocks gives machines boot ids of their own, which takes root");
    }
}

#[test]
fn no_check_brings_a_private_key_home() {
    holds("keys-at-home");
}

#[test]
fn a_restored_control_plane_runs_nothing_twice() {
    holds("restore");
}

#[test]
fn a_re_imaged_machine_runs_nothing_by_itself() {
    holds("re-image");
}

#[test]
fn a_cloned_machine_waits_for_a_person() {
    holds("clone");
}

#[test]
fn a_rolled_back_machine_does_not_do_its_work_again() {
    holds("rollback");
}

#[test]
fn the_doctor_names_what_is_broken_and_nothing_else() {
    holds("doctor");
}

#[test]
fn an_idle_day_stays_within_its_budgets() {
    if can_make_networks() {
        holds("idle-day");
    } else {
        eprintln!("SKIPPED: idle-day makes networks of its own, which is not allowed here");
    }
}

#[test]
fn the_main_job_is_done_in_a_real_browser() {
    match Browser::missing() {
        None => holds("browser"),
        Some(missing) => eprintln!("SKIPPED: {missing}"),
    }
}

#[test]
fn every_show_has_a_name_of_its_own_and_one_line() {
    let mut names: Vec<_> = SHOWS.iter().map(|show| show.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), SHOWS.len());
    assert!(SHOWS.iter().all(|show| !show.about.is_empty() && !show.about.contains('\n')));
}

fn holds(name: &str) {
    if let Err(error) = run(name, Scale::Quick) {
        panic!("{name} did not hold: {error:#}");
    }
}
