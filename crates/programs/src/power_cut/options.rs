//! How bad the disk is.

use std::str::FromStr;

/// What the disk does with writes that were not synced, and with syncs.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Options {
    /// Chooses which writes leak; the same seed and the same writes leak the same.
    pub seed: u64,
    /// The share of unsynced writes, 0.0 to 1.0, that reach the real file at once, whole or in part, as
    /// when the kernel writes back on its own.
    pub leak: f64,
    /// What a sync does.
    pub sync: Sync,
}

/// What a sync does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Sync {
    /// Brings everything written to the real file.
    #[default]
    Honest,
    /// Says so and does nothing: proves that a test can fail.
    Lie,
    /// Is honest this many times, and then fails without writing, every time.
    FailAfter(u32),
}

impl Options {
    /// The variable that [`from_environment`](Self::from_environment) reads.
    pub const VARIABLE: &str = "TIDEGATE_POWER_CUT";

    /// The options in [`VARIABLE`](Self::VARIABLE); the defaults when it is not set.
    ///
    /// # Errors
    ///
    /// The part that does not read, in words.
    pub fn from_environment() -> Result<Self, String> {
        std::env::var(Self::VARIABLE).map_or(Ok(Self::default()), |text| text.parse())
    }
}

impl FromStr for Options {
    type Err = String;

    /// Reads `seed=7,leak=0.5,sync=honest`, in any order; the last also as `sync=lie` or `sync=fail:20`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut options = Self::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let wrong = || format!("power cut option `{part}` does not read");
            match part.split_once('=').ok_or_else(wrong)? {
                ("seed", seed) => options.seed = seed.parse().map_err(|_| wrong())?,
                ("leak", leak) => options.leak = leak.parse().map_err(|_| wrong())?,
                ("sync", "honest") => options.sync = Sync::Honest,
                ("sync", "lie") => options.sync = Sync::Lie,
                ("sync", fail) => {
                    let count = fail.strip_prefix("fail:").and_then(|count| count.parse().ok());
                    options.sync = Sync::FailAfter(count.ok_or_else(wrong)?);
                }
                _ => return Err(wrong()),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_read_and_say_what_does_not() {
        let options: Options = "seed=7,leak=0.5,sync=fail:20".parse().unwrap();
        assert_eq!(options, Options { seed: 7, leak: 0.5, sync: Sync::FailAfter(20) });
        assert_eq!("".parse(), Ok(Options::default()));
        assert!("sync=maybe".parse::<Options>().unwrap_err().contains("sync=maybe"));
    }
}
