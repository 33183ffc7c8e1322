//! Every error that an operator can meet, provoked on real programs, with the message that a person gets.
//!
//! An area says which codes it provokes, and is held to it: what it met is what it says. `docs/errors.md` is compared
//! with all of them, so a code without a provocation, or a provocation without a row, is found by a test.

mod answers;
mod book;
mod booted;
mod certificates;
mod endpoint;
mod enrolment;
mod front;
mod held;
mod path;
mod plane;
mod protected;
mod requests;
mod sequences;
mod service;
mod system;
mod typed;

pub use book::{Book, Met};

use anyhow::Context as _;

/// Errors that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    /// What it is about, in a word.
    pub name: &'static str,
    /// The codes that it provokes.
    pub codes: &'static [&'static str],
    provoke: fn(&mut Book) -> anyhow::Result<()>,
}

/// All of them.
pub const AREAS: &[Area] = &[
    Area { name: "requests", codes: requests::CODES, provoke: requests::provoke },
    Area { name: "sequences", codes: sequences::CODES, provoke: sequences::provoke },
    Area { name: "answers", codes: answers::CODES, provoke: answers::provoke },
    Area { name: "enrolment", codes: enrolment::CODES, provoke: enrolment::provoke },
    Area { name: "held", codes: held::CODES, provoke: held::provoke },
    Area { name: "typed", codes: typed::CODES, provoke: typed::provoke },
    Area { name: "plane", codes: plane::CODES, provoke: plane::provoke },
    Area { name: "endpoint", codes: endpoint::CODES, provoke: endpoint::provoke },
    Area { name: "service", codes: service::CODES, provoke: service::provoke },
    Area { name: "booted", codes: booted::CODES, provoke: booted::provoke },
    Area { name: "system", codes: system::CODES, provoke: system::provoke },
    Area { name: "path", codes: path::CODES, provoke: path::provoke },
    Area { name: "certificates", codes: certificates::CODES, provoke: certificates::provoke },
];

/// Provokes everything of an area.
///
/// # Errors
///
/// What a message lacks, what was left half-written, or a code that the area promises and did not meet.
pub fn provoke(area: &Area) -> anyhow::Result<Vec<Met>> {
    let mut book = Book::default();
    (area.provoke)(&mut book).with_context(|| format!("in the area `{}`", area.name))?;
    for code in area.codes {
        anyhow::ensure!(book.has(code), "`{code}` was not met in `{}`", area.name);
    }
    let met = book.met();
    let foreign = met.iter().find(|met| !area.codes.contains(&met.code));
    anyhow::ensure!(foreign.is_none(), "the area `{}` does not say that it meets {foreign:?}", area.name);
    Ok(met)
}
