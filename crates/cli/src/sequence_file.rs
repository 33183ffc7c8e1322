//! Sequences in YAML files.

use std::fs;
use std::io::Read;
use std::path::Path;

use tidegate_core::obstacle::Obstacle;
use tidegate_core::sequence::{SEQUENCE_BYTES_MAX, SequenceSpec};

use crate::failure::Failure;

/// Largest file read, in bytes: a sequence at its bound, generously commented.
const FILE_BYTES_MAX: u64 = 4 * SEQUENCE_BYTES_MAX as u64;

/// Reads the sequence in `path`; `-` is standard input.
///
/// # Errors
///
/// A usage [`Failure`] that names line and field.
pub(crate) fn read(path: &Path) -> Result<SequenceSpec, Failure> {
    parse(&path.display().to_string(), &read_text(path, FILE_BYTES_MAX)?)
}

/// Reads the text in `path`, a byte more than `bytes_max` at the most; `-` is standard input.
///
/// # Errors
///
/// A usage [`Failure`] where it cannot be read or is not UTF-8.
pub(crate) fn read_text(path: &Path, bytes_max: u64) -> Result<String, Failure> {
    let failed = |error: std::io::Error| {
        Failure::usage(format!("failed to read `{}`", path.display()))
            .of(Obstacle::FileUnreadable)
            .caused_by(&error)
            .next("name a YAML file that you may read, or `-` for standard input")
    };
    let mut text = String::new();
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(bytes_max + 1).read_to_string(&mut text).map_err(failed)?;
    } else {
        let file = fs::File::open(path).map_err(failed)?;
        file.take(bytes_max + 1).read_to_string(&mut text).map_err(failed)?;
    }
    Ok(text)
}

fn parse(name: &str, text: &str) -> Result<SequenceSpec, Failure> {
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(Failure::usage(format!("`{name}` is over {FILE_BYTES_MAX} bytes"))
            .of(Obstacle::InvalidYaml)
            .next("make several sequences of it; nothing was queued"));
    }
    let spec: SequenceSpec = serde_norway::from_str(text).map_err(|error| {
        Failure::usage(format!("`{name}` is not a sequence")).of(Obstacle::InvalidYaml).because(error).next(
            "correct that line, then repeat; nothing was queued. `tidegate run --help` shows a sequence",
        )
    })?;
    spec.check_bounds().map_err(|error| {
        Failure::usage(format!("`{name}` cannot be queued as it is"))
            .of(Obstacle::InvalidYaml)
            .because(error)
            .next("correct the value that is named, then repeat; nothing was queued")
    })?;
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_core::sequence::StopOn;
    use tidegate_core::time::Milliseconds;

    #[test]
    fn the_sequence_of_the_documentation_reads() {
        let spec = parse("s.yaml", include_str!("sequence_file/example.yaml")).unwrap();
        assert_eq!(spec.title.as_deref(), Some("HMI lost the servo controller"));
        assert_eq!(spec.stop_on, Some(StopOn::Never));
        assert_eq!(spec.steps.len(), 4);
        assert_eq!(spec.steps[0].with["count"], 4);
        assert_eq!(spec.steps[2].with["path"], r"C:\Motion\app.log");
        assert_eq!(spec.steps[3].timeout, Some(Milliseconds::from_seconds(30)));
    }

    #[test]
    fn a_mistake_is_named_with_its_line_and_field() {
        let mistakes = [
            "steps:\n  - probe: ping\n    args: {}\n",
            "title: x\nsteps:\n  - probe: ping\n    timeout: 30 seconds\n",
            "steps:\n  - probe: ping\n   with: {}\n",
            "title: nothing to do\nsteps: []\n",
            "steps:\n  - with: { host: a }\n",
            "steps:\n  - probe: ping\n    timeout: 0s\n",
        ];
        let why = mistakes.map(|text| parse("s.yaml", text).unwrap_err().why.join("; "));
        insta::assert_snapshot!(why.join("\n"));
    }
}
