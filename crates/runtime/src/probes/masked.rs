//! URLs without what they carry in secret: user and password, the values of a query, the fragment.

/// What stands in the place of a secret.
const MASK: &str = "•••";
/// What ends a URL within a text.
const ENDS: &[char] = &[' ', '\t', '"', '\'', '<', '>', '`', '\\', ',', '{', '}'];

/// A URL, absolute or relative, such as a `Location` has it.
///
/// All values of a query are masked, because no list has all names that tokens go by; names and the path stay.
pub(super) fn masked_url(url: &str) -> String {
    let (url, fragment) = parts(url, '#');
    let (place, query) = parts(url, '?');
    let (scheme, rest) = match place.find("//") {
        Some(at) if at == 0 || place[..at].ends_with(':') => place.split_at(at + 2),
        Some(_) | None => ("", place),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let mut masked = scheme.to_owned();
    match authority.rsplit_once('@') {
        Some((_, host)) => masked.extend([MASK, "@", host]),
        None => masked.push_str(authority),
    }
    // A path can have parameters too: `/a;jsessionid=…`.
    masked.push_str(&path.split('/').map(parameters).collect::<Vec<_>>().join("/"));
    if let Some(query) = query {
        let values: Vec<String> = query.split(['&', ';']).map(value).collect();
        masked.extend(["?", &values.join("&")]);
    }
    if fragment.is_some_and(|fragment| !fragment.is_empty()) {
        masked.extend(["#", MASK]);
    }
    masked
}

/// A text with every absolute URL in it masked.
pub(super) fn masked_urls(text: &str) -> String {
    let (mut masked, mut rest) = (String::new(), text);
    while let Some(at) = rest.find("://") {
        let is_scheme = |letter: char| letter.is_ascii_alphanumeric() || "+-.".contains(letter);
        let scheme = rest[..at].trim_end_matches(is_scheme).len();
        let end = rest[at + 3..].find(ENDS).map_or(rest.len(), |end| at + 3 + end);
        masked.extend([&rest[..scheme], &masked_url(&rest[scheme..end])]);
        rest = &rest[end..];
    }
    masked + rest
}

fn parts(text: &str, separator: char) -> (&str, Option<&str>) {
    text.split_once(separator).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn parameters(segment: &str) -> String {
    let mut parts = segment.split(';');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |whole, part| format!("{whole};{}", value(part)))
}

fn value(part: &str) -> String {
    match part.split_once('=') {
        Some((name, _)) => format!("{name}={MASK}"),
        None if part.is_empty() => String::new(),
        None => MASK.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_url_is_told_without_what_it_carries_in_secret() {
        for (url, masked) in [
            ("http://user:hunter2@plc7/", "http://•••@plc7/"),
            ("http://user:p@ss/x", "http://•••@ss/x"),
            ("//user:pw@plc7:8080/a", "//•••@plc7:8080/a"),
            (
                "https://plc7/login?token=abc&next=%2Fx#id_token=y",
                "https://plc7/login?token=•••&next=•••#•••",
            ),
            ("/login?hunter2", "/login?•••"),
            ("/a;jsessionid=7/b", "/a;jsessionid=•••/b"),
            ("https://plc7:443/a/b", "https://plc7:443/a/b"),
            ("../up", "../up"),
            ("", ""),
        ] {
            assert_eq!(masked_url(url), masked);
        }
        let text = r#"see <a href="http://me:pw@plc7/?k=v">http://plc7/x</a> and ftp://a:b@c"#;
        let masked = r#"see <a href="http://•••@plc7/?k=•••">http://plc7/x</a> and ftp://•••@c"#;
        assert_eq!(masked_urls(text), masked);
    }

    proptest! {
        #[test]
        fn no_password_and_no_value_stays(
            user in "[a-z:@]{0,6}", host in "[a-z.]{1,8}", name in "[a-z]{1,4}", before in "[ a-z:/\"]{0,8}"
        ) {
            let text = format!("{before} http://{user}SECRET@{host}/p;q=SECRET?{name}=SECRET&SECRET#SECRET");
            prop_assert!(!masked_urls(&text).contains("SECRET"), "{}", masked_urls(&text));
        }

        #[test]
        fn any_text_is_masked_or_stays(text in any::<String>()) {
            let _ = (masked_url(&text), masked_urls(&text));
        }
    }
}
