//! The directory: people, clients, sites, codes, and projections of endpoints.

use crate::call::{Answer, Context, DirectoryInput, DirectoryQuestion, Effect, Reply};
use crate::digest::Digest;
use crate::error::Error;
use crate::sql::{ReadSql, Sql};

/// The digest under which the secret of a token or sign-in link is stored and looked up. The secret is 32 random
/// bytes as text, so a plain digest cannot be guessed back.
pub fn token_digest(secret: &str) -> Digest {
    Digest::of_parts(&[b"tidegate token", secret.as_bytes()])
}

/// Applies `input` to the directory in the host's transaction.
///
/// # Errors
///
/// [`Error`]; the host rolls the transaction (or its savepoint) back.
pub fn handle(db: &dyn Sql, cx: &Context<'_>, input: DirectoryInput) -> Result<(Reply, Vec<Effect>), Error> {
    let _ = (db, cx, input);
    Err(Error::invalid("not there yet"))
}

/// Answers `question` from the host's snapshot; writes nothing.
///
/// # Errors
///
/// [`Error`].
pub fn query(db: &dyn ReadSql, cx: &Context<'_>, question: DirectoryQuestion) -> Result<Answer, Error> {
    let _ = (db, cx, question);
    Err(Error::invalid("not there yet"))
}
