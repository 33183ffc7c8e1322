use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::fill::is_shell_word;
use super::placeholder::pieces;
use super::{
    FillError, PlaybookError, PlaybookSpec, STARTERS, YAML_BYTES_MAX, YamlError, fill, starters, yaml_read,
    yaml_write,
};
use crate::sequence::TITLE_BYTES_MAX;

/// A playbook that uses each kind of parameter.
fn playbook() -> PlaybookSpec {
    read(json!({
        "name": "Reach a host",
        "parameters": [
            { "name": "host", "about": "Who.", "kind": "text", "bytes_max": 50, "required": true, "example": "plc-1" },
            { "name": "count", "kind": "integer", "min": 1, "max": 20, "default": 4 },
            { "name": "insecure", "kind": "boolean", "default": false },
            { "name": "method", "kind": "choice", "options": ["GET", "HEAD"], "default": "GET" },
            { "name": "contains", "kind": "text" },
        ],
        "title": "Reach {{host}} {{count}} times",
        "steps": [
            { "probe": "ping", "with": { "host": "{{host}}", "count": "{{ count }}" } },
            { "probe": "http_check", "with": { "url": "https://{{host}}/{{{{x}}?n={{count}}&i={{insecure}}",
                "method": "{{method}}", "insecure": "{{insecure}}", "contains": "{{contains}}" } },
        ],
    }))
}

fn read(value: Value) -> PlaybookSpec {
    serde_json::from_value(value).unwrap()
}

fn values(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// A playbook whose only parameter stands in a command.
fn command(command: &str) -> PlaybookSpec {
    read(json!({
        "name": "Command", "parameters": [{ "name": "word", "kind": "text", "required": true }],
        "steps": [{ "probe": "shell", "with": { "command": command } }],
    }))
}

/// The only step's command, with `word` filled in.
fn commanded(playbook: &PlaybookSpec, word: &str) -> Result<String, FillError> {
    let spec = fill(playbook, &values(&json!({ "word": word })))?;
    Ok(spec.steps[0].with["command"].as_str().unwrap().to_owned())
}

#[test]
fn alone_a_placeholder_keeps_its_type_and_within_text_it_is_text() {
    let filled = fill(&playbook(), &values(&json!({ "host": "plc-1", "insecure": true }))).unwrap();
    assert_eq!(filled.title.as_deref(), Some("Reach plc-1 4 times"));
    assert_eq!(Value::Object(filled.steps[0].with.clone()), json!({ "host": "plc-1", "count": 4 }));
    assert_eq!(
        Value::Object(filled.steps[1].with.clone()),
        json!({ "url": "https://plc-1/{{x}}?n=4&i=true", "method": "GET", "insecure": true }),
        "what was not given and has no default is left out"
    );
}

#[test]
fn what_was_given_counts_before_the_default_and_null_is_not_given() {
    let given = json!({ "host": "a", "count": 20, "method": "HEAD", "contains": "ready", "insecure": null });
    let filled = fill(&playbook(), &values(&given)).unwrap();
    let with = &filled.steps[1].with;
    assert_eq!(
        (&with["method"], &with["contains"], &with["insecure"]),
        (&json!("HEAD"), &json!("ready"), &json!(false))
    );
}

#[test]
fn values_that_do_not_fit_are_refused_with_the_parameter_and_what_it_takes() {
    let refused = |value: Value| fill(&playbook(), &values(&value)).unwrap_err().to_string();
    let said = [
        json!({}),
        json!({ "host": null }),
        json!({ "host": "" }),
        json!({ "host": 5 }),
        json!({ "host": "x".repeat(51) }),
        json!({ "host": "a\nb" }),
        json!({ "host": "a", "count": 0 }),
        json!({ "host": "a", "count": "4" }),
        json!({ "host": "a", "count": 4.5 }),
        json!({ "host": "a", "insecure": "true" }),
        json!({ "host": "a", "method": "POST" }),
        json!({ "host": "a", "hots": "b" }),
    ]
    .map(refused);
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_filled_title_is_held_to_the_bounds_of_titles() {
    let mut long = playbook();
    long.title = Some(format!("{} {{{{host}}}} {{{{count}}}}", "x".repeat(TITLE_BYTES_MAX - 25)));
    let host = |length: usize| values(&json!({ "host": "h".repeat(length) }));
    assert!(fill(&long, &host(5)).is_ok());
    assert!(matches!(fill(&long, &host(50)), Err(FillError::Sequence(_))));
}

#[test]
fn in_a_command_a_value_is_one_plain_word_or_refused() {
    let playbook = command("ls -l {{word}} && echo done");
    for word in
        ["/var/log", "plc-1.example", r"C:\Motion\app.log", "a:b", "user@host", "0", r"\\server\share"]
    {
        assert_eq!(commanded(&playbook, word), Ok(format!("ls -l {word} && echo done")));
    }
    for hostile in [
        "; rm -rf /",
        "a;b",
        "a b",
        "$(reboot)",
        "`reboot`",
        "a|b",
        "a&b",
        "a&&b",
        "a>b",
        "a<b",
        "$HOME",
        "%PATH%",
        "!x!",
        "a'b",
        "a\"b",
        "*",
        "?",
        "[a]",
        "{a,b}",
        "~root",
        "a#b",
        "a=b",
        "a,b",
        "a^b",
        "-rf",
        "--help",
        "@file",
        r"a\",
        r"\",
        "é",
        "a\u{a0}b",
        "(a)",
        "\u{202e}a",
    ] {
        let refused = commanded(&playbook, hostile);
        assert_eq!(refused, Err(FillError::ShellWord { parameter: "word".into(), step: 1 }), "{hostile}");
    }
    for hostile in ["a\nreboot", "a\tb", "a\0b", "a\u{85}b"] {
        assert!(matches!(commanded(&playbook, hostile), Err(FillError::Invalid { .. })), "{hostile:?}");
    }
    assert!(commanded(&command("{{word}}"), "a;b").is_err(), "alone it is a command all the same");
}

#[test]
fn elsewhere_text_is_only_text() {
    let given = values(&json!({ "host": "; rm -rf / $(x)" }));
    assert_eq!(fill(&playbook(), &given).unwrap().steps[0].with["host"], "; rm -rf / $(x)");
}

#[test]
fn what_the_author_put_into_a_command_is_held_to_the_same() {
    let with = |parameter: Value| {
        read(json!({ "name": "c", "parameters": [parameter],
            "steps": [{ "probe": "shell", "with": { "command": "ls {{word}}" } }] }))
        .check()
    };
    assert_eq!(with(json!({ "name": "word", "kind": "text", "default": "/var" })), Ok(()));
    for parameter in [
        json!({ "name": "word", "kind": "text", "default": "a b" }),
        json!({ "name": "word", "kind": "text", "required": true, "example": "$x" }),
        json!({ "name": "word", "kind": "choice", "options": ["a", "b;c"], "required": true }),
    ] {
        assert!(matches!(with(parameter), Err(PlaybookError::ShellWord { step: 1, .. })));
    }
}

#[test]
fn a_playbook_that_does_not_hold_together_is_refused_with_the_place() {
    let base = serde_json::to_value(playbook()).unwrap();
    let with = |pointer: &str, value: Value| {
        let mut changed = base.clone();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        match changed.pointer_mut(parent).unwrap() {
            Value::Array(items) => items.insert(field.parse().unwrap(), value),
            other => drop(other.as_object_mut().unwrap().insert(field.to_owned(), value)),
        }
        match serde_json::from_value::<PlaybookSpec>(changed) {
            Ok(spec) => spec.check().unwrap_err().to_string(),
            Err(error) => error.to_string(),
        }
    };
    let parameter = |value: Value| with("/parameters/0", value);
    let said = [
        with("/name", json!(" ")),
        with("/name", json!("x".repeat(101))),
        with("/about", json!("x".repeat(1_001))),
        with("/steps", json!([])),
        with("/expires_in", json!("400d")),
        with("/title", json!("{{contains}}")),
        with("/title", json!("{{Host}}")),
        with("/title", json!("{{hots}}")),
        with("/steps/0/with/host", json!({ "deep": ["{{hots}}"] })),
        with("/steps/0/with/host", json!("x{{contains}}")),
        with("/owner", json!("x")),
        parameter(json!({ "name": "unused", "kind": "text" })),
        parameter(json!({ "name": "host", "kind": "text" })),
        parameter(json!({ "name": "Host", "kind": "text" })),
        parameter(json!({ "name": "a", "kind": "text", "bytes_max": 0 })),
        parameter(json!({ "name": "a", "kind": "text", "min": 0 })),
        parameter(json!({ "name": "a", "kind": "text", "secret": true })),
        parameter(json!({ "name": "a", "kind": "integer", "min": 0 })),
        parameter(json!({ "name": "a", "kind": "integer", "min": 2, "max": 1 })),
        parameter(json!({ "name": "a", "kind": "integer", "min": 1, "max": 2, "default": 3 })),
        parameter(json!({ "name": "a", "kind": "choice", "options": [] })),
        parameter(json!({ "name": "a", "kind": "choice", "options": ["x", "x"] })),
        parameter(json!({ "name": "a", "kind": "boolean", "default": true, "required": true })),
        parameter(json!({ "name": "a", "kind": "boolean", "example": "yes" })),
        parameter(json!({ "name": "a", "kind": "text", "about": "x".repeat(301) })),
    ];
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn too_many_parameters_and_too_large_a_playbook_are_refused() {
    let parameter =
        |number: usize| json!({ "name": format!("p{number}"), "kind": "boolean", "default": true });
    let of = |count: usize| {
        let with: Map<String, Value> =
            (0..count).map(|n| (format!("p{n}"), json!(format!("{{{{p{n}}}}}")))).collect();
        let parameters: Vec<_> = (0..count).map(parameter).collect();
        read(json!({ "name": "x", "parameters": parameters, "steps": [{ "probe": "ping", "with": with }] }))
            .check()
    };
    assert_eq!(of(30), Ok(()));
    assert_eq!(of(31), Err(PlaybookError::Parameters(31)));
    let step = json!({ "probe": "shell", "with": { "command": "x".repeat(20_000) } });
    let large = read(json!({ "name": "x", "steps": vec![step; 7] }));
    assert!(matches!(large.check(), Err(PlaybookError::Bytes(_))));
}

#[test]
fn what_a_person_typed_gets_the_parameters_type() {
    let playbook = playbook();
    let read = |name: &str, text: &str| playbook.parameter(name).unwrap().read(text);
    assert_eq!(read("count", "5"), json!(5));
    assert_eq!(read("count", "five"), json!("five"), "so that filling names the parameter");
    assert_eq!(read("insecure", "yes"), json!(true));
    assert_eq!(read("host", "5"), json!("5"));
    assert_eq!(read("contains", ""), Value::Null);
}

#[test]
fn the_starters_read_and_fill_with_their_defaults_and_examples() {
    let starters = starters();
    assert_eq!(starters.len(), STARTERS.len());
    let names: Vec<_> = starters.iter().map(|starter| starter.name.as_str()).collect();
    insta::assert_snapshot!(names.join("\n"));
    assert!(names.is_sorted());
    for starter in &starters {
        assert!(starter.about.len() > 50, "{}", starter.name);
        for parameter in &starter.parameters {
            assert!(parameter.about.len() > 20, "{}: {}", starter.name, parameter.name);
            assert!(parameter.default.is_some() || parameter.example.is_some(), "{}", parameter.name);
        }
        fill(starter, &starter.examples()).unwrap();
    }
}

/// The page is what people write playbooks by.
const PAGE: &str = include_str!("../../../../docs/playbooks.md");

#[test]
fn the_playbook_of_the_page_reads_and_becomes_what_the_page_says() {
    let text = PAGE.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let playbook = yaml_read(text).unwrap();
    let filled = fill(&playbook, &values(&json!({ "controller": "10.20.0.5" }))).unwrap();
    assert_eq!(filled.title.as_deref(), Some("10.20.0.5 does not answer"));
    assert_eq!(filled.steps[1].with["port"], 502);
    assert!(!filled.steps[2].with.contains_key("contains"));
    assert_eq!(filled.steps[2].with["url"], "http://10.20.0.5/status");
    assert_eq!(filled.steps[3].with["command"], "arp -n 10.20.0.5");
    assert!(fill(&playbook, &values(&json!({ "controller": "a; reboot" }))).is_err());
}

#[test]
fn the_page_lists_the_starters_as_they_are() {
    let joined = |words: Vec<&str>| format!("`{}`", words.join("`, `"));
    let rows: Vec<_> = PAGE.lines().filter(|line| line.starts_with("| `")).collect();
    let expected: Vec<_> = starters()
        .iter()
        .map(|starter| {
            let probes = joined(starter.steps.iter().map(|step| step.probe.as_str()).collect());
            let parameters =
                joined(starter.parameters.iter().map(|parameter| parameter.name.as_str()).collect());
            format!("| `{}` | {probes} | {parameters} |", starter.name)
        })
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn mistakes_in_a_file_are_named_with_their_line() {
    let mistakes = [
        "name: x\nsteps:\n  - probe: ping\n    args: {}\n",
        "name: x\nsteps:\n  - probe: ping\n    with: { host: {{host}} }\n",
        "name: x\nparameters:\n  - { name: a, kind: number }\nsteps:\n  - probe: ping\n",
        "name: x\nsteps: !evil []\n",
        "name: x\nsteps:\n  - probe: ping\n    with: { host: .nan }\n",
        "name: [\n",
        "",
    ];
    let why = mistakes.map(|text| yaml_read(text).unwrap_err().to_string());
    insta::assert_snapshot!(why.join("\n"));
}

#[test]
fn a_small_file_that_stands_for_gigabytes_is_refused() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (last, next) in "abcdefgh".chars().zip("bcdefghi".chars()) {
        bomb.push_str(&format!("{next}: &{next} [{}]\n", vec![format!("*{last}"); 10].join(", ")));
    }
    assert!(yaml_read(&bomb).is_err(), "many references");
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(10_000), vec!["*a"; 1_000].join(", "));
    assert_eq!(yaml_read(&long), Err(YamlError::Bytes), "few references to much");
    // Closed or not, and where the parser takes them for text.
    for brackets in ["[", "{", "[]", "[a: ", "[a:#}\n"] {
        assert_eq!(yaml_read(&brackets.repeat(1_001)), Err(YamlError::Brackets), "{brackets}");
    }
    let tags = "%TAG !a! b\n".repeat(17);
    assert!(
        matches!(yaml_read(&tags), Err(YamlError::Shape { message, .. }) if message.contains("without tags"))
    );
    assert_eq!(yaml_read(&" ".repeat(YAML_BYTES_MAX + 1)), Err(YamlError::Bytes));
    let deep = "[".repeat(1_000);
    assert!(matches!(yaml_read(&deep), Err(YamlError::Shape { .. })));
    let fair = "name: x\nsteps:\n  - &a { probe: ping, with: { host: b } }\n  - *a\n";
    assert_eq!(yaml_read(fair).unwrap().steps.len(), 2);
}

proptest! {
    #[test]
    fn a_text_whose_braces_are_doubled_is_itself(text in "[{}a ]{0,40}|\\PC{0,40}") {
        let doubled = text.replace("{{", "{{{{");
        // `{{{` doubles to `{{{{{`, whose last brace is text again; longer runs pair up the same way.
        let joined: String = match pieces(&doubled) {
            Ok(pieces) => pieces.iter().map(|piece| match piece {
                super::placeholder::Piece::Text(text) => *text,
                super::placeholder::Piece::Placeholder(_) => "PLACEHOLDER",
            }).collect(),
            Err(_) => "MALFORMED".to_owned(),
        };
        prop_assert_eq!(joined, text);
    }

    #[test]
    fn any_text_reads_or_is_refused(text in "[{}a_ A]{0,30}|\\PC{0,60}") {
        let _ = pieces(&text);
        let _ = yaml_read(&text);
    }

    #[test]
    fn a_value_arrives_as_it_was_given_and_once(host in "[^\\p{Cc}]{1,12}") {
        let filled = fill(&playbook(), &values(&json!({ "host": host }))).unwrap();
        // What looks like a placeholder in a value is not filled again.
        prop_assert_eq!(filled.steps[0].with["host"].as_str(), Some(host.as_str()));
    }

    #[test]
    fn a_word_that_a_command_takes_has_nothing_in_it_that_a_shell_knows(word in "[ -~]{1,8}") {
        let taken = commanded(&command("echo {{word}}"), &word);
        prop_assert_eq!(taken.is_ok(), is_shell_word(&word));
        if let Ok(command) = taken {
            let known = " \t\n;&|<>()$`\"'*?[]#~=%!^{},+";
            prop_assert!(!command["echo ".len()..].contains(|character| known.contains(character)), "{}", command);
            prop_assert_eq!(command, format!("echo {word}"));
        }
    }

    #[test]
    fn a_playbook_reads_back_as_it_was_written(name in "[^\\p{Cc}\\s][^\\p{Cc}]{0,20}", text in "[^{\\x00]{0,60}", number: i64) {
        let mut playbook = playbook();
        playbook.name.clone_from(&name);
        playbook.about.clone_from(&text);
        playbook.steps[0].with.insert("text".into(), json!(text));
        playbook.steps[0].with.insert("number".into(), json!(number));
        prop_assert_eq!(yaml_read(&yaml_write(&playbook)), Ok(playbook));
    }
}
