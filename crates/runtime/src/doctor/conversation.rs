//! What is said once there is a connection: who answers, what time it is there, what it thinks of this machine.

use std::time::{Duration, Instant};

use tidegate_core::id::RequestId;
use tidegate_core::runtime::verify_time;
use tidegate_core::time::Timestamp;
use tidegate_core::wire::{IdleSync, PROTOCOL_VERSION, SyncAnswer, TimeAnswer, TimeRequest, TimeStatement};

use super::check::{Finding, Subject};
use super::path::{Standing, Target, Tell, net_broken};
use super::state::Found;
use crate::enrol::{TIME_PATH, nonce};
use crate::exchange::SYNC_PATH;
use crate::net::{Intervals, KeepAlive, NetError};
use crate::transport::{Transport, TransportError};
use crate::{clock, entropy};

/// A clock that is further off is worth a line: pages show the skew from here on (design, G8).
const SKEW_SHOWN_MS: u64 = 5_000;
/// A ticket that admits nobody. What the control plane says before it looks at tickets is what is asked for.
const NO_TICKET: &str = "doctor";

/// Asks who answers, what time it is there, and what it thinks of this machine.
pub(super) async fn converse(
    target: &Target,
    found: Option<&Found>,
    are_dates_unclear: bool,
    tell: Tell<'_>,
) -> Option<Option<Standing>> {
    let asked = ask_time(target).await;
    let (transport, told) = match asked {
        Ok(asked) => asked,
        Err(error) => {
            if are_dates_unclear {
                let said = "the certificate's dates do not fit this machine's clock, and the control plane did not tell \
                            the time";
                let remedy =
                    "compare `date` with a watch; where the clock is right, the certificate is to be renewed";
                tell(Finding::broken(said, remedy).of(Subject::Tls));
            } else {
                tell(transport_broken(&error).of(Subject::ControlPlane));
            }
            return None;
        }
    };
    let believed = believe(&told, found);
    if are_dates_unclear {
        tell(judge_dates(target, &transport, believed.as_ref().ok().copied()).await.of(Subject::Tls));
    }
    match believed {
        Ok(time) => {
            let protocol = format!("answers at {}, protocol {PROTOCOL_VERSION}", target.server);
            let proof = if found.and_then(Found::endpoint).is_some() {
                "; it is the one this machine enrolled with"
            } else {
                ""
            };
            tell(Finding::Well(format!("{protocol}{proof}")).of(Subject::ControlPlane));
            tell(judge_clock(time, told.asked_at, told.took).of(Subject::Clock));
        }
        Err(finding) => {
            tell(finding.of(Subject::ControlPlane));
            return None;
        }
    }
    Some(standing(&transport, found).await)
}

/// The answer to a question for the time.
struct Told {
    answer: TimeAnswer,
    nonce: String,
    asked_at: Timestamp,
    took: Duration,
}

async fn ask_time(target: &Target) -> Result<(Transport, Told), TransportError> {
    let prepared = Transport::new(
        &target.server.to_string(),
        target.ca_pem.as_deref(),
        KeepAlive::Silent,
        Intervals::default(),
    );
    let transport = prepared.map_err(|error| match error.downcast::<NetError>() {
        Ok(error) => TransportError::Unreachable(error),
        Err(error) => TransportError::Strange { problem: format!("{error:#}"), is_gateway: false },
    })?;
    // The first question pays for the connection; the second one measures.
    let mut told = question(&transport).await?;
    if let Ok(again) = question(&transport).await {
        told = again;
    }
    Ok((transport, told))
}

async fn question(transport: &Transport) -> Result<Told, TransportError> {
    let nonce = nonce();
    let (asked_at, started) = (clock::wall(), Instant::now());
    let answer: TimeAnswer = transport.post_json(TIME_PATH, &TimeRequest { nonce: nonce.clone() }).await?;
    Ok(Told { answer, nonce, asked_at, took: started.elapsed() })
}

/// The signed time, where the key that signed it is the one pinned at enrolment, or any where none is pinned yet.
fn believe(told: &Told, found: Option<&Found>) -> Result<Timestamp, Finding> {
    let enrolled = found.and_then(|found| found.identity.as_ref()?.enrolled.as_ref());
    let pinned = enrolled.map_or(told.answer.root, |enrolled| enrolled.root);
    if let Ok(TimeStatement { v, .. }) = told.answer.time.peek::<TimeStatement>()
        && v != PROTOCOL_VERSION
    {
        return Err(Finding::broken(
            format!("the control plane speaks protocol {v}, and this runtime speaks {PROTOCOL_VERSION}"),
            if v > PROTOCOL_VERSION {
                "upgrade tidegate-runtime on this machine"
            } else {
                "upgrade the control plane"
            },
        ));
    }
    if pinned != told.answer.root {
        return Err(Finding::broken(
            "another control plane answers: its owner's key is not the one this machine was enrolled with",
            "check the address; if the control plane was set up anew with another key, enrol this machine again",
        ));
    }
    match verify_time(&told.answer, &told.nonce, &pinned, 0) {
        Ok((time, _)) => Ok(time),
        Err(error) => Err(Finding::broken(
            format!("what answers cannot prove that it is the control plane: {error}"),
            "something between may answer in its place: check the address and the proxy",
        )),
    }
}

/// Whether the certificate's dates fit the control plane's signed time: then the clock here is wrong, and says so.
async fn judge_dates(target: &Target, transport: &Transport, time: Option<Timestamp>) -> Finding {
    let Some(time) = time else {
        return Finding::broken(
            "the certificate's dates do not fit this machine's clock",
            "compare `date` with a watch; where the clock is right, the certificate is to be renewed",
        );
    };
    transport.confirm_time(time);
    match question(transport).await {
        Ok(_) => Finding::Well(format!(
            "the certificate for {} is trusted; its dates fit the control plane's time, though not this clock",
            target.server.host
        )),
        Err(TransportError::Unreachable(error)) => net_broken(&error),
        Err(error) => transport_broken(&error),
    }
}

/// Compares with the middle of the question: half of what it took is how far this can be off.
fn judge_clock(time: Timestamp, asked_at: Timestamp, took: Duration) -> Finding {
    let half_ms = i64::try_from(took.as_millis() / 2).unwrap_or(i64::MAX);
    let skew_ms = asked_at.milliseconds().saturating_add(half_ms).saturating_sub(time.milliseconds());
    let off_ms = skew_ms.unsigned_abs();
    if off_ms <= SKEW_SHOWN_MS.saturating_add(half_ms.unsigned_abs()) {
        return Finding::Well(format!("within {} ms of the control plane's signed time", off_ms.max(1)));
    }
    let direction = if skew_ms > 0 { "ahead of" } else { "behind" };
    Finding::broken(
        format!("{} {direction} the control plane's signed time, {time}", span(off_ms)),
        "set the clock (`timedatectl set-ntp true`, or `date -s`) and look for an empty battery; work runs meanwhile, and \
         its times are shown corrected",
    )
}

/// A length of time in its two largest units.
fn span(ms: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let seconds = ms.saturating_add(500) / 1_000;
    let mut rest = seconds;
    let parts = UNITS.map(|(length, unit)| {
        let count = rest / length;
        rest %= length;
        (count, unit)
    });
    let shown = parts.iter().skip_while(|(count, _)| *count == 0).take(2).filter(|(count, _)| *count > 0);
    shown.map(|(count, unit)| format!("{count} {unit}")).collect::<Vec<_>>().join(" ")
}

/// Asks what the control plane thinks of this machine, with a ticket that proves nothing: such a question is answered
/// by a reader, moves no cursor, and does not count as a contact.
async fn standing(transport: &Transport, found: Option<&Found>) -> Option<Standing> {
    let endpoint = found?.endpoint()?;
    let request = RequestId::fresh(&mut entropy::fresh());
    let ticket = NO_TICKET.to_owned();
    let question = IdleSync { endpoint, request, ticket, hold_ms: 0, count: 1 }.write();
    match transport.post::<SyncAnswer>(SYNC_PATH, question, Duration::ZERO).await {
        Err(TransportError::Refused { code, .. }) => match code.as_str() {
            "revoked" => Some(Standing::Revoked),
            "unknown_endpoint" => Some(Standing::Unknown),
            "token_expired" | "invalid_signature" => Some(Standing::Admitted),
            _ => None,
        },
        Ok(_) | Err(_) => None,
    }
}

fn transport_broken(error: &TransportError) -> Finding {
    match error {
        TransportError::Unreachable(error) => net_broken(error),
        TransportError::TimeFirst => Finding::broken(error.to_string(), "compare `date` with a watch"),
        TransportError::Refused { .. } => Finding::broken(
            error.to_string(),
            "docs/errors.md says what the code means; it may pass by itself",
        ),
        TransportError::Strange { is_gateway: true, .. } => Finding::broken(
            error.to_string(),
            "a gateway is there and the control plane behind it is not: check that it is running",
        ),
        TransportError::Strange { .. } => Finding::broken(
            error.to_string(),
            "check host, port and path of the address; a captive portal or a proxy may answer in its place",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_wrong_from_five_seconds_on_beyond_what_the_question_took() {
        let at = |ms: i64| Timestamp::from_milliseconds(1_800_000_000_000 + ms);
        let finding = |skew, took| judge_clock(at(0), at(skew), Duration::from_millis(took));
        for (skew, took) in [(0, 10), (4_990, 10), (-5_000, 0), (-6_000, 2_100)] {
            assert!(matches!(finding(skew, took), Finding::Well(_)), "{skew} {took}");
        }
        let Finding::Broken(trouble) = finding(90_061_000, 0) else { panic!("a day ahead is wrong") };
        assert!(trouble.said.starts_with("1 d 1 h ahead"), "{}", trouble.said);
        let Finding::Broken(trouble) = finding(-62_000, 0) else { panic!("a minute behind is wrong") };
        assert!(trouble.said.starts_with("1 min 2 s behind"), "{}", trouble.said);
    }
}
