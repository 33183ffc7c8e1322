//! Two machines of one site under one name: both are warned about, until people can tell them apart.

use crate::api::{EndpointState, EndpointView, NewCode, SiteView};
use crate::call::{Answer, DirectoryInput, DirectoryQuestion, Reply, Seen};
use crate::directory::SCHEMA;
use crate::directory::namesakes::sharing_a_name;
use crate::envelope::Envelope;
use crate::id::EndpointId;
use crate::keys::{KeyPair, Role};
use crate::schema::migrate;
use crate::sql::{ReadSql as _, Sql as _};
use crate::wire::{EnrolRequest, EnrolmentCode};

use super::support::{
    World, all, anna, endpoint_id, endpoint_view, enrol_request, new_code, projection, read,
};

/// A world in which these machines of one site are enrolled, numbered from 1.
fn world_with(names: &[&str]) -> (World, SiteView) {
    let mut world = World::new();
    let site = world.some_site();
    for (number, name) in (1..).zip(names) {
        world.project(projection(1, endpoint_view(number, name, &site)));
    }
    (world, site)
}

fn listed(world: &World) -> Vec<EndpointView> {
    let question = DirectoryQuestion::Endpoints { text: None, client: None, site: None, paging: all() };
    match world.try_ask(question) {
        Ok(Answer::Endpoints(page)) => page.items,
        other => panic!("{other:?}"),
    }
}

/// Each machine that is listed with a warning, and the others that it names.
fn warned(world: &World) -> Vec<(EndpointId, Vec<EndpointId>)> {
    let mut warned: Vec<_> = listed(world)
        .into_iter()
        .filter(|view| {
            let is_warned = view.attention.iter().any(|attention| attention.code == "same_name");
            assert_eq!(is_warned, !view.same_name.is_empty());
            is_warned
        })
        .map(|view| (view.id, view.same_name.iter().map(|other| other.id).collect()))
        .collect();
    warned.sort();
    warned
}

/// The same as the morning's page and the machines' own pages have it.
fn warned_elsewhere(world: &World) -> Vec<EndpointId> {
    let overnight = DirectoryQuestion::Overnight { since: world.now, limit: 200 };
    let Ok(Answer::Overnight(view)) = world.try_ask(overnight) else { panic!("no overnight") };
    assert!(view.machines.items.iter().all(|machine| {
        machine.attention.iter().map(|attention| &*attention.code).collect::<Vec<_>>() == ["same_name"]
    }));
    let mut ids: Vec<_> = view.machines.items.iter().map(|item| item.machine.endpoint_id).collect();
    ids.sort();
    for id in listed(world).into_iter().map(|view| view.id) {
        let Ok(Answer::Namesakes(others)) = world.try_ask(DirectoryQuestion::Namesakes(id)) else {
            panic!("no namesakes")
        };
        assert_eq!(!others.is_empty(), ids.contains(&id), "every page says the same of {id}");
    }
    ids
}

#[test]
fn two_machines_of_a_site_whose_names_read_the_same_are_both_warned_about() {
    for (one, other) in
        [("hmi-3", "hmi-3"), ("hmi-3", "HMI-3"), ("hmi 3", " hmi  3 "), ("prüfstand", "PRÜFSTAND")]
    {
        let (world, _) = world_with(&[one, other, "press-1"]);
        let (first, second) = (endpoint_id(1), endpoint_id(2));
        assert_eq!(warned(&world), [(first, vec![second]), (second, vec![first])], "{one:?} {other:?}");
        assert_eq!(warned_elsewhere(&world), [first, second]);
    }
}

#[test]
fn the_same_name_at_another_site_is_no_cause_for_a_warning() {
    let (mut world, site) = world_with(&["hmi-3"]);
    let south = world.site(site.client_id, "Plant South");
    world.project(projection(1, endpoint_view(2, "hmi-3", &south)));
    assert_eq!(warned(&world), []);
    assert_eq!(warned_elsewhere(&world), []);
    world.project(projection(2, endpoint_view(2, "hmi-3", &site)));
    assert_eq!(warned(&world).len(), 2, "it was moved there");
}

#[test]
fn renaming_moving_retiring_or_revoking_one_clears_the_warning_of_both() {
    let (mut world, site) = world_with(&["hmi-3"]);
    let south = world.site(site.client_id, "Plant South");
    let twin = endpoint_view(2, "hmi-3", &site);
    let cleared = [
        EndpointView { name: "hmi-3b".into(), ..twin.clone() },
        EndpointView { site_id: south.id, ..twin.clone() },
        EndpointView { state: EndpointState::Retired, ..twin.clone() },
        EndpointView { state: EndpointState::Revoked, ..twin.clone() },
    ];
    for (version, changed) in (1..).step_by(2).zip(cleared) {
        world.project(projection(version, twin.clone()));
        assert_eq!(warned(&world).len(), 2);
        world.project(projection(version + 1, changed.clone()));
        assert_eq!(warned(&world), [], "{changed:?}");
        assert_eq!(warned_elsewhere(&world), []);
    }
}

#[test]
fn a_recovered_machine_counts_since_it_may_come_back_to_work() {
    let (mut world, site) = world_with(&["hmi-3"]);
    let twin = endpoint_view(2, "hmi-3", &site);
    world.project(projection(1, EndpointView { state: EndpointState::Recovered, ..twin }));
    assert_eq!(warned(&world).len(), 2);
}

#[test]
fn a_warning_says_when_the_other_was_last_heard() {
    let (mut world, _) = world_with(&["hmi-3", "HMI-3"]);
    let seen = Seen { at: world.now, skew_ms: None };
    world.heard.seen.insert(endpoint_id(2), seen);
    let others = &listed(&world)[0].same_name;
    assert_eq!((&*others[0].name, others[0].last_seen_at), ("HMI-3", Some(world.now)));
    assert_eq!(listed(&world)[1].same_name[0].last_seen_at, None);
}

#[test]
fn of_many_machines_of_one_name_each_page_lists_five() {
    let (world, _) = world_with(&["same"; 9]);
    let views = listed(&world);
    assert!(views.iter().all(|view| view.same_name.len() == 5 && view.attention.len() == 1));
    assert_eq!(views[0].attention[0].reason, "5 or more other machines at this site have the same name");
}

#[test]
fn an_enrolment_under_a_name_that_is_taken_is_told_to_the_machine_and_recorded() {
    let (mut world, site) = world_with(&["hmi-1", "HMI-2"]);
    let code = read(&world.code(NewCode { uses: Some(3), ..new_code(site.id) }));
    let admitted = |world: &mut World, machine: u8, code: &EnrolmentCode| {
        let keys = KeyPair::from_seed(Role::Endpoint, &[machine; 32]);
        let envelope = Envelope::seal(&enrol_request(machine, code), &keys, Role::Endpoint);
        match world.try_handle(DirectoryInput::Admit(Box::new(envelope))).unwrap() {
            Reply::Admitted { same_name, .. } => same_name,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(admitted(&mut world, 2, &code), [endpoint_id(2)]);
    assert_eq!(admitted(&mut world, 2, &code), [endpoint_id(2)], "a repeat is answered alike");
    assert_eq!(admitted(&mut world, 3, &code), []);
    let audit = DirectoryQuestion::Audit { by: anna(), is_newest_first: true, paging: all() };
    let Ok(Answer::Audit(page)) = world.try_ask(audit) else { panic!("no audit") };
    let entries: Vec<_> = page.items.iter().filter(|entry| entry.kind == "admitted").collect();
    assert_eq!(entries.len(), 2, "a repeat is not recorded");
    let told = crate::words::describe_audit(entries[1]);
    assert!(told.ends_with(&format!(", which has the name of machine {}", endpoint_id(2))), "{told}");
    assert!(!crate::words::describe_audit(entries[0]).contains("name"));
}

#[test]
fn machines_that_enrol_in_the_same_moment_are_told_of_each_other() {
    let (mut world, site) = world_with(&[]);
    let code = read(&world.code(NewCode { uses: Some(2), ..new_code(site.id) }));
    let admitted = |world: &mut World, machine: u8| {
        let keys = KeyPair::from_seed(Role::Endpoint, &[machine; 32]);
        let request = EnrolRequest { name: "clone".into(), ..enrol_request(machine, &code) };
        let envelope = Envelope::seal(&request, &keys, Role::Endpoint);
        match world.try_handle(DirectoryInput::Admit(Box::new(envelope))).unwrap() {
            Reply::Admitted { admission, same_name } => (admission.endpoint, same_name),
            other => panic!("{other:?}"),
        }
    };
    let (first, alone) = admitted(&mut world, 1);
    assert_eq!(alone, []);
    assert_eq!(admitted(&mut world, 2).1, [first], "no projection has told of it yet");
    let renamed = EndpointView { id: first, ..endpoint_view(1, "press-1", &site) };
    world.project(projection(1, renamed));
    assert_eq!(admitted(&mut world, 2).1, [], "it has another name by now");
}

#[test]
fn a_machine_that_enrols_its_own_record_again_is_no_namesake_of_itself() {
    let (mut world, site) = world_with(&["hmi-1"]);
    let code = NewCode { endpoint_id: Some(endpoint_id(1)), ..new_code(site.id) };
    let code = read(&world.code(code));
    let keys = KeyPair::from_seed(Role::Endpoint, &[1; 32]);
    let envelope = Envelope::seal(&enrol_request(1, &code), &keys, Role::Endpoint);
    let reply = world.try_handle(DirectoryInput::Admit(Box::new(envelope)));
    assert!(matches!(reply, Ok(Reply::Admitted { same_name, .. }) if same_name.is_empty()));
}

#[test]
fn a_directory_of_an_older_program_warns_at_once_about_the_machines_it_has() {
    let mut world = World::of_version(3);
    let site = world.some_site();
    for (number, name, state) in [
        (1, "hmi-3", EndpointState::Active),
        (2, " HMI-3", EndpointState::Active),
        (3, "hmi-3", EndpointState::Retired),
    ] {
        let view = EndpointView { state, ..endpoint_view(number, name, &site) };
        let document = serde_json::to_string(&view).unwrap();
        let values = [view.id.into(), name.into(), site.client_id.into(), site.id.into(), document.into()];
        world
            .db
            .execute(
                "INSERT INTO endpoint_summary (endpoint_id, version, name, client_id, site_id, search, needs_person, \
                 document) VALUES (?1, 1, ?2, ?3, ?4, '', 0, ?5)",
                &values,
            )
            .unwrap();
    }
    migrate(&world.db, &SCHEMA).unwrap();
    assert_eq!(warned_elsewhere(&world), [endpoint_id(1), endpoint_id(2)]);
}

#[test]
fn namesakes_are_found_by_the_index_of_names_alone() {
    let (world, _) = world_with(&["hmi-3", "hmi-3"]);
    let rows = world.db.query(concat!("EXPLAIN QUERY PLAN ", sharing_a_name!()), &[]).unwrap();
    let plan = rows.iter().map(|row| row.text(3).unwrap()).collect::<Vec<_>>().join("\n");
    assert_eq!(plan.matches("USING COVERING INDEX endpoint_summary_by_folded_name").count(), 2, "{plan}");
}
