//! Somebody on the path who alters answers.

use data_encoding::BASE64;
use tidegate_core::envelope::Envelope;
use tidegate_core::wire::SyncAnswer;

/// What is altered, always to the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Altered {
    /// The signatures of the orders.
    OrderSignature,
    /// What the orders say.
    OrderPayload,
    /// What the work says.
    Work,
    /// The statement that an order is taken back is gone.
    VoidRemoved,
}

impl Altered {
    /// What it is called where faults are counted.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OrderSignature => "the signatures of orders are altered",
            Self::OrderPayload => "the bytes of orders are altered",
            Self::Work => "the bytes of work are altered",
            Self::VoidRemoved => "a void is left out",
        }
    }

    /// The answer as it arrives.
    pub(crate) fn apply(self, bytes: &[u8]) -> Vec<u8> {
        let mut answer: SyncAnswer = serde_json::from_slice(bytes).expect("answers read");
        if self == Self::VoidRemoved {
            answer.void = None;
        }
        for offered in &mut answer.offered {
            match self {
                Self::OrderSignature => {
                    for signature in &mut offered.order.signatures {
                        signature.sig = BASE64.encode(&[7; 64]);
                    }
                }
                Self::OrderPayload => flip(&mut offered.order),
                Self::Work => offered.work.iter_mut().for_each(flip),
                Self::VoidRemoved => {}
            }
        }
        serde_json::to_vec(&answer).expect("answers serialize")
    }
}

/// Changes a digit of the payload so that it still reads.
fn flip(envelope: &mut Envelope) {
    let text = String::from_utf8(envelope.payload_bytes().expect("ours")).expect("JSON");
    let changed = text.replacen("\"v\":2", "\"v\":3", 1);
    assert_ne!(text, changed, "every payload has a version");
    envelope.payload = BASE64.encode(changed.as_bytes());
}
