//! Steps written on the command line: `--probe ping host=10.0.0.5 count=4`.

use serde_json::{Map, Value};
use tidegate_core::error::Code;
use tidegate_core::probe::Catalogue;
use tidegate_core::sequence::StepSpec;
use tidegate_core::time::Milliseconds;

use crate::failure::Failure;

/// A probe as written, its values not typed yet: the machine's own catalogue says what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrittenProbe {
    /// Its name.
    pub probe: String,
    /// Keys and values in the order written.
    pub arguments: Vec<(String, String)>,
}

/// Splits the words after `--probe`: a word without `=` begins the next probe.
///
/// # Errors
///
/// A usage [`Failure`] for a value without a probe, a key without a name, or a key given twice.
pub(crate) fn read_probes(words: &[String]) -> Result<Vec<WrittenProbe>, Failure> {
    let mut probes: Vec<WrittenProbe> = Vec::new();
    for word in words {
        match word.split_once('=') {
            None => probes.push(WrittenProbe { probe: word.clone(), arguments: Vec::new() }),
            Some(("", _)) => {
                return Err(Failure::usage(format!("`{word}` has no name before the `=`"))
                    .next("write: --probe ping host=10.0.0.5 count=4"));
            }
            Some((key, value)) => {
                let Some(probe) = probes.last_mut() else {
                    return Err(Failure::usage(format!("`{word}` comes before the name of a probe"))
                        .next("write: --probe ping host=10.0.0.5 count=4"));
                };
                if probe.arguments.iter().any(|(known, _)| known == key) {
                    return Err(Failure::usage(format!("`{key}` of `{}` is given twice", probe.probe))
                        .next("give it once; a second probe begins with its own name"));
                }
                probe.arguments.push((key.to_owned(), value.to_owned()));
            }
        }
    }
    Ok(probes)
}

impl WrittenProbe {
    /// The step for a machine with `catalogue`. Without one (it never told its probes) values that look
    /// like numbers or booleans are taken as such, and the machine judges.
    ///
    /// # Errors
    ///
    /// A usage [`Failure`] for a probe, an argument or a value that the machine does not know.
    pub(crate) fn to_step(
        &self,
        catalogue: Option<&Catalogue>,
        timeout: Option<Milliseconds>,
    ) -> Result<StepSpec, Failure> {
        let spec = catalogue.and_then(|catalogue| catalogue.find(&self.probe));
        let mut with = Map::new();
        for (key, text) in &self.arguments {
            let kind = spec.and_then(|spec| spec.arguments.iter().find(|argument| argument.name == *key));
            let value = match (kind, spec) {
                (Some(argument), _) => argument.kind.read(text),
                (None, Some(_)) => Value::String(text.clone()),
                (None, None) => guessed(text),
            };
            with.insert(key.clone(), value);
        }
        if let Some(catalogue) = catalogue {
            catalogue.check(&self.probe, &with).map_err(|error| {
                Failure::usage(error.to_string())
                    .answered_with(Code::InvalidSequence)
                    .next("see what the machine knows with: tidegate endpoints show ENDPOINT --probes")
            })?;
        }
        Ok(StepSpec { probe: self.probe.clone(), with, timeout, rerun: false })
    }
}

/// The step that runs `words` in the machine's shell, joined by spaces as ssh joins them.
pub(crate) fn command_step(words: &[String], timeout: Option<Milliseconds>) -> StepSpec {
    let mut with = Map::new();
    with.insert("command".into(), Value::String(words.join(" ")));
    StepSpec { probe: "shell".into(), with, timeout, rerun: false }
}

fn guessed(text: &str) -> Value {
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => text.parse::<i64>().map_or_else(|_| Value::String(text.to_owned()), Value::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_get_the_type_that_the_machine_expects() {
        let with = |words: &[&str]| {
            let probes = read_probes(&owned(words)).unwrap();
            Value::Object(probes[0].to_step(Some(&catalogue()), None).unwrap().with)
        };
        assert_eq!(with(&["ping", "host=10.0.0.5", "count=4"]), json!({"host": "10.0.0.5", "count": 4}));
        assert_eq!(with(&["ping", "host=7"]), json!({"host": "7"}), "a name of digits stays text");
        assert_eq!(with(&["ping", "host=a=b", "quiet=yes"]), json!({"host": "a=b", "quiet": true}));
    }

    #[test]
    fn what_the_machine_does_not_know_is_refused_with_the_place() {
        let failure = |words: &[&str]| {
            let probes = read_probes(&owned(words)).unwrap();
            probes[0].to_step(Some(&catalogue()), None).unwrap_err().what
        };
        assert_eq!(failure(&["pong"]), "unknown probe `pong`; this runtime has: ping");
        assert_eq!(
            failure(&["ping", "host=a", "size=3"]),
            "`ping` has no argument `size`; it has: host, count, quiet"
        );
        assert_eq!(
            failure(&["ping", "host=a", "count=many"]),
            "`count` of `ping` must be a whole number from 1 to 20"
        );
        assert_eq!(failure(&["ping"]), "`ping` needs `host`: Name or address to ask.");
    }

    #[test]
    fn a_machine_that_never_told_its_probes_judges_itself() {
        let probes = read_probes(&owned(&["any", "count=4", "deep=true", "name=x"])).unwrap();
        let step = probes[0].to_step(None, Some(Milliseconds::from_seconds(5))).unwrap();
        assert_eq!(Value::Object(step.with), json!({"count": 4, "deep": true, "name": "x"}));
        assert_eq!(step.timeout, Some(Milliseconds::from_seconds(5)));
    }

    #[test]
    fn several_probes_are_several_steps() {
        let probes = read_probes(&owned(&["ping", "host=a", "system_info", "ping", "host=b"])).unwrap();
        let names: Vec<_> = probes.iter().map(|probe| probe.probe.as_str()).collect();
        assert_eq!(names, ["ping", "system_info", "ping"]);
        for wrong in [&["host=a"][..], &["ping", "=a"], &["ping", "host=a", "host=b"]] {
            assert!(read_probes(&owned(wrong)).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_command_is_one_shell_step() {
        let step = command_step(&owned(&["df", "-h"]), None);
        assert_eq!((step.probe.as_str(), &step.with["command"]), ("shell", &json!("df -h")));
    }

    fn owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn catalogue() -> Catalogue {
        serde_json::from_value(json!([{
            "name": "ping", "about": "Asks for an echo.", "risk": "observe", "example": {},
            "arguments": [
                {"name": "host", "about": "Name or address to ask.", "kind": "text", "bytes_max": 255, "required": true},
                {"name": "count", "about": "How often.", "kind": "integer", "min": 1, "max": 20, "required": false},
                {"name": "quiet", "about": "Say less.", "kind": "boolean", "required": false}
            ]
        }]))
        .unwrap()
    }
}
