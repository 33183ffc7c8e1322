//! Output of any size in constant memory: both ends are kept, all is counted, what is kept becomes text.

mod capture;
mod code_page;
mod decode;

pub(in crate::executor) use capture::read_all;
pub use capture::{Capture, Intake};
pub use code_page::CodePage;
pub use decode::Undecodable;
pub(crate) use decode::utf_16;
