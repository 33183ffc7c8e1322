//! What every route of a kind can refuse, added by rule so that no route forgets one: a body can be too large or not
//! JSON, an id can name nothing, a token can be missing.

use tidegate_core::error::Code;
use utoipa::PartialSchema as _;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::{
    Components, ContentBuilder, HttpMethod, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder, Type,
};

use crate::problem::{PROBLEM_TYPE, ProblemView};

/// Describes the refusals, and the headers that go with them, of every route in `document`.
pub(super) fn describe(document: &mut OpenApi) {
    let mut used = Vec::new();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let codes = codes_of(path, &method, operation);
            add_headers(path, &method, operation);
            for code in codes {
                operation.responses.responses.insert(
                    code.status().to_string(),
                    RefOr::Ref(Ref::from_response_name(name_of(code.status()))),
                );
                used.push(code.status());
            }
        }
    }
    let components = document.components.get_or_insert_with(Components::new);
    components.schemas.insert("Problem".to_owned(), ProblemView::schema());
    for status in used {
        components.responses.insert(name_of(status), RefOr::T(refusal(status)));
    }
}

/// One code for each status that the route can refuse with; the status' description names its other codes.
fn codes_of(path: &str, method: &HttpMethod, operation: &Operation) -> Vec<Code> {
    let mut codes = vec![Code::InvalidRequest, Code::RateLimited, Code::Internal, Code::Unavailable];
    let is_runtime = path.starts_with("/runtime/");
    let writes = matches!(method, HttpMethod::Post | HttpMethod::Patch);
    if operation.security.is_some() || writes {
        codes.extend([Code::Unauthenticated, Code::Forbidden]);
    }
    if path.contains("{id}") || is_runtime || writes {
        codes.push(Code::NotFound);
    }
    if writes {
        codes.extend([Code::TooLarge, Code::Conflict, Code::InvalidSequence, Code::StorageFull]);
    }
    if operation.request_body.is_some() {
        codes.push(Code::UnsupportedMediaType);
    }
    if names_revision(path, method) {
        codes.extend([Code::RevisionMismatch, Code::RevisionRequired]);
    }
    codes
}

fn add_headers(path: &str, method: &HttpMethod, operation: &mut Operation) {
    let is_authenticated = operation.security.is_some();
    let parameters = operation.parameters.get_or_insert_default();
    match method {
        HttpMethod::Post if is_authenticated => parameters.push(RefOr::T(header_parameter(
            "Idempotency-Key",
            "Makes a repeat within 24 hours answer the same; 1 to 200 visible ASCII characters.",
            Required::False,
        ))),
        HttpMethod::Patch if names_revision(path, method) => parameters.push(RefOr::T(header_parameter(
            "If-Match",
            "The `ETag` of what was read.",
            Required::True,
        ))),
        _ => {}
    }
    if let Some(RefOr::T(created)) = operation.responses.responses.get_mut("201")
        && is_authenticated
    {
        let place = HeaderBuilder::new()
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .description(Some("The path of what was made"))
            .build();
        created.headers.insert("Location".to_owned(), RefOr::T(place));
    }
}

/// Whether the route edits what has revisions: several people and the machine itself work on it at once. Names of
/// clients, sites and tokens are edited one at a time, and the later edit stays.
fn names_revision(path: &str, method: &HttpMethod) -> bool {
    matches!(method, HttpMethod::Patch)
        && ["/api/v1/endpoints/", "/api/v1/sequences/"].iter().any(|of| path.starts_with(of))
}

fn header_parameter(name: &str, about: &str, required: Required) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .description(Some(about))
        .required(required)
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

fn name_of(status: u16) -> String {
    format!("Problem{status}")
}

fn refusal(status: u16) -> Response {
    let codes: Vec<String> = Code::ALL
        .iter()
        .filter(|code| code.status() == status)
        .map(|code| format!("{} (`{}`)", code.title(), code.as_str()))
        .collect();
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(codes.join("; ")).content(PROBLEM_TYPE, content).build()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    [
        (HttpMethod::Get, &mut item.get),
        (HttpMethod::Post, &mut item.post),
        (HttpMethod::Patch, &mut item.patch),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
}
