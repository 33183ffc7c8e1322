//! The key that signed the head: certificates that revoke it, its end, and signatures besides its own.

use insta::assert_snapshot;
use tidegate_core::envelope::{Envelope, EnvelopeSignature};
use tidegate_core::export::ExportHead;
use tidegate_core::keys::{KeyPair, Role};
use tidegate_core::time::Timestamp;
use tidegate_core::verify::Verifier;
use tidegate_core::wire::OrderKeyCertificate;

use crate::forge::edit_head;
use crate::forge::sign_last;
use crate::genuine;
use crate::order_keys;
use crate::told;
use crate::trusted;
use crate::verify;
use crate::world::START_MS;

/// A certificate by the owner's root key, of another order key.
fn certified(serial: u64, revoked: Vec<u64>) -> Envelope {
    let root = KeyPair::from_seed(Role::Root, &[10; 32]);
    let newer = KeyPair::from_seed(Role::Order, &[21; 32]);
    let issued_at = Timestamp::from_milliseconds(START_MS);
    let certificate = OrderKeyCertificate { revoked, ..OrderKeyCertificate::new(serial, &newer, issued_at) };
    Envelope::seal(&certificate, &root, Role::Root)
}

fn junk() -> EnvelopeSignature {
    EnvelopeSignature { keyid: "0123456789abcdef".into(), sig: "anything at all".into() }
}

#[test]
fn a_file_whose_own_certificates_revoke_its_signer_is_rejected() {
    let mut lines = genuine();
    edit_head(&mut lines, |head| head.certificates.push(certified(2, vec![1])));
    sign_last(&mut lines, &order_keys());
    assert_snapshot!(told(&lines), @r"
    complete to 17, endorsed by the endpoint to 16
    - line 1: certificate 2 revokes certificate 1, under which this file was signed
    ");
}

#[test]
fn a_record_from_before_a_renewal_stays_true() {
    let mut lines = genuine();
    edit_head(&mut lines, |head| head.certificates.push(certified(2, Vec::new())));
    sign_last(&mut lines, &order_keys());
    assert!(verify(&lines).is_sound());
}

#[test]
fn a_serial_that_the_verifier_knows_as_revoked_is_reported() {
    let bytes = genuine().join("\n");
    for (revoked, is_revoked) in [(vec![1], true), (vec![2], false), (Vec::new(), false)] {
        let mut verifier = Verifier::new(Some(trusted())).with_revoked(revoked);
        verifier.feed(bytes.as_bytes());
        let key = verifier.finish().head_key.unwrap();
        assert_eq!((key.serial, key.is_revoked), (1, is_revoked));
    }
}

#[test]
fn a_head_signed_after_the_certificates_end_holds_and_is_marked() {
    let mut lines = genuine();
    assert!(!verify(&lines).head_key.unwrap().is_signed_late());
    let end = verify(&lines).head_key.unwrap().not_after;
    edit_head(&mut lines, |head| head.exported_at = end.shifted_by_ms(1));
    sign_last(&mut lines, &order_keys());
    let report = verify(&lines);
    assert!(report.is_sound() && report.head_key.unwrap().is_signed_late());
}

/// An edit of the first line before it is signed.
type Edit = fn(&mut ExportHead);

#[test]
fn a_further_signature_on_what_the_owner_or_the_control_plane_signed_is_rejected() {
    let edits: [Edit; 3] = [
        |head| head.authority.certificate.signatures.push(junk()),
        |head| {
            head.certificates.push(Envelope {
                signatures: vec![head.authority.certificate.signatures[0].clone(), junk()],
                ..head.authority.certificate.clone()
            });
        },
        |head| head.enrolments[0].signatures.insert(0, junk()),
    ];
    for edit in edits {
        let mut lines = genuine();
        edit_head(&mut lines, edit);
        sign_last(&mut lines, &order_keys());
        assert!(!verify(&lines).is_sound());
    }
    for place in [0, 1] {
        let mut lines = genuine();
        edit_head(&mut lines, |head| head.head.signatures.insert(place, junk()));
        assert!(told(&lines).contains("statement about the last entry does not hold"), "{}", told(&lines));
    }
    let mut lines = genuine();
    edit_head(&mut lines, |head| head.head.signatures.push(head.head.signatures[0].clone()));
    assert!(!verify(&lines).is_sound(), "the same twice");
}
