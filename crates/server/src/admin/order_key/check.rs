//! What a request or an answer must not do, by mistake or because it was swapped on the way.

use anyhow::bail;
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_core::time::{Milliseconds, Timestamp};
use tidegate_core::wire::{OrderKeyCertificate, SERIAL_MAX};

use super::{Before, Pending, Renewal, Request, unusable};

/// How many serials a jump leaves free: past the last one no key could ever follow.
const SERIALS_LEFT_MIN: u64 = 1_000;

/// How far a certificate may be issued ahead of the control plane's clock, which made the request.
pub(super) const SLACK: Milliseconds = Milliseconds::from_seconds(600);

/// Refuses a serial that is not new, or that leaves too few for the keys to come.
pub(super) fn serial(next: u64, in_use: u64) -> anyhow::Result<()> {
    if next <= in_use || next > SERIAL_MAX {
        bail!(unusable(format!(
            "a new serial lies above {in_use}, the one in use, and is at most {SERIAL_MAX}: this is {next}"
        )));
    }
    if next != in_use + 1 && next > SERIAL_MAX - SERIALS_LEFT_MIN {
        bail!(unusable(format!(
            "the serial {next} leaves fewer than {SERIALS_LEFT_MIN} for the keys to come: machines obey only ever \
             higher serials, and none lies above {SERIAL_MAX}"
        )));
    }
    Ok(())
}

/// Refuses a certificate whose revocations make no sense: of itself, or of keys to come.
pub(super) fn revocations(certificate: &OrderKeyCertificate) -> anyhow::Result<()> {
    let is_ascending = certificate.revoked.windows(2).all(|pair| pair[0] < pair[1]);
    if is_ascending && certificate.revoked.iter().all(|revoked| (1..certificate.serial).contains(revoked)) {
        return Ok(());
    }
    bail!(unusable(format!(
        "the request asks for order key {} and would revoke {:?}: a key revokes only earlier ones, each once, in order",
        certificate.serial, certificate.revoked
    )))
}

/// Refuses a certificate that is over, or that is issued more than `slack` in the future.
pub(super) fn dates(
    certificate: &OrderKeyCertificate,
    now: Timestamp,
    slack: Milliseconds,
) -> anyhow::Result<()> {
    let OrderKeyCertificate { serial, issued_at, not_after, .. } = *certificate;
    let next = "check this computer's clock; if it is right, make a new request and have it signed; nothing was changed";
    if not_after <= now {
        let what = format!(
            "the certificate of order key {serial} ended on {not_after}, and by this computer's clock it is {now}: no \
             machine would obey the key"
        );
        bail!(Obstructed::new(Obstacle::OrderKeyUnusable, what, next));
    }
    if issued_at > now.plus(slack) || issued_at >= not_after {
        let what = format!(
            "the certificate of order key {serial} is issued on {issued_at} until {not_after}, and by this computer's \
             clock it is {now}"
        );
        bail!(Obstructed::new(Obstacle::OrderKeyUnusable, what, next));
    }
    Ok(())
}

/// Refuses an answer to a request that was made before the key in use, `in_use`, was.
pub(super) fn is_newer(asked: &Request, in_use: u64) -> anyhow::Result<()> {
    let serial = asked.certificate.serial;
    if serial <= in_use {
        bail!(unusable(format!(
            "the answer certifies order key {serial}, and order key {in_use} is in use: machines obey no older one"
        )));
    }
    // The first version did not say.
    if asked.in_use != 0 && asked.in_use != in_use {
        bail!(unusable(format!(
            "the request was made when order key {} was in use, and now {in_use} is: what it revokes is out of date",
            asked.in_use
        )));
    }
    Ok(())
}

/// Refuses to put a request in use that does something else than the operator means.
pub(super) fn does(pending: &Pending, before: Before) -> anyhow::Result<()> {
    if pending.before == before {
        return Ok(());
    }
    let serial = pending.key.serial;
    let (what, next) = match before {
        Before::Revoked => (
            format!(
                "the pending request for order key {serial} revokes nothing: it was made with `new`, not `revoke`"
            ),
            "make one that revokes the key in use with `tidegate admin order-key revoke --request FILE` and have it \
             signed, or put this one in use with `tidegate admin order-key new --answer FILE`; nothing was changed",
        ),
        Before::Replaced => (
            format!(
                "the pending request for order key {serial} revokes the key in use: it was made with `revoke`, not `new`"
            ),
            "put it in use with `tidegate admin order-key revoke --answer FILE`, or make another request with `tidegate \
             admin order-key new --request FILE --drop-revoke`; nothing was changed",
        ),
    };
    bail!(Obstructed::new(Obstacle::OrderKeyUnusable, what, next))
}

/// Refuses to drop a pending request to revoke for a renewal that revokes nothing, unless that is meant.
pub(super) fn dropped(pending: Option<&Pending>, renewal: Renewal) -> anyhow::Result<()> {
    let is_safe = renewal.before == Before::Revoked || renewal.may_drop_revoke;
    let Some(pending) = pending.filter(|pending| pending.before == Before::Revoked && !is_safe) else {
        return Ok(());
    };
    bail!(Obstructed::new(
        Obstacle::OrderKeyUnusable,
        format!(
            "a request to revoke the key in use is pending, for order key {}, and `new` would drop it and revoke nothing",
            pending.key.serial
        ),
        "finish it with `tidegate admin order-key revoke --answer FILE`, or repeat this command with `revoke`; if \
         nothing is to be revoked any more, repeat it with --drop-revoke. Nothing was changed",
    ))
}
