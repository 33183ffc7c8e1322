//! A draft out of the fields of its form: `s3.probe`, `s3.with.host`, in the order in which they were sent.

use serde_json::{Map, Value};
use tidegate_core::probe::{ArgumentKind, Catalogue};
use tidegate_core::sequence::{STEPS_MAX, SequenceSpec, StepSpec, StopOn};
use tidegate_core::time::{Milliseconds, Timestamp};

use super::form::Form;
use super::moment::Moment;
use crate::problem::Problem;

/// Reads the form. What it does not say is taken from `saved`; [`not_before`] is read by itself.
///
/// A value of the wrong kind stays as it was typed: the page says what is wrong with it beside it.
pub(super) fn spec(
    form: &Form,
    catalogue: Option<&Catalogue>,
    saved: Option<&SequenceSpec>,
) -> Result<SequenceSpec, Problem> {
    let mut keys: Vec<&str> = Vec::new();
    for (name, _) in &form.0 {
        let key = name.strip_suffix(".probe").filter(|key| key.starts_with('s'));
        if let Some(key) = key.filter(|key| !keys.contains(key)) {
            keys.push(key);
        }
        if keys.len() > STEPS_MAX {
            return Err(Problem::invalid(format!("a sequence has at most {STEPS_MAX} steps")));
        }
    }
    if keys.is_empty() {
        return Err(Problem::invalid("the form has no steps: load the page again"));
    }
    let steps = keys.into_iter().map(|key| step(form, key, catalogue)).collect::<Result<_, _>>()?;
    let stop_on = match form.raw("stop_on") {
        None => saved.and_then(|saved| saved.stop_on),
        Some("never") => Some(StopOn::Never),
        Some("failed") => Some(StopOn::Failed),
        Some("attention") => Some(StopOn::Attention),
        Some(_) => None,
    };
    // Nothing chosen: it ends as it did.
    let hours = form.text("expires_in_hours").and_then(|hours| hours.parse::<u64>().ok());
    let chosen = hours.map(|hours| Milliseconds(hours.saturating_mul(3_600_000)));
    Ok(SequenceSpec {
        title: form.text("title").map(str::to_owned),
        steps,
        stop_on,
        expires_in: chosen.or_else(|| saved.and_then(|saved| saved.expires_in)),
        expires_at: saved.and_then(|saved| saved.expires_at).filter(|_| chosen.is_none()),
        not_before: saved.and_then(|saved| saved.not_before),
        playbook: saved.and_then(|saved| saved.playbook.clone()),
    })
}

/// The earliest start that the form says, on the plant's clock; the saved one where the field shows just that.
pub(super) fn not_before(
    form: &Form,
    saved: Option<Timestamp>,
    moment: &Moment,
) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = form.raw("not_before").map(str::trim) else { return Ok(saved) };
    if text.is_empty() {
        return Ok(None);
    }
    // The field has no seconds: what a script set to the second stays so.
    if let Some(saved) = saved.filter(|saved| moment.typed(*saved) == text) {
        return Ok(Some(saved));
    }
    let read = moment.read(text);
    read.map(Some).ok_or_else(|| {
        Problem::invalid(format!(
            "`{}` is no day and time: write it as 2026-11-27T09:00",
            text.chars().take(32).collect::<String>()
        ))
    })
}

fn step(form: &Form, key: &str, catalogue: Option<&Catalogue>) -> Result<StepSpec, Problem> {
    let field = |name: &str| form.text(&format!("{key}.{name}"));
    let probe = field("probe").unwrap_or_default().to_owned();
    let seconds = field("timeout_seconds").map(str::parse::<u64>).transpose();
    let seconds = seconds.map_err(|_| Problem::invalid("a time limit is a whole number of seconds"))?;
    let known = catalogue.and_then(|catalogue| catalogue.find(&probe));
    let with = match (known, field("json")) {
        (None, Some(text)) => serde_json::from_str(text).map_err(|error| {
            Problem::invalid(format!("the arguments of `{probe}` are not a JSON object: {error}"))
        })?,
        (None, None) => Map::new(),
        (Some(known), _) => {
            let mut with = Map::new();
            for argument in &known.arguments {
                let typed = form.raw(&format!("{key}.with.{}", argument.name)).unwrap_or_default();
                if !typed.is_empty() {
                    with.insert(argument.name.clone(), value(&argument.kind, typed));
                }
            }
            with
        }
    };
    Ok(StepSpec {
        probe,
        with,
        timeout: seconds.map(|seconds| Milliseconds(seconds.saturating_mul(1_000))),
        rerun: field("rerun").is_some(),
    })
}

/// What was typed as the argument's own kind; text where it is not.
fn value(kind: &ArgumentKind, typed: &str) -> Value {
    match kind {
        ArgumentKind::Integer { .. } => {
            typed.trim().parse::<i64>().map_or_else(|_| Value::from(typed), Value::from)
        }
        ArgumentKind::Boolean => match typed {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            other => Value::from(other),
        },
        // Browsers send lines with CRLF, whatever was typed (WHATWG HTML, section 4.10.21.7).
        ArgumentKind::Text { .. } => Value::from(typed.replace("\r\n", "\n")),
        ArgumentKind::Choice { .. } => Value::from(typed),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form(fields: &[(&str, &str)]) -> Form {
        Form(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn catalogue() -> Catalogue {
        serde_json::from_value(json!([{ "name": "ping", "about": "Asks.", "risk": "observe", "example": {}, "arguments": [
            { "name": "host", "about": "Whom.", "kind": "text", "bytes_max": 200, "required": true },
            { "name": "count", "about": "How often.", "kind": "integer", "min": 1, "max": 9, "required": false },
            { "name": "loud", "about": "Whether.", "kind": "boolean", "required": false },
        ] }]))
        .unwrap()
    }

    #[test]
    fn steps_come_in_the_order_in_which_they_stand_on_the_page() {
        let sent = form(&[
            ("s2.probe", "ping"),
            ("s2.with.host", "b"),
            ("s0.probe", "ping"),
            ("s0.with.host", "a"),
            ("s0.with.count", "4"),
            ("s0.with.loud", "true"),
            ("s0.rerun", "on"),
            ("s0.timeout_seconds", "30"),
        ]);
        let read = spec(&sent, Some(&catalogue()), None).unwrap();
        assert_eq!(read.steps.iter().map(|step| step.with["host"].clone()).collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(
            Value::Object(read.steps[1].with.clone()),
            json!({ "host": "a", "count": 4, "loud": true })
        );
        assert!(read.steps[1].rerun && !read.steps[0].rerun);
        assert_eq!(read.steps[1].timeout, Some(Milliseconds(30_000)));
    }

    #[test]
    fn what_does_not_fit_stays_as_it_was_typed_and_is_judged_by_the_catalogue() {
        let sent = form(&[("s0.probe", "ping"), ("s0.with.host", "a"), ("s0.with.count", "four")]);
        let read = spec(&sent, Some(&catalogue()), None).unwrap();
        assert_eq!(read.steps[0].with["count"], "four");
        let judged = catalogue().check("ping", &read.steps[0].with).unwrap_err();
        assert!(judged.to_string().contains("a whole number from 1 to 9"), "{judged}");
    }

    #[test]
    fn conditions_stay_until_they_are_chosen_otherwise() {
        let saved = |text: Value| serde_json::from_value::<SequenceSpec>(text).unwrap();
        let until = saved(
            json!({ "steps": [{ "probe": "ping" }], "stop_on": "never", "expires_at": "2026-12-01T00:00:00Z" }),
        );
        let read = |fields: &[(&str, &str)]| {
            let sent = [&[("s0.probe", "ping")], fields].concat();
            let read = spec(&form(&sent), None, Some(&until)).unwrap();
            (read.stop_on, read.expires_in, read.expires_at.is_some())
        };
        assert_eq!(read(&[]), (Some(StopOn::Never), None, true));
        assert_eq!(
            read(&[("expires_in_hours", ""), ("stop_on", "failed")]),
            (Some(StopOn::Failed), None, true)
        );
        let day = Some(Milliseconds::from_days(1));
        assert_eq!(read(&[("expires_in_hours", "24"), ("stop_on", "")]), (None, day, false));
    }

    #[test]
    fn an_earliest_start_is_on_the_plants_clock() {
        let moment = Moment::new("2026-11-23T14:00:00Z".parse().unwrap(), "Europe/Berlin");
        let saved: Timestamp = "2026-11-27T08:00:30Z".parse().unwrap();
        let read =
            |text: &str| not_before(&form(&[("not_before", text)]), Some(saved), &moment).ok().flatten();
        assert_eq!(not_before(&form(&[]), Some(saved), &moment), Ok(Some(saved)));
        assert_eq!(read("2026-11-27T09:00"), Some(saved), "what the field showed changes nothing");
        assert_eq!(read("2026-11-27T10:00").unwrap().to_string(), "2026-11-27T09:00:00.000Z");
        assert_eq!(read(""), None);
        let wrong = not_before(&form(&[("not_before", "soon")]), None, &moment).unwrap_err();
        assert!(wrong.detail.contains("`soon`"), "{}", wrong.detail);
    }

    #[test]
    fn a_form_without_steps_or_with_too_many_is_refused() {
        assert!(spec(&form(&[("title", "x")]), None, None).is_err());
        let names: Vec<String> = (0..=STEPS_MAX).map(|index| format!("s{index}.probe")).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), "ping")).collect();
        assert!(spec(&form(&many), None, None).is_err());
    }
}
