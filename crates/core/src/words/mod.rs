//! What people read, in a terminal and on pages alike: verdicts, figures, and text made safe to show.

mod audit;
mod text;
mod transcript;
mod verdict;

pub use audit::describe_audit;
pub use text::{bytes, folded_name, is_unsafe, lines, one_line, shortened, span};
pub use transcript::{actor_words, describe, kind_words, path_closed};
pub use verdict::{
    Tone, Verdict, attention_count, of_sequence, of_sequence_state, of_state, of_step, of_waiting, standing,
};
