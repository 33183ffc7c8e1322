//! How the core's small types appear in the OpenAPI document: as the text they travel as.

/// Describes `$name`, which travels as text, in the OpenAPI document.
#[macro_export]
#[doc(hidden)]
macro_rules! schema_text {
    ($name:ident, $about:literal) => {
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .description(Some($about))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}
