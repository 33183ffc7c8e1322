//! Order keys renewed with request and answer, by operators who mistype and past files that were swapped.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tidegate_core::digest::Digest;
use tidegate_core::envelope::Envelope;
use tidegate_core::keys::{KeyPair, Role};
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_core::time::Milliseconds;
use tidegate_core::wire::{ORDER_KEY_VALID_FOR, OrderKeyCertificate, SERIAL_MAX};
use tidegate_server::admin::order_key::{self, Before, OrderKey, Pending, Renewal, Request, SignOptions};
use tidegate_server::admin::{Protection, RestoreOptions, backup, restore};

use crate::plane::Home;

const NEW: Renewal =
    Renewal { before: Before::Replaced, valid_for: None, serial: None, may_drop_revoke: false };
const REVOKE: Renewal = Renewal { before: Before::Revoked, ..NEW };

#[test]
fn a_request_is_signed_by_its_fingerprint_and_revokes_what_it_says() {
    let home = Home::new();
    let pending = request(&home, REVOKE);
    assert_eq!((pending.key.serial, &pending.key.revokes[..]), (2, &[1][..]));
    assert_eq!(order_key::list(&home.data()).unwrap().pending, Some(pending.clone()));
    let signed = order_key::sign(&signing(&home, pending.request)).unwrap();
    assert_eq!((signed.serial, &signed.revokes[..]), (2, &[1][..]));
    let key = order_key::accept(&home.data(), &answer(&home), Before::Revoked).unwrap();
    assert_eq!((key.serial, &key.revokes[..]), (2, &[1][..]));
    let listed = order_key::list(&home.data()).unwrap();
    assert!(listed.keys[1].is_revoked && listed.pending.is_none(), "{listed:?}");
}

#[test]
fn a_request_that_was_swapped_or_changed_in_any_way_is_not_signed() {
    let home = Home::new();
    let shown = request(&home, REVOKE).request;
    let file = home.beside("request.json");
    let asked = fs::read_to_string(&file).unwrap();
    let foreign = serde_json::to_value(Home::new().certificate().statement_key).unwrap();
    for (pointer, value) in [
        ("/certificate/serial", json!(3)),
        ("/certificate/revoked", json!([])),
        ("/certificate/not_after", json!("2027-01-01T00:00:00.000Z")),
        ("/certificate/order_key", foreign.clone()),
        ("/certificate/statement_key", foreign),
        ("/in_use", json!(2)),
    ] {
        let mut swapped: Value = serde_json::from_str(&asked).unwrap();
        *swapped.pointer_mut(pointer).unwrap() = value;
        fs::write(&file, swapped.to_string()).unwrap();
        refused(order_key::sign(&signing(&home, shown)), &["is not the one", "--fingerprint"]);
    }
    assert!(!answer(&home).exists());
    fs::write(&file, asked).unwrap();
    order_key::sign(&signing(&home, shown)).unwrap();
}

#[test]
fn a_jump_of_the_serial_or_a_long_life_is_signed_only_where_the_signer_names_it() {
    let home = Home::new();
    let shown = request(&home, Renewal { serial: Some(50), ..NEW }).request;
    let usual = signing(&home, shown);
    refused(order_key::sign(&usual), &["order key 50", "order key 1 is in use", "--serial 50"]);
    order_key::sign(&SignOptions { serial: Some(50), ..usual.clone() }).unwrap();
    fs::remove_file(answer(&home)).unwrap();

    let years = Milliseconds::from_days(3_650);
    let shown = request(&home, Renewal { valid_for: Some(years), ..NEW }).request;
    let usual = signing(&home, shown);
    refused(order_key::sign(&usual), &["--valid-days 3650"]);
    order_key::sign(&SignOptions { valid_for_max: years, ..usual }).unwrap();
}

#[test]
fn what_is_of_another_version_or_revokes_itself_is_not_signed_even_with_the_right_fingerprint() {
    let home = Home::new();
    request(&home, NEW);
    let file = home.beside("request.json");
    let asked: Request = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let sign_changed = |change: &dyn Fn(&mut Request)| {
        let mut changed = asked.clone();
        change(&mut changed);
        fs::write(&file, serde_json::to_string(&changed).unwrap()).unwrap();
        order_key::sign(&signing(&home, changed.fingerprint()))
    };
    refused(sign_changed(&|asked| asked.tidegate_order_key_request = 3), &["another version"]);
    for revoked in [vec![2], vec![3], vec![1, 1], vec![0]] {
        let changed = sign_changed(&|asked| asked.certificate.revoked.clone_from(&revoked));
        refused(changed, &["a key revokes only earlier ones"]);
    }
    refused(sign_changed(&|asked| asked.certificate.v = 1), &["another version"]);
    assert!(!answer(&home).exists());
}

#[test]
fn an_answer_does_what_its_command_says_or_nothing() {
    let home = Home::new();
    signed(&home, NEW);
    let accept = |before| order_key::accept(&home.data(), &answer(&home), before);
    refused(accept(Before::Revoked), &["revokes nothing", "made with `new`", "revoke --request"]);
    assert_eq!(in_use(&home).serial, 1);
    accept(Before::Replaced).unwrap();

    fs::remove_file(answer(&home)).unwrap();
    signed(&home, REVOKE);
    refused(accept(Before::Replaced), &["revokes the key in use", "revoke --answer"]);
    assert_eq!(in_use(&home).serial, 2);
    assert_eq!(accept(Before::Revoked).unwrap().revokes, [2]);
}

#[test]
fn a_pending_revocation_is_not_dropped_unless_that_is_said_and_what_is_dropped_is_named() {
    let home = Home::new();
    let revoking = request(&home, REVOKE);
    let again = home.beside("again.json");
    let root = home.beside("root.pem");
    refused(order_key::request(&home.data(), &again, NEW), &["would drop it", "--drop-revoke"]);
    refused(order_key::renew(&home.data(), &root, NEW), &["would drop it", "--drop-revoke"]);
    assert!(!again.exists());
    assert_eq!(order_key::list(&home.data()).unwrap().pending, Some(revoking.clone()));

    let replacing = Renewal { may_drop_revoke: true, ..NEW };
    let asked = order_key::request(&home.data(), &again, replacing).unwrap();
    assert_eq!(asked.dropped, Some(revoking));
    let renewed = order_key::renew(&home.data(), &root, REVOKE).unwrap();
    assert_eq!((renewed.dropped, renewed.key.revokes), (Some(asked.key), vec![1]));
}

#[test]
fn an_answer_that_is_over_or_of_the_future_is_not_put_in_use() {
    let home = Home::new();
    request(&home, NEW);
    let asked: Request =
        serde_json::from_str(&fs::read_to_string(home.beside("request.json")).unwrap()).unwrap();
    let accept_dated = |issued_in: i64, ends_in: i64| {
        let now = asked.certificate.issued_at;
        let [issued_at, not_after] = [issued_in, ends_in].map(|hours| now.shifted_by_ms(hours * 3_600_000));
        let certificate = OrderKeyCertificate { issued_at, not_after, ..asked.certificate.clone() };
        fs::write(answer(&home), home.sealed(&certificate)).unwrap();
        order_key::accept(&home.data(), &answer(&home), Before::Replaced)
    };
    refused(accept_dated(-48, -24), &["ended on", "clock"]);
    refused(accept_dated(24, 48), &["is issued on", "clock"]);
    assert_eq!(in_use(&home).serial, 1);
    assert_eq!(accept_dated(0, 24).unwrap().serial, 2);
}

#[test]
fn a_serial_after_which_no_key_could_follow_is_refused() {
    let home = Home::new();
    let root = home.beside("root.pem");
    for serial in [SERIAL_MAX, SERIAL_MAX - 999, SERIAL_MAX + 1, 1] {
        let renewal = Renewal { serial: Some(serial), ..NEW };
        refused(order_key::renew(&home.data(), &root, renewal), &["serial"]);
    }
    order_key::renew(&home.data(), &root, Renewal { serial: Some(SERIAL_MAX - 1_000), ..NEW }).unwrap();
    let next = order_key::renew(&home.data(), &root, NEW).unwrap().key;
    assert_eq!(next.serial, SERIAL_MAX - 999, "the keys to come follow one by one");
}

#[test]
fn an_answer_from_before_a_restore_never_costs_the_key_in_use() {
    let home = Home::new();
    signed(&home, NEW);
    let (root, older) = (home.beside("root.pem"), home.beside("older.db"));
    // As an older version made them: with the keys that waited.
    fs::copy(home.data().join("tidegate.db"), &older).unwrap();
    order_key::renew(&home.data(), &root, NEW).unwrap();
    order_key::renew(&home.data(), &root, NEW).unwrap();
    let options = RestoreOptions { from: older, replace: true, ..RestoreOptions::default() };
    restore(&home.data(), &options).unwrap();
    assert!(order_key::list(&home.data()).unwrap().pending.is_none());
    refused(order_key::accept(&home.data(), &answer(&home), Before::Replaced), &["no request is pending"]);
    assert_eq!(in_use(&home).serial, 3);
    backup(&home.data(), &home.beside("backup.db"), &Protection::default()).unwrap();
    let restored = restore(
        &home.beside("elsewhere"),
        &RestoreOptions { from: home.beside("backup.db"), ..RestoreOptions::default() },
    );
    restored.unwrap();
}

impl Home {
    /// The certificate of the key in use.
    fn certificate(&self) -> OrderKeyCertificate {
        request(self, NEW);
        let text = fs::read_to_string(self.beside("request.json")).unwrap();
        serde_json::from_str::<Request>(&text).unwrap().certificate
    }

    /// The answer that an owner could make with other means.
    fn sealed(&self, certificate: &OrderKeyCertificate) -> String {
        use ed25519_dalek::pkcs8::{DecodePrivateKey as _, KeypairBytes};
        let pem = fs::read_to_string(self.beside("root.pem")).unwrap();
        let seed = KeypairBytes::from_pkcs8_pem(&pem).unwrap().secret_key;
        let keys = KeyPair::from_seed(Role::Root, &seed);
        serde_json::to_string(&Envelope::seal(certificate, &keys, Role::Root)).unwrap()
    }
}

fn request(home: &Home, renewal: Renewal) -> Pending {
    let file = home.beside("request.json");
    let _ = fs::remove_file(&file);
    order_key::request(&home.data(), &file, renewal).unwrap().key
}

fn answer(home: &Home) -> PathBuf {
    home.beside("answer.json")
}

fn signing(home: &Home, fingerprint: Digest) -> SignOptions {
    SignOptions {
        request: home.beside("request.json"),
        root_key: home.beside("root.pem"),
        answer: answer(home),
        fingerprint,
        valid_for_max: ORDER_KEY_VALID_FOR,
        serial: None,
    }
}

/// Makes a request and has it signed.
fn signed(home: &Home, renewal: Renewal) {
    let fingerprint = request(home, renewal).request;
    order_key::sign(&signing(home, fingerprint)).unwrap();
}

fn in_use(home: &Home) -> OrderKey {
    order_key::list(&home.data()).unwrap().keys.remove(0)
}

fn refused<T: std::fmt::Debug>(answer: anyhow::Result<T>, parts: &[&str]) {
    let error = answer.unwrap_err();
    let told = error.downcast_ref::<Obstructed>().unwrap_or_else(|| panic!("{error:#}"));
    assert_eq!(told.obstacle, Obstacle::OrderKeyUnusable, "{error:#}");
    let text = format!("{error:#} / {}", told.next);
    for part in parts {
        assert!(text.contains(part), "it does not say `{part}`: {text}");
    }
}
