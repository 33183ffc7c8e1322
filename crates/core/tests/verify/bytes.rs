//! Every byte counts, and no input makes the verifier fail.

use proptest::prelude::*;
use tidegate_core::export::ExportHead;
use tidegate_core::verify::Report;

use crate::erased::genuine_with_erased;
use crate::verify;
use crate::verify_bytes;

/// The whole file as bytes; a run of the halves takes longer than a verification.
fn genuine_bytes() -> &'static (Vec<u8>, Report) {
    static BYTES: std::sync::OnceLock<(Vec<u8>, Report)> = std::sync::OnceLock::new();
    BYTES.get_or_init(|| {
        let lines = genuine_with_erased();
        let report = verify(&lines);
        ((lines.join("\n") + "\n").into_bytes(), report)
    })
}

/// Whether both first lines say the same: only the way in which a time is written may differ.
fn same_first_line(one: &[u8], other: &[u8]) -> bool {
    let read = |bytes: &[u8]| -> Option<ExportHead> {
        serde_json::from_slice(bytes.split(|byte| *byte == b'\n').next()?).ok()
    };
    let rest = |bytes: &[u8]| bytes.iter().skip_while(|byte| **byte != b'\n').copied().collect::<Vec<u8>>();
    read(one).is_some() && read(one) == read(other) && rest(one) == rest(other)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn no_changed_byte_goes_unnoticed(at in any::<prop::sample::Index>(), flip in 1_u8..=255) {
        let (bytes, genuine) = genuine_bytes();
        let mut changed = bytes.clone();
        let at = at.index(changed.len() - 1);
        changed[at] ^= flip;
        let report = verify_bytes(&changed);
        let is_same = (report.complete_to, report.endorsed_to) == (genuine.complete_to, genuine.endorsed_to);
        let goes_unnoticed = report.is_sound() && is_same;
        prop_assert!(!goes_unnoticed || same_first_line(bytes, &changed), "byte {at}: {report:?}");
    }

    #[test]
    fn no_input_makes_it_fail(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert!(!verify_bytes(&bytes).is_sound());
    }
}
