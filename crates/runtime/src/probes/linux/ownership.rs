//! What the ids on a file stand for (passwd(5), group(5)).

use std::fs;

/// Largest list of users or groups read; a machine asks elsewhere for more people.
const LIST_BYTES_MAX: usize = 1024 * 1024;

/// The name of a user known to this machine itself.
pub(in crate::probes) fn user_name(id: u32) -> Option<String> {
    name(&fs::read_to_string("/etc/passwd").ok()?, id)
}

/// The name of a group known to this machine itself.
pub(in crate::probes) fn group_name(id: u32) -> Option<String> {
    name(&fs::read_to_string("/etc/group").ok()?, id)
}

/// Both files have the name first and the id third.
fn name(list: &str, id: u32) -> Option<String> {
    list.get(..list.len().min(LIST_BYTES_MAX))?.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_field_is_the_id() {
        let list = "root:x:0:0:root:/root:/bin/sh\nbroken\nmotion:x:1001:7::/:/bin/false\n";
        assert_eq!(name(list, 1_001).as_deref(), Some("motion"));
        assert_eq!(name(list, 7), None);
        assert_eq!(user_name(0).as_deref(), Some("root"));
    }
}
