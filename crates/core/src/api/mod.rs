//! The shapes that scripts and people's programs read and write (design, section 8).
//!
//! The core answers in these shapes; hosts only carry them. Times are RFC 3339 in UTC with
//! milliseconds, and absent means "not yet".

mod audit;
mod directory;
mod endpoint;
mod history;
mod overnight;
mod playbook;
mod sequence;
mod token_life;
mod transcript;
mod waiting;

pub use audit::AuditEntryView;
pub use directory::{
    ClientPatch, ClientView, CodeView, NewClient, NewCode, NewPerson, NewSite, NewToken, PersonView,
    SessionView, SitePatch, SiteView, TokenPatch, TokenView,
};
pub use endpoint::{
    Attention, EndpointPatch, EndpointState, EndpointView, JournalState, JournalView, MachineRow, Namesake,
    OutageView, Reachability, TrafficView, WorkState,
};
pub use history::{ComparisonView, ContactKind, ContactSpan, ContactsView, PreviousRun};
pub use overnight::{Group, MachineName, OvernightItem, OvernightMachine, OvernightView};
pub use playbook::{PlaybookPatch, PlaybookSummary, PlaybookValues, PlaybookVersionView, PlaybookView};
pub use sequence::{
    AttemptView, NewSequence, NoteView, OutputView, QueueItem, ResultView, SequencePatch, SequenceState,
    SequenceSummary, SequenceView, StepState, StepView,
};
pub use token_life::{InvalidTokenLife, TokenLife};
pub use transcript::{BodyLeftOut, TranscriptEntryView};
pub use waiting::{SequenceAhead, WaitingCode, WaitingView};

use serde::{Deserialize, Deserializer, Serialize};

/// One page of a listing. `next` is the cursor of the following page, `null` on the last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The items in the listing's order.
    pub items: Vec<T>,
    /// What to send as `cursor` for the next page.
    pub next: Option<String>,
}

/// How much of a listing is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paging {
    /// The `next` of the page before; absent: from the beginning.
    pub cursor: Option<String>,
    /// Most items, 1 to [`Paging::LIMIT_MAX`].
    pub limit: u32,
}

impl Paging {
    /// Most items of one page.
    pub const LIMIT_MAX: u32 = 500;
    /// Items of a page where the request names no limit.
    pub const LIMIT_DEFAULT: u32 = 100;
}

/// Tells `null` from absent.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
