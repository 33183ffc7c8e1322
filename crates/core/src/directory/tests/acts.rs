use crate::api::{NewClient, NewCode, NewSite, SitePatch};
use crate::call::{Answer, DirectoryAct, DirectoryInput, DirectoryQuestion, Resource};
use crate::chain::Entry;
use crate::digest::Digest;
use crate::directory::{DirectoryBody, DirectoryHeader};
use crate::error::Code;
use crate::id::{ClientId, CodeId, SiteId};
use crate::schema::migrate;
use crate::sql::ReadSql;
use crate::time::Milliseconds;
use crate::window::{read_windows, windows_text};

use super::support::{
    World, all, code_of, endpoint_id, endpoint_view, key, new_code, projection, read, secret,
};

fn named(name: &str) -> DirectoryAct {
    DirectoryAct::CreateClient(NewClient { name: name.to_owned() })
}

fn clients(world: &World) -> usize {
    match world.try_ask(DirectoryQuestion::Clients(all())) {
        Ok(Answer::Clients(page)) => page.items.len(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_repeat_with_the_same_key_is_answered_as_the_first_time_and_does_nothing() {
    let mut world = World::new();
    let first = world.try_act(key("k", "acme"), named("Acme")).unwrap();
    assert!(first.1);
    world.pass("23h");
    assert_eq!(world.try_act(key("k", "acme"), named("Acme")), Ok(first));
    assert_eq!(clients(&world), 1);
}

#[test]
fn a_key_used_for_another_request_is_refused_and_is_free_after_24_hours() {
    let mut world = World::new();
    world.try_act(key("k", "acme"), named("Acme")).unwrap();
    let answer = world.try_act(key("k", "other"), named("Other"));
    assert_eq!(code_of(answer), Code::IdempotencyMismatch);
    assert_eq!(clients(&world), 1);
    world.pass("24h");
    world.try_act(key("k", "other"), named("Other")).unwrap();
}

#[test]
fn a_refused_request_does_not_use_its_key() {
    let mut world = World::new();
    world.act(named("Acme")).unwrap();
    assert_eq!(code_of(world.try_act(key("k", "acme"), named("Acme"))), Code::Conflict);
    world.try_act(key("k", "other"), named("Other")).unwrap();
}

#[test]
fn a_repeated_code_shows_which_was_made_and_not_its_secret_which_is_stored_nowhere() {
    let mut world = World::new();
    let site = world.some_site();
    let make = DirectoryAct::CreateCode(new_code(site.id));
    let (first, _) = world.try_act(key("k", "code"), make.clone()).unwrap();
    let (again, created) = world.try_act(key("k", "code"), make).unwrap();
    let (Resource::Code(mut first), Resource::Code(again)) = (first, again) else { panic!("not codes") };
    let shown = read(&first);
    assert!(created);
    assert_eq!(again.code, None);
    first.code = None;
    assert_eq!(again, first);
    let hidden = data_encoding::HEXLOWER.encode(&shown.secret);
    let stored = world.db.query("SELECT reply FROM directory_idempotency", &[]).unwrap();
    assert!(!format!("{stored:?}").contains(&hidden));
}

#[test]
fn the_directory_and_endpoint_objects_fit_one_database() {
    let world = World::new();
    migrate(&world.db, &crate::control::SCHEMA).unwrap();
    migrate(&world.db, &crate::directory::SCHEMA).unwrap();
}

#[test]
fn names_are_unique_where_they_must_be() {
    let mut world = World::new();
    let acme = world.client("Acme");
    let other = world.client("acme");
    assert_eq!(code_of(world.act(named("Acme"))), Code::Conflict);
    world.site(acme.id, "North");
    world.site(other.id, "North");
    let again = NewSite { client_id: acme.id, name: "North".into(), time_zone: None, windows: Vec::new() };
    assert_eq!(code_of(world.act(DirectoryAct::CreateSite(again))), Code::Conflict);
}

#[test]
fn a_site_has_a_known_client_and_a_time_zone_that_looks_like_one() {
    let mut world = World::new();
    let client = world.client("Acme").id;
    let lost = NewSite {
        client_id: ClientId::from_bytes([0; 10]),
        name: "North".into(),
        time_zone: None,
        windows: Vec::new(),
    };
    assert_eq!(code_of(world.act(DirectoryAct::CreateSite(lost))), Code::NotFound);
    let new = |zone: &str| {
        DirectoryAct::CreateSite(NewSite {
            client_id: client,
            name: "North".into(),
            time_zone: Some(zone.into()),
            windows: Vec::new(),
        })
    };
    for zone in ["", "Europe Berlin", "<b>", "Zürich", &"a".repeat(65)] {
        assert_eq!(code_of(world.act(new(zone))), Code::InvalidRequest, "{zone}");
    }
    let Ok(Resource::Site(site)) = world.act(new("Etc/GMT+5")) else { panic!("no site") };
    assert_eq!(site.time_zone, "Etc/GMT+5");
    assert_eq!(world.try_ask(DirectoryQuestion::Site(site.id)), Ok(Answer::Site(site)));
    let unknown = DirectoryQuestion::Site(SiteId::from_bytes([0; 10]));
    assert_eq!(code_of(world.try_ask(unknown)), Code::NotFound);
}

#[test]
fn a_client_is_renamed_to_a_name_that_is_free() {
    let mut world = World::new();
    let acme = world.client("Acme").id;
    world.client("Other");
    let rename = |name: &str| DirectoryAct::RenameClient { client: acme, name: name.into() };
    for _ in 0..2 {
        let Ok(Resource::Client(view)) = world.act(rename("Acme Ltd")) else { panic!("no client") };
        assert_eq!((view.id, view.name.as_str()), (acme, "Acme Ltd"));
    }
    assert_eq!(code_of(world.act(rename("Other"))), Code::Conflict);
    assert_eq!(code_of(world.act(rename(""))), Code::InvalidRequest);
    let unknown = DirectoryAct::RenameClient { client: ClientId::from_bytes([0; 10]), name: "A".into() };
    assert_eq!(code_of(world.act(unknown)), Code::NotFound);
    assert_eq!(super::sessions::recorded(&world), ["client_created", "client_created", "client_renamed"]);
}

#[test]
fn a_site_gets_another_name_or_time_zone_and_keeps_the_rest() {
    let mut world = World::new();
    let client = world.client("Acme").id;
    let north = world.site(client, "North");
    world.site(client, "South");
    let edit = |name: Option<&str>, zone: Option<&str>| DirectoryAct::EditSite {
        site: north.id,
        patch: SitePatch { name: name.map(Into::into), time_zone: zone.map(Into::into), windows: None },
    };
    world.act(edit(Some("North 1"), None)).unwrap();
    for _ in 0..2 {
        world.act(edit(None, Some("Europe/Berlin"))).unwrap();
    }
    let Ok(Answer::Site(view)) = world.try_ask(DirectoryQuestion::Site(north.id)) else { panic!("no site") };
    assert_eq!((view.name.as_str(), view.time_zone.as_str()), ("North 1", "Europe/Berlin"));
    assert_eq!(world.act(edit(None, None)), Ok(Resource::Site(view)));
    assert_eq!(code_of(world.act(edit(Some("South"), None))), Code::Conflict);
    assert_eq!(code_of(world.act(edit(Some("North 1"), Some("<b>")))), Code::InvalidRequest);
    assert_eq!(code_of(world.act(edit(Some("\n"), None))), Code::InvalidRequest);
    let edited = super::sessions::recorded(&world).into_iter().filter(|kind| kind == "site_edited").count();
    assert_eq!(edited, 2);
}

#[test]
fn a_sites_maintenance_windows_are_kept_and_replaced_as_a_whole() {
    let mut world = World::new();
    let site = world.some_site();
    assert_eq!(site.windows, []);
    let edit = |name: Option<&str>, windows: Option<&str>| DirectoryAct::EditSite {
        site: site.id,
        patch: SitePatch {
            name: name.map(Into::into),
            time_zone: None,
            windows: windows.map(|text| read_windows(text).unwrap()),
        },
    };
    let text = |world: &World| match world.try_ask(DirectoryQuestion::Site(site.id)) {
        Ok(Answer::Site(site)) => windows_text(&site.windows),
        _ => panic!("no site"),
    };
    world.act(edit(None, Some("Mon-Fri 02:00-02:12, Sat 22:00-06:00"))).unwrap();
    world.act(edit(Some("Elsewhere"), None)).unwrap();
    assert_eq!(text(&world), "Mon-Fri 02:00-02:12, Sat 22:00-06:00");
    world.act(edit(None, Some(""))).unwrap();
    assert_eq!(text(&world), "");
    let many =
        SitePatch { windows: Some(vec!["Mon 01:00-02:00".parse().unwrap(); 15]), ..SitePatch::default() };
    let refused = world.act(DirectoryAct::EditSite { site: site.id, patch: many });
    assert_eq!(code_of(refused), Code::InvalidRequest);
}

#[test]
fn a_code_has_bounded_uses_and_validity_and_pins_the_root_key() {
    let mut world = World::new();
    let site = world.some_site();
    let (minute, days) = (Milliseconds::from_seconds(60), Milliseconds::from_days(90));
    for (uses, span) in
        [(0, minute), (1_001, minute), (1, Milliseconds(59_999)), (1, Milliseconds(days.0 + 1))]
    {
        let new = NewCode { uses: Some(uses), expires_in: Some(span), ..new_code(site.id) };
        assert_eq!(code_of(world.act(DirectoryAct::CreateCode(new))), Code::InvalidRequest, "{uses} {span}");
    }
    let usual = world.code(new_code(site.id));
    assert_eq!((usual.uses_left, usual.expires_at), (1, world.now.plus(Milliseconds::from_days(7))));
    assert_eq!(read(&usual).root_fingerprint, world.root().fingerprint());
    world.code(NewCode { uses: Some(1_000), expires_in: Some(days), ..new_code(site.id) });
    let nowhere = new_code(SiteId::from_bytes([0; 10]));
    assert_eq!(code_of(world.act(DirectoryAct::CreateCode(nowhere))), Code::NotFound);
    let unknown = DirectoryAct::RevokeCode(CodeId::from_bytes([0; 10]));
    assert_eq!(code_of(world.act(unknown)), Code::NotFound);
}

#[test]
fn a_code_for_one_machine_is_for_a_known_one_of_that_site_and_for_one_use() {
    let mut world = World::new();
    let site = world.some_site();
    let elsewhere = world.site(site.client_id, "South");
    let new = NewCode { endpoint_id: Some(endpoint_id(5)), ..new_code(site.id) };
    assert_eq!(code_of(world.act(DirectoryAct::CreateCode(new.clone()))), Code::NotFound);
    world.project(projection(1, endpoint_view(5, "hmi", &site)));
    let wrong_site = NewCode { site_id: elsewhere.id, ..new.clone() };
    assert_eq!(code_of(world.act(DirectoryAct::CreateCode(wrong_site))), Code::InvalidRequest);
    let many = NewCode { uses: Some(2), ..new.clone() };
    assert_eq!(code_of(world.act(DirectoryAct::CreateCode(many))), Code::InvalidRequest);
    assert_eq!(world.code(new).endpoint_id, Some(endpoint_id(5)));
}

#[test]
fn every_act_is_in_the_audit_chain_once_and_no_secret_is() {
    let mut world = World::new();
    let owner = DirectoryInput::CreateOwner { email: "anna@example.com".into(), sign_in: secret("link") };
    world.try_handle(owner).unwrap();
    world
        .try_handle(DirectoryInput::SignIn {
            link: secret("link"),
            token: secret("t"),
            life: crate::api::TokenLife::Never,
        })
        .unwrap();
    let site = world.some_site();
    let code = world.code(new_code(site.id));
    for _ in 0..2 {
        world.admit(1, &read(&code)).unwrap();
    }
    for _ in 0..2 {
        world.act(DirectoryAct::RevokeCode(code.id)).unwrap();
    }
    world.act(named("Acme")).unwrap_err();

    let rows = world.db.query("SELECT header, body FROM directory_audit ORDER BY number", &[]).unwrap();
    let (mut kinds, mut previous) = (Vec::new(), Digest::ZERO);
    for (index, row) in rows.iter().enumerate() {
        let header: DirectoryHeader = row.json(0).unwrap();
        let body: DirectoryBody = row.json(1).unwrap();
        assert_eq!((header.link.number, header.link.previous), (index as u64 + 1, previous));
        assert!(header.link.holds(row.text(1).unwrap()));
        assert_eq!(header.kind, body.kind());
        previous = Entry { header: row.text(0).unwrap().into(), body: None }.hash();
        kinds.push(header.kind);
    }
    let expected = [
        "owner_created",
        "playbook_created",
        "playbook_created",
        "playbook_created",
        "playbook_created",
        "playbook_created",
        "signed_in",
        "client_created",
        "site_created",
        "code_created",
        "admitted",
        "code_revoked",
    ];
    assert_eq!(kinds, expected);
    let hidden = data_encoding::HEXLOWER.encode(&read(&code).secret);
    for secret in [hidden, secret("link").to_string(), secret("t").to_string()] {
        assert!(!format!("{rows:?}").contains(&secret));
    }
}
