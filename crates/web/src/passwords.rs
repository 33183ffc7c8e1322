//! What a new password must be: long enough, and nothing that attackers try early (NIST SP 800-63B, section 3.1.1.2).
//!
//! There are no rules about kinds of characters, which make passwords harder to remember and not to guess. In their place
//! zxcvbn estimates how many guesses an attacker needs who knows the lists of common passwords, names and words, the rows
//! of a keyboard, dates and repetitions, and whose password it is. It is taken as it was typed.

use tidegate_core::error::Error;
use zxcvbn::zxcvbn;

/// Fewest characters of a password: what guessing at ten a minute and address never gets through.
const CHARACTERS_MIN: usize = 12;
/// Most characters of a password: room for a sentence, and little to hash.
const CHARACTERS_MAX: usize = 200;
/// Most bytes of a password that are looked at: as many as its characters can have.
pub(crate) const PASSWORD_BYTES_MAX: usize = 4 * CHARACTERS_MAX;
/// Fewest guesses, as a power of ten: zxcvbn's score 3, "safely unguessable" against a thief of the hashes, which cost
/// tens of milliseconds each.
const GUESSES_LOG10_MIN: f64 = 8.0;
/// Most characters that are estimated at once: the time grows with more than the square, measured with letters that stand
/// for others, such as `4@8(`, at 0.2 s for 32 and 1 s for 64.
const WINDOW: usize = 32;
/// Shortest word of the person's own that counts: shorter ones are in many passwords by chance.
const OWN_CHARACTERS_MIN: usize = 3;
/// Fewest letters and digits besides the person's own words.
const OTHERS_MIN: usize = 8;

/// Judges what costs nothing to judge: the length, and that it is not the person's e-mail address.
pub(crate) fn check_shape(password: &str, email: &str) -> Result<(), Error> {
    let characters = password.chars().count();
    if !(CHARACTERS_MIN..=CHARACTERS_MAX).contains(&characters) {
        return Err(Error::invalid(format!(
            "a password has {CHARACTERS_MIN} to {CHARACTERS_MAX} characters and this one {characters}: several words are \
             easy to remember"
        )));
    }
    if password.trim().to_lowercase() == email.to_lowercase() {
        return Err(Error::invalid("the password is your e-mail address, which others know: choose another"));
    }
    Ok(())
}

/// Judges a new password of the person with this e-mail address. It takes a few milliseconds, and up to half a second for
/// a text made to take long: a host does it away from the threads that serve requests.
///
/// # Errors
///
/// `invalid_request`, with why and what to do; what was typed is not repeated.
pub fn check_password(password: &str, email: &str) -> Result<(), Error> {
    check_shape(password, email)?;
    let own = own_words(email);
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let (others, named) = without(password, &own);
    // Whichever end is harder to guess: no password is easier than a part of it.
    let [first, last] = ends(password).map(|end| zxcvbn(end, &own));
    let estimate = if first.guesses_log10() >= last.guesses_log10() { first } else { last };
    // Several words of one's own in a row are many guesses to an estimate that knows only each of them.
    let is_own = named.is_some() && others < OTHERS_MIN;
    if !is_own && estimate.guesses_log10() >= GUESSES_LOG10_MIN {
        return Ok(());
    }
    let warning = estimate.feedback().and_then(zxcvbn::feedback::Feedback::warning);
    let why = match (named, warning) {
        (Some(word), _) => format!("it is made of `{word}`, which attackers know about you"),
        (None, Some(warning)) => sentence_part(&warning.to_string()),
        (None, None) => "it follows a pattern that is easy to guess".to_owned(),
    };
    Err(Error::invalid(format!(
        "attackers try this password early: {why}. Choose another, such as four words that have nothing to do with each \
         other"
    )))
}

/// The first and the last [`WINDOW`] characters.
fn ends(password: &str) -> [&str; 2] {
    let after = password.char_indices().nth(WINDOW).map_or(password.len(), |(at, _)| at);
    let before = password.char_indices().rev().nth(WINDOW - 1).map_or(0, |(at, _)| at);
    [&password[..after], &password[before..]]
}

/// How many letters and digits of a password are none of these words, and the longest of them that is in it.
fn without<'a>(password: &str, own: &[&'a str]) -> (usize, Option<&'a str>) {
    let mut rest = password.to_lowercase();
    let mut words: Vec<&str> =
        own.iter().copied().filter(|word| word.chars().count() >= OWN_CHARACTERS_MIN).collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let mut named = None;
    for word in words {
        if rest.contains(word) {
            rest = rest.replace(word, " ");
            named = named.or(Some(word));
        }
    }
    (rest.chars().filter(|letter| letter.is_alphanumeric()).count(), named)
}

/// What belongs to the person or to this place: the address and its parts, and the product's name.
fn own_words(email: &str) -> Vec<String> {
    let email = email.to_lowercase();
    let parts = email.split(|letter: char| !letter.is_alphanumeric()).filter(|part| !part.is_empty());
    let mut words: Vec<String> = parts.map(str::to_owned).collect();
    words.push("tidegate".to_owned());
    words.push(email);
    words
}

/// A sentence as the end of another one.
fn sentence_part(sentence: &str) -> String {
    let sentence = sentence.trim_end_matches('.');
    let mut letters = sentence.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_lowercase().collect::<String>() + letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMAIL: &str = "kim.landauer@northwind.example";

    fn refusal(password: &str) -> String {
        match check_password(password, EMAIL) {
            Err(Error::Problem(problem)) => problem.detail,
            other => panic!("`{password}`: {other:?}"),
        }
    }

    #[test]
    fn what_attackers_try_early_is_refused_with_why_and_what_to_do() {
        for (password, why) in [
            ("password12345", "common"),
            ("Password2026!", "common"),
            ("P@ssw0rd12345", "common"),
            ("qwertyuiop123", ""),
            ("123456789012", ""),
            ("aaaaaaaaaaaa", "repeat"),
            ("abcabcabcabcabc", "repeat"),
            ("tidegate2026", "`tidegate`"),
            ("Tidegate12345", "`tidegate`"),
            ("landauer2026", "`landauer`"),
            ("northwind2026!", "`northwind`"),
            ("kim.landauer1", "`landauer`"),
            ("LandauerNorthwind", "`northwind`"),
            ("kim+tidegate+kim+2026", "`tidegate`"),
            ("welcome12345", ""),
            ("iloveyou12345", ""),
            ("letmein123456", ""),
        ] {
            let told = refusal(password);
            assert!(told.contains(why) && told.contains("four words"), "`{password}`: {told}");
            assert!(!told.contains(password), "what was typed is not said again: {told}");
        }
    }

    #[test]
    fn what_is_hard_to_guess_is_taken_whatever_it_is_made_of() {
        for password in [
            "correct horse battery",
            "another horse battery",
            "vnpqlswkdjfh",
            "Der Kessel pfeift um neun",
            "grüne Schrauben tanzen leise",
            "0f8e7c1d9b3a",
            "seven otters paint tidegate blue",
            "grüne Schrauben",
            "correct horse battery staple correct horse battery staple",
        ] {
            assert_eq!(check_password(password, EMAIL), Ok(()), "{password}");
        }
    }

    #[test]
    fn a_long_password_is_judged_by_either_end_of_it() {
        let hard = "vnpqlswkdjfh";
        let common = "ab".repeat(50);
        assert!(check_password(&common, EMAIL).is_err());
        for taken in [format!("{common}{hard}"), format!("{hard}{common}")] {
            assert_eq!(check_password(&taken, EMAIL), Ok(()), "{taken}");
        }
        assert_eq!(ends("ä".repeat(WINDOW + 1).as_str()).map(|end| end.chars().count()), [WINDOW, WINDOW]);
        assert_eq!(ends("short"), ["short", "short"]);
    }
}
