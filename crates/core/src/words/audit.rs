//! An entry of the audit log as text.

use serde_json::Value;

use super::text::{one_line, shortened};
use crate::api::AuditEntryView;

/// Longest description in characters; the whole body is in JSON.
const DESCRIPTION_CHARACTERS_MAX: usize = 200;

/// What an entry says, in one line that follows its actor.
pub fn describe_audit(entry: &AuditEntryView) -> String {
    let text = |name: &str| entry.body.get(name).and_then(Value::as_str).map(one_line);
    let named = |name: &str| text(name).unwrap_or_default();
    let number = |name: &str| entry.body.get(name).and_then(Value::as_u64).unwrap_or_default();
    let about = entry.about.as_deref().map_or_else(|| "somebody".to_owned(), one_line);
    let told = match entry.kind.as_str() {
        "owner_created" => format!("made the owner {}", named("email")),
        "person_invited" => format!("invited {} as {}", named("email"), named("role")),
        "sign_in_link_made" => format!("made a sign-in link for {about}"),
        "person_deactivated" => format!("deactivated {about}"),
        "person_reactivated" => format!("reactivated {about}"),
        "token_created" => format!("made an API token of {about}, {}", lasting(text("expires_at"))),
        "signed_in" => format!("signed in with a link for an API token, {}", lasting(text("expires_at"))),
        "token_renamed" => format!("renamed an API token of {about} to “{}”", named("name")),
        "token_revoked" => format!("withdrew an API token of {about}"),
        "session_opened" => {
            let token = text("token_name").map(|name| format!(" “{name}”")).unwrap_or_default();
            format!("signed in with a {}{token}{}", named("with"), from(text("address")))
        }
        "session_confirmed" => format!("confirmed who they are with a {}", named("with")),
        "session_revoked" => format!("ended a session of {about}"),
        "sign_in_refused" => refused(entry, text("email"), &named("with"), text("address")),
        "sign_ins_refused" => format!("{} more", attempts(entry)),
        "password_set" => "set their password".to_owned(),
        "client_created" => format!("made the client “{}”", named("name")),
        "client_renamed" => format!("renamed a client to “{}”", named("name")),
        "site_created" => format!("made the site “{}”", named("name")),
        "site_edited" => format!("edited the site “{}”", named("name")),
        "code_created" => "made an enrolment code".to_owned(),
        "code_revoked" => "withdrew an enrolment code".to_owned(),
        "playbook_created" => format!("made the playbook “{}”", named("name")),
        "playbook_saved" => format!("saved the playbook “{}”", named("name")),
        "playbook_archived" => "archived a playbook".to_owned(),
        "playbook_unarchived" => "took a playbook out of the archive".to_owned(),
        "admitted" => format!("admitted machine {}{}", named("endpoint"), same_name(entry)),
        "order_key_requested" => format!("asked for order key {}{}", number("serial"), revoking(entry)),
        "order_key_renewed" => format!("put order key {} in use{}", number("serial"), revoking(entry)),
        "backup_made" => format!("made a backup {}", backup(entry)),
        "backup_restored" => format!("restored a backup, with order key {}", number("order_key")),
        // Written by a newer program.
        other => one_line(other).replace('_', " "),
    };
    shortened(&told, DESCRIPTION_CHARACTERS_MAX)
}

fn refused(entry: &AuditEntryView, email: Option<String>, with: &str, address: Option<String>) -> String {
    let what = match with {
        "password" => "wrong password",
        "link" => "sign-in link that does not work",
        "token" => "API token that does not work",
        _ => "too many attempts, unread",
    };
    let is_known = entry.body.get("person").is_some_and(Value::is_string);
    let account = match email {
        Some(email) if is_known => format!(" for {email}"),
        Some(email) => format!(" for the unknown account {email}"),
        None if with == "password" => " for an unknown account".to_owned(),
        None => String::new(),
    };
    format!("{}{account}: {what}{}", attempts(entry), from(address))
}

/// The order keys that a new one revokes.
fn revoking(entry: &AuditEntryView) -> String {
    let revoked = entry.body.get("revokes").and_then(Value::as_array);
    let revoked: Vec<_> = revoked.into_iter().flatten().filter_map(Value::as_u64).collect();
    let serials: Vec<_> = revoked.iter().map(u64::to_string).collect();
    if serials.is_empty() {
        ", revoking none".to_owned()
    } else {
        format!(", revoking {}", serials.join(", "))
    }
}

fn backup(entry: &AuditEntryView) -> &'static str {
    let has_keys = entry.body.get("has_keys").and_then(Value::as_bool).unwrap_or_default();
    let is_encrypted = entry.body.get("recipients").and_then(Value::as_u64).unwrap_or_default() > 0;
    match (has_keys, is_encrypted) {
        (true, true) => "with keys, encrypted",
        (true, false) => "with keys, not encrypted",
        (false, true) => "without keys, encrypted",
        (false, false) => "without keys",
    }
}

/// The others that had the name of a machine that was admitted.
fn same_name(entry: &AuditEntryView) -> String {
    let others = entry.body.get("same_name").and_then(Value::as_array);
    let others: Vec<_> = others.into_iter().flatten().filter_map(Value::as_str).map(one_line).collect();
    match others.as_slice() {
        [] => String::new(),
        [one] => format!(", which has the name of machine {one}"),
        [first, more @ ..] => format!(", which has the name of machine {first} and {} more", more.len()),
    }
}

fn attempts(entry: &AuditEntryView) -> String {
    match entry.body.get("count").and_then(Value::as_u64).unwrap_or(1) {
        1 => "refused 1 sign-in".to_owned(),
        count => format!("refused {count} sign-ins"),
    }
}

fn from(address: Option<String>) -> String {
    address.map(|address| format!(" from {address}")).unwrap_or_default()
}

fn lasting(expires_at: Option<String>) -> String {
    // The day is enough here; the body has the millisecond.
    expires_at.map_or_else(
        || "without an end".to_owned(),
        |at| format!("until {}", at.chars().take(10).collect::<String>()),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::digest::Digest;
    use crate::time::Timestamp;

    fn entry(kind: &str, about: Option<&str>, body: Value) -> AuditEntryView {
        AuditEntryView {
            number: 1,
            at: Timestamp::from_milliseconds(0),
            actor: "control plane".into(),
            kind: kind.into(),
            about: about.map(str::to_owned),
            body,
            hash: Digest::ZERO,
            previous_hash: Digest::ZERO,
        }
    }

    #[test]
    fn a_refused_sign_in_says_for_whom_with_what_and_from_where() {
        let refused = |body| describe_audit(&entry("sign_in_refused", None, body));
        let known = json!({ "person": "p", "email": "kim@msp.example", "with": "password", "address": "192.0.2.7", "count": 3 });
        assert_eq!(refused(known), "refused 3 sign-ins for kim@msp.example: wrong password from 192.0.2.7");
        let unknown = json!({ "email": "eve@evil.example", "with": "password", "count": 1 });
        assert_eq!(
            refused(unknown),
            "refused 1 sign-in for the unknown account eve@evil.example: wrong password"
        );
        let hidden = json!({ "with": "password", "count": 1 });
        assert_eq!(refused(hidden), "refused 1 sign-in for an unknown account: wrong password");
        let token = json!({ "with": "token", "count": 2, "address": "192.0.2.7" });
        assert_eq!(refused(token), "refused 2 sign-ins: API token that does not work from 192.0.2.7");
    }

    #[test]
    fn what_an_operator_did_to_the_keys_names_their_serials() {
        let told = |kind, body| describe_audit(&entry(kind, None, body));
        let key = json!({ "serial": 3, "revokes": [1, 2] });
        assert_eq!(told("order_key_renewed", key), "put order key 3 in use, revoking 1, 2");
        let asked = json!({ "serial": 2, "revokes": [] });
        assert_eq!(told("order_key_requested", asked), "asked for order key 2, revoking none");
        let made = json!({ "order_key": 2, "has_keys": true, "recipients": 0 });
        assert_eq!(told("backup_made", made), "made a backup with keys, not encrypted");
        assert_eq!(told("backup_restored", json!({ "order_key": 2 })), "restored a backup, with order key 2");
    }

    #[test]
    fn hostile_names_are_made_visible_and_an_unknown_kind_is_still_told() {
        let hostile = entry("client_created", None, json!({ "name": "a\u{1b}[31m\u{202e}b" }));
        let told = describe_audit(&hostile);
        assert!(!told.contains(['\u{1b}', '\u{202e}']), "{told}");
        assert_eq!(describe_audit(&entry("role_given", None, json!({}))), "role given");
        let made = entry(
            "token_created",
            Some("kim@msp.example"),
            json!({ "expires_at": "2026-12-30T13:44:52.837Z" }),
        );
        assert_eq!(describe_audit(&made), "made an API token of kim@msp.example, until 2026-12-30");
        let opened =
            json!({ "with": "token", "token_name": "ticket\u{202e} system", "address": "192.0.2.7" });
        let opened = describe_audit(&entry("session_opened", Some("kim@msp.example"), opened));
        assert_eq!(opened, "signed in with a token “ticket\\u{202e} system” from 192.0.2.7");
        let invited = entry("person_deactivated", Some("ben@msp.example"), json!({}));
        assert_eq!(describe_audit(&invited), "deactivated ben@msp.example");
    }
}
