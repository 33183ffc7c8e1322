//! Every error that an operator can meet: provoked, read, and explained in `docs/errors.md`.

mod document;

use tidegate_programs::provocations::{AREAS, provoke};

/// A test for each area, so that they run beside one another.
macro_rules! areas {
    ($($(#[$documentation:meta])* $test:ident = $area:literal;)*) => {
        $($(#[$documentation])* #[test] fn $test() { is_told($area); })*

        #[test]
        fn every_area_has_its_test() {
            let tested = [$($area,)*];
            let areas: Vec<_> = AREAS.iter().map(|area| area.name).collect();
            assert_eq!(tested[..], areas[..]);
        }
    };
}

areas! {
    requests_that_do_not_read_or_prove_nothing_are_refused_in_words = "requests";
    sequences_that_cannot_be_queued_say_which_step_and_why = "sequences";
    a_control_plane_that_is_crowded_or_has_no_room_stores_nothing_and_says_so = "answers";
    a_code_admits_exactly_whom_it_is_for = "enrolment";
    what_is_held_for_somebody_shut_out_ends_at_once = "held";
    what_a_person_typed_is_named_with_what_to_type_instead = "typed";
    a_control_plane_that_cannot_start_changes_nothing_and_says_why = "plane";
    a_runtime_that_cannot_use_its_state_leaves_it_as_it_is = "endpoint";
    a_service_that_cannot_be_changed_stays_as_it_is = "service";
    a_service_that_this_machine_refuses_is_not_half_installed = "booted";
    what_lies_beneath_a_program_fails_it_and_is_named = "system";
    whatever_is_wrong_on_the_way_is_told_with_a_remedy = "path";
    a_certificate_that_proves_nothing_is_told_with_a_remedy = "certificates";
}

fn is_told(name: &str) {
    let area = AREAS.iter().find(|area| area.name == name).expect("the area exists");
    if let Err(error) = provoke(area) {
        panic!("{error:#}");
    }
}
