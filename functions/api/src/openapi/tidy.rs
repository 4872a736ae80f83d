//! Corrects the document where the annotations say too little, or too much.

use utoipa::Modify;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::{AdditionalProperties, Schema, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{Object, OpenApi, RefOr};

/// The operations at a path.
pub(crate) fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let methods = [
        &mut item.get,
        &mut item.post,
        &mut item.put,
        &mut item.patch,
        &mut item.delete,
    ];
    methods.into_iter().flatten()
}

/// Operations are grouped by the module of their handler.
pub(crate) struct Groups;

impl Modify for Groups {
    fn modify(&self, document: &mut OpenApi) {
        for item in document.paths.paths.values_mut() {
            for operation in operations(item) {
                for tag in operation.tags.iter_mut().flatten() {
                    let module = tag.trim_start_matches("crate::");
                    *tag = module.to_owned();
                }
            }
        }
    }
}

/// AWS Signature Version 4.
pub(crate) struct Signed;

impl Modify for Signed {
    fn modify(&self, document: &mut OpenApi) {
        let description = "AWS Signature Version 4 for the service `lambda`.";
        let key = ApiKeyValue::with_description("Authorization", description);
        let scheme = SecurityScheme::ApiKey(ApiKey::Header(key));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("sigv4", scheme);
    }
}

/// Absent members are left out of answers and of parameters; they are never `null`. In the body of
/// a request, `null` removes a field.
pub(crate) struct AbsentIsNotNull;

impl Modify for AbsentIsNotNull {
    fn modify(&self, document: &mut OpenApi) {
        for item in document.paths.paths.values_mut() {
            for operation in operations(item) {
                for content in operation.request_body.iter_mut().flat_map(contents) {
                    without_null(content);
                }
                for parameter in operation.parameters.iter_mut().flatten() {
                    if let RefOr::T(parameter) = parameter
                        && let Some(schema) = &mut parameter.schema
                    {
                        without_null(schema);
                    }
                }
            }
        }
        let components = document.components.get_or_insert_default();
        for schema in components.schemas.values_mut() {
            let RefOr::T(schema) = schema else { continue };
            let objects = match schema {
                Schema::Object(object) => vec![object],
                Schema::AllOf(all) => all.items.iter_mut().filter_map(as_object).collect(),
                _ => vec![],
            };
            for object in objects {
                let is_request = matches!(
                    object.additional_properties.as_deref(),
                    Some(AdditionalProperties::FreeForm(false))
                );
                let required = &object.required;
                let optional = object.properties.iter_mut();
                for (_, property) in
                    optional.filter(|(name, _)| !is_request && !required.contains(*name))
                {
                    without_null(property);
                }
            }
        }
    }
}

/// The schemas of a body that may be absent.
fn contents(body: &mut RefOr<RequestBody>) -> impl Iterator<Item = &mut RefOr<Schema>> {
    let contents = match body {
        RefOr::T(body) => Some(body.content.values_mut()),
        RefOr::Ref(_) => None,
    };
    let contents = contents.into_iter().flatten();
    contents.filter_map(|content| match content {
        RefOr::T(content) => content.schema.as_mut(),
        RefOr::Ref(_) => None,
    })
}

fn as_object(schema: &mut RefOr<Schema>) -> Option<&mut Object> {
    match schema {
        RefOr::T(Schema::Object(object)) => Some(object),
        _ => None,
    }
}

fn without_null(property: &mut RefOr<Schema>) {
    let types = match property {
        RefOr::T(Schema::Object(object)) => &mut object.schema_type,
        RefOr::T(Schema::Array(array)) => &mut array.schema_type,
        // A schema of its own, or `null`.
        RefOr::T(Schema::OneOf(choice)) => {
            if let [schema, _null] = &choice.items[..] {
                *property = schema.clone();
            }
            return;
        }
        _ => return,
    };
    if let SchemaType::Array(some) = types {
        some.retain(|kind| *kind != Type::Null);
        if let [only] = &some[..] {
            *types = SchemaType::Type(only.clone());
        }
    }
}
