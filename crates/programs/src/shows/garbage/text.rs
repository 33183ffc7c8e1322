//! Values that programs trip over.

use serde_json::{Value, json};

use super::chance::Chance;

/// Stands in a document for text that `serde_json` would not write.
const RAW: &str = "raw-text-goes-here";

/// Changes one node of `value` and answers the document as bytes, which may not be JSON any more.
pub(super) fn mutate_json(value: &Value, chance: &mut Chance) -> Vec<u8> {
    let mut value = value.clone();
    let nodes = count(&value);
    let mut at = chance.below(nodes);
    change(&mut value, &mut at, chance);
    let text = value.to_string();
    match text.contains(RAW) {
        false => text.into_bytes(),
        true => text.replacen(&format!("\"{RAW}\""), &raw(chance), 1).into_bytes(),
    }
}

/// Changes bytes wherever they are.
pub(super) fn mutate_bytes(bytes: &mut Vec<u8>, chance: &mut Chance) {
    let at = chance.below(bytes.len());
    match chance.below(7) {
        0 => bytes.truncate(at),
        1 if !bytes.is_empty() => bytes[at] ^= 1 << chance.below(8),
        2 => {
            let length = chance.below(40);
            let noise = chance.bytes(length);
            bytes.splice(at..at, noise);
        }
        3 => {
            bytes.splice(at..at, [0xff, 0xfe, 0xc0, 0xaf, 0x00]);
        }
        4 => {
            let until = (at + chance.below(64)).min(bytes.len());
            let piece = bytes[at..until].to_vec();
            bytes.splice(at..at, piece);
        }
        5 => {
            let until = (at + chance.below(64)).min(bytes.len());
            bytes.drain(at..until);
        }
        _ => bytes.splice(0..0, [0xef, 0xbb, 0xbf]).for_each(drop),
    }
}

/// A text that is valid UTF-8 and nothing that anybody asked for.
pub(super) fn strange_text(chance: &mut Chance) -> String {
    match chance.below(12) {
        0 => String::new(),
        1 => "A".repeat(1 + chance.below(20_000)),
        2 => "\u{0}".into(),
        3 => "\u{202e}\u{feff}\u{1f4a9}\u{0301}".repeat(1 + chance.below(50)),
        4 => "'; DROP TABLE endpoint; --".into(),
        5 => "../../../../etc/passwd".into(),
        6 => "%s%n%x{}{{}}${jndi:ldap://x}".into(),
        7 => "\" * NEAR( OR AND NOT \"\"".into(),
        8 => "-9223372036854775809".into(),
        9 => "9999-12-31T23:59:59.999999999999Z".into(),
        10 => "00000000000000000000".into(),
        _ => char::from_u32(chance.below(0xd7ff) as u32).unwrap_or('?').to_string().repeat(30),
    }
}

fn raw(chance: &mut Chance) -> String {
    match chance.below(9) {
        0 => "1e999".into(),
        1 => "9".repeat(400),
        2 => "[".repeat(1 + chance.below(5_000)),
        3 => "{\"a\":".repeat(1 + chance.below(2_000)),
        4 => format!("{}1{}", "[".repeat(120), "]".repeat(120)),
        5 => "\"\\ud800\"".into(),
        6 => "NaN".into(),
        7 => "-0.0000000000000000000000000001e-400".into(),
        _ => "\"\\u0000\\x\"".into(),
    }
}

fn scalar(chance: &mut Chance) -> Value {
    match chance.below(14) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(0),
        3 => json!(-1),
        4 => json!(i64::MAX),
        5 => json!(i64::MIN),
        6 => json!(u64::MAX),
        7 => json!((1_u64 << 53) + chance.below(3) as u64 - 1),
        8 => json!(1.7e308),
        9 => json!([]),
        10 => json!({}),
        11 => json!(RAW),
        12 => json!(chance.below(5)),
        _ => json!(strange_text(chance)),
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Object(fields) => fields.values().map(count).sum(),
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Walks to node number `at` and changes it.
fn change(value: &mut Value, at: &mut usize, chance: &mut Chance) -> bool {
    if *at == 0 {
        change_here(value, chance);
        return true;
    }
    *at -= 1;
    match value {
        Value::Object(fields) => fields.values_mut().any(|field| change(field, at, chance)),
        Value::Array(items) => items.iter_mut().any(|item| change(item, at, chance)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn change_here(value: &mut Value, chance: &mut Chance) {
    match value {
        Value::Object(fields) if !chance.once_in(3) => {
            let keys: Vec<String> = fields.keys().cloned().collect();
            let key = if keys.is_empty() { String::new() } else { chance.one_of(&keys).clone() };
            match chance.below(4) {
                0 => drop(fields.remove(&key)),
                1 => drop(fields.insert(strange_text(chance), scalar(chance))),
                2 => drop(fields.insert(key, scalar(chance))),
                _ => {
                    let moved = fields.remove(&key).unwrap_or_default();
                    fields.insert(format!("{key}_"), moved);
                }
            }
        }
        Value::Array(items) if !chance.once_in(3) => match chance.below(3) {
            0 => items.clear(),
            1 => {
                let item = items.first().cloned().unwrap_or_default();
                let times = 1 + chance.below(400);
                items.extend(std::iter::repeat_n(item, times));
            }
            _ => items.push(scalar(chance)),
        },
        Value::Number(number) if chance.once_in(2) => {
            let near = number.as_i64().unwrap_or(0);
            *value = json!(near.wrapping_add(chance.below(5) as i64 - 2));
        }
        Value::String(text) if chance.once_in(2) => {
            let mut bytes = text.clone().into_bytes();
            mutate_bytes(&mut bytes, chance);
            *value = json!(String::from_utf8_lossy(&bytes));
        }
        _ => *value = scalar(chance),
    }
}
