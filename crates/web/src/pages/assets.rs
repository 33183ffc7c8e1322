//! What pages are dressed and moved with: one stylesheet, our script, and libraries as their authors published them.
//!
//! Each is named by the digest of its content, so that a browser keeps it for ever and never shows an old one.

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use tidegate_core::digest::Digest;
use tidegate_core::error::Code;

use crate::problem::Problem;

/// One file.
struct Asset {
    name: &'static str,
    content_type: &'static str,
    content: &'static [u8],
}

const ASSETS: [Asset; 5] = [
    Asset {
        name: "console.css",
        content_type: "text/css; charset=utf-8",
        content: include_bytes!("../../assets/console.css"),
    },
    Asset { name: "console.js", content_type: SCRIPT, content: include_bytes!("../../assets/console.js") },
    // htmx 2.0.11 and idiomorph 0.8.0 (both 0BSD), SortableJS 1.15.7 (MIT).
    Asset { name: "htmx.min.js", content_type: SCRIPT, content: include_bytes!("../../assets/htmx.min.js") },
    Asset {
        name: "idiomorph-ext.min.js",
        content_type: SCRIPT,
        content: include_bytes!("../../assets/idiomorph-ext.min.js"),
    },
    Asset {
        name: "sortable.min.js",
        content_type: SCRIPT,
        content: include_bytes!("../../assets/sortable.min.js"),
    },
];
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Stands for the content of all of them.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let contents: Vec<&[u8]> = ASSETS.iter().map(|asset| asset.content).collect();
    Digest::of_parts(&contents).to_string().chars().take(16).collect()
});

/// Where a page finds the file of that name.
pub(super) fn place(name: &str) -> String {
    format!("/assets/{}/{name}", *VERSION)
}

/// Serves one. Another version than the present one is not there: its page is an old one, and is loaded anew.
pub(super) async fn serve(Path((version, name)): Path<(String, String)>) -> Result<Response, Problem> {
    let asset = ASSETS.iter().find(|asset| asset.name == name && version == *VERSION);
    let asset =
        asset.ok_or_else(|| Problem::new(Code::NotFound, "there is no such file: load the page again"))?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(asset.content_type)),
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    Ok((headers, Bytes::from_static(asset.content)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `sha256sum` of the files as they were published: an edit by hand would be found here.
    #[test]
    fn libraries_are_as_their_authors_published_them() {
        for (name, digest) in [
            ("htmx.min.js", "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"),
            ("idiomorph-ext.min.js", "5811b9a7eda14878b7dab4378bf60432e1bb6f11fcfb970cc26540642650181e"),
            ("sortable.min.js", "bf4241bc73fef7f11c59a283a69fe8051cdd31c6d8ff5a2b9ba219e7831fcf76"),
        ] {
            let asset = ASSETS.iter().find(|asset| asset.name == name).unwrap();
            assert_eq!(sha256(asset.content), digest, "{name}");
        }
    }

    fn sha256(content: &[u8]) -> String {
        use sha2::Digest as _;
        sha2::Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
