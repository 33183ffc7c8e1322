//! The OpenAPI document, built from the same list as the routes.

mod refusals;

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::{Tag, TagBuilder};
use utoipa::openapi::{Components, InfoBuilder, LicenseBuilder, OpenApi};

/// What the document says about itself and everything in it.
const ABOUT: &str = "Troubleshooting for machines that are only sometimes reachable: queue a sequence of checks \
and actions for an endpoint, read what came back whenever the machine had a path out.

Send `Authorization: Bearer` with an API token. Times are RFC 3339 in UTC with milliseconds; absent means not yet. \
Lists page by cursor: send `next` of one page as `cursor` of the following. A `POST` with an `Idempotency-Key` may be \
repeated for 24 hours and answers the same, but for secrets. An edit of an endpoint or a sequence names the revision \
it saw in `If-Match`; of two edits of anything else the later one stays. Every refusal is a \
problem (RFC 9457) with a stable `code`.";

/// The groups of routes in the order people read them.
const TAGS: [(&str, &str); 11] = [
    ("people", "Signing in, who one is, and who else may."),
    ("clients", "The customers of the organization."),
    ("sites", "The plants and places of a client."),
    ("enrolment codes", "What admits machines."),
    ("endpoints", "Enrolled machines, known by their key."),
    ("sequences", "Ordered lists of steps for one endpoint."),
    ("playbooks", "Sequences with parameters, a name and versions."),
    ("transcript", "The append-only record of all that happened to an endpoint."),
    ("events", "Hints of what changed."),
    ("runtime", "What the programs on endpoints speak; scripts have no use for it."),
    ("document", "This document."),
];

/// The document of every route that this crate serves.
pub fn document() -> OpenApi {
    let mut document = crate::routes::people().merge(crate::routes::runtime()).into_openapi();
    document.info = InfoBuilder::new()
        .title("Tidegate")
        .version("v1")
        .description(Some(ABOUT))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build();
    document.tags = Some(TAGS.iter().map(tag).collect());
    document.servers = None;
    let components = document.components.get_or_insert_with(Components::new);
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API token")).build();
    components.add_security_scheme("token", SecurityScheme::Http(bearer));
    refusals::describe(&mut document);
    document
}

fn tag((name, about): &(&str, &str)) -> Tag {
    TagBuilder::new().name(*name).description(Some(*about)).build()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// Method, path and operation of every route in the document.
    fn operations() -> Vec<(String, String, Value)> {
        let document = serde_json::to_value(document()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let operations = paths.iter().flat_map(|(path, item)| {
            let item = item.as_object().unwrap();
            item.iter()
                .map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation.clone()))
        });
        operations.collect()
    }

    #[test]
    fn the_document_is_what_it_was() {
        insta::assert_json_snapshot!(serde_json::to_value(document()).unwrap());
    }

    #[test]
    fn the_document_reads_as_a_list_of_what_one_can_do() {
        let mut lines: Vec<String> = operations()
            .iter()
            .map(|(method, path, operation)| {
                format!("{path}  {method}  {}", operation["summary"].as_str().unwrap_or("?"))
            })
            .collect();
        lines.sort();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn every_route_has_a_summary_an_own_id_a_known_tag_a_success_and_its_refusals() {
        let mut ids = BTreeSet::new();
        for (method, path, operation) in operations() {
            let route = format!("{method} {path}");
            assert!(operation["summary"].as_str().is_some_and(|summary| summary.len() > 10), "{route}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{route}");
            let tag = operation["tags"][0].as_str().unwrap();
            assert!(TAGS.iter().any(|(name, _)| *name == tag), "{route}: {tag}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{route}");
            let refusals: BTreeSet<&str> =
                responses.keys().map(String::as_str).filter(|status| !status.starts_with('2')).collect();
            for status in ["400", "429", "500"] {
                assert!(refusals.contains(status), "{route}: {status}");
            }
            let is_open = operation["security"].is_null();
            assert_eq!(
                refusals.contains("403"),
                !is_open || method == "POST" && tag != "document",
                "{route}"
            );
            assert_eq!(refusals.contains("415"), !operation["requestBody"].is_null(), "{route}");
            let of_revisions = ["/api/v1/endpoints/{id}", "/api/v1/sequences/{id}"].contains(&path.as_str());
            assert_eq!(refusals.contains("428"), method == "PATCH" && of_revisions, "{route}");
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn check(document: &Value, value: &Value) {
            match value {
                Value::Object(fields) => {
                    if let Some(Value::String(reference)) = fields.get("$ref") {
                        let pointer = reference.trim_start_matches('#');
                        assert!(document.pointer(pointer).is_some(), "{reference}");
                    }
                    fields.values().for_each(|field| check(document, field));
                }
                Value::Array(items) => items.iter().for_each(|item| check(document, item)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let document = serde_json::to_value(document()).unwrap();
        check(&document, &document);
    }

    #[test]
    fn a_new_sequence_may_be_a_draft_and_need_not_say_so() {
        let document = serde_json::to_value(document()).unwrap();
        let schema = &document["components"]["schemas"]["NewSequence"];
        assert_eq!(schema["properties"]["draft"]["type"], "boolean");
        assert_eq!(schema["required"], serde_json::json!(["steps"]));
        assert_eq!(schema["additionalProperties"], false);
    }

    #[test]
    fn every_route_that_scripts_are_promised_is_there() {
        let routes: BTreeSet<String> =
            operations().into_iter().map(|(method, path, _)| format!("{method} {path}")).collect();
        for promised in [
            "GET /api/v1/clients",
            "POST /api/v1/clients",
            "GET /api/v1/sites",
            "POST /api/v1/sites",
            "GET /api/v1/enrolment-codes",
            "POST /api/v1/enrolment-codes",
            "GET /api/v1/endpoints",
            "GET /api/v1/endpoints/{id}",
            "PATCH /api/v1/endpoints/{id}",
            "POST /api/v1/endpoints/{id}/adopt",
            "POST /api/v1/endpoints/{id}/notes",
            "POST /api/v1/endpoints/{id}/revoke",
            "POST /api/v1/endpoints/{id}/retire",
            "POST /api/v1/endpoints/{id}/sequences",
            "GET /api/v1/endpoints/{id}/probes",
            "GET /api/v1/endpoints/{id}/transcript",
            "GET /api/v1/endpoints/{id}/export",
            "GET /api/v1/sequences",
            "GET /api/v1/sequences/{id}",
            "PATCH /api/v1/sequences/{id}",
            "POST /api/v1/sequences/{id}/queue",
            "POST /api/v1/sequences/{id}/cancel",
            "POST /api/v1/sequences/{id}/retry",
            "POST /api/v1/sequences/{id}/release",
            "POST /api/v1/sequences/{id}/purge",
            "POST /api/v1/sequences/{id}/notes",
            "POST /api/v1/sequences/{id}/review",
            "POST /api/v1/sequences/{id}/unreview",
            "POST /api/v1/sequences/{id}/assign",
            "POST /api/v1/sequences/{id}/run-next",
            "GET /api/v1/overnight",
            "GET /api/v1/playbooks",
            "POST /api/v1/playbooks",
            "GET /api/v1/playbooks/{id}",
            "PATCH /api/v1/playbooks/{id}",
            "POST /api/v1/playbooks/{id}/archive",
            "POST /api/v1/playbooks/{id}/unarchive",
            "POST /api/v1/playbooks/{id}/fill",
            "GET /api/v1/endpoints/{id}/contacts",
            "GET /api/v1/sequences/{id}/steps/{step}/previous",
            "GET /api/v1/events",
            "POST /runtime/v1/enrol",
            "POST /runtime/v1/time",
            "POST /runtime/v1/sync",
        ] {
            assert!(routes.contains(promised), "{promised}");
        }
    }
}
