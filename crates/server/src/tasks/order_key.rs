//! Warns in the log before the order key's certificate ends, for an operator who does not look at the console.

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::key_end::{KeyEnd, KeyStage, RENEW_COMMAND};
use tidegate_core::time::Timestamp;
use tidegate_core::wire::Authority;
use tidegate_web::Host as _;

use super::passes;
use crate::host::LocalHost;

/// How often: the stages are days long, and the last one begins at some hour of a day.
const LOOK_EVERY: Duration = Duration::from_secs(3_600);

/// Looks until the server stops.
pub(crate) async fn order_key_task(host: Arc<LocalHost>) {
    let mut stopping = host.stopping.clone();
    let mut warned = Warned::default();
    loop {
        if let Some(end) = warned.look(host.authority(), host.now()) {
            tell(&end);
        }
        if !passes(LOOK_EVERY, &mut stopping).await {
            return;
        }
    }
}

/// The strongest warning since the start.
struct Warned(KeyStage);

impl Default for Warned {
    fn default() -> Self {
        Self(KeyStage::Valid)
    }
}

impl Warned {
    /// The end of the key where a new stage has begun. A clock that is set back repeats no warning.
    fn look(&mut self, authority: &Authority, now: Timestamp) -> Option<KeyEnd> {
        let end = KeyEnd::of(authority, now).filter(|end| end.stage > self.0)?;
        self.0 = end.stage;
        Some(end)
    }
}

fn tell(end: &KeyEnd) {
    let text = format!(
        "{}. {} To renew it, stop the server, run `{RENEW_COMMAND}`, and start it again",
        end.headline(),
        end.consequence()
    );
    if end.stage == KeyStage::Over {
        tracing::error!(not_after = %end.not_after, "{text}");
    } else {
        tracing::warn!(not_after = %end.not_after, "{text}");
    }
}

#[cfg(test)]
mod tests {
    use tidegate_core::envelope::Envelope;
    use tidegate_core::keys::{KeyPair, Role, Sign as _};
    use tidegate_core::time::Milliseconds;
    use tidegate_core::wire::OrderKeyCertificate;

    use super::*;

    #[test]
    fn each_stage_is_logged_once_a_start() {
        let issued_at: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let keys = KeyPair::from_seed(Role::Order, &[1; 32]);
        let certificate = OrderKeyCertificate::new(1, &keys, issued_at);
        let certificate = Envelope::seal(&certificate, &keys, Role::Order);
        let authority = Authority { root: keys.public_key(Role::Order), certificate };
        let after = |days: u64| issued_at.plus(Milliseconds::from_days(days));
        let mut warned = Warned::default();
        let stages: Vec<_> = (0..400)
            .filter_map(|day| warned.look(&authority, after(day)).map(|end| (day, end.stage)))
            .collect();
        assert_eq!(
            stages,
            [
                (305, KeyStage::Ending),
                (335, KeyStage::Soon),
                (358, KeyStage::Imminent),
                (366, KeyStage::Over)
            ]
        );
        assert_eq!(warned.look(&authority, after(340)), None, "the clock was set back");
        let begun = Warned::default().look(&authority, after(340)).map(|end| end.stage);
        assert_eq!(begun, Some(KeyStage::Soon), "a start tells the stage it finds, and no other");
    }
}
