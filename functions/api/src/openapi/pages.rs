//! The schemas of a page, and of one thing that may be broken. (Derived ones would repeat what
//! they are of.)

use std::borrow::Cow;

use utoipa::openapi::schema::{
    ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::broken::{BrokenItemView, Shown};
use crate::pages::Page;

impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let data = ArrayBuilder::new().items(Ref::from_schema_name(T::name()));
        let next_cursor = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some("Where the next page starts."));
        let broken = ArrayBuilder::new()
            .items(Ref::from_schema_name(BrokenItemView::name()))
            .description(Some(
                "Those of which not everything can be read. They hide no others.",
            ));
        let page = "A page of a list. It may be short, and even empty, while there is a next one.";
        ObjectBuilder::new()
            .description(Some(page))
            .property("data", data)
            .required("data")
            .property("nextCursor", next_cursor)
            .required("nextCursor")
            .property("broken", broken)
            .into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Page", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        with_schema::<T>(schemas);
        with_schema::<BrokenItemView>(schemas);
    }
}

impl<T: ToSchema> PartialSchema for Shown<T> {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .description(Some("All of it, or what can be read of it."))
            .item(Ref::from_schema_name(T::name()))
            .item(Ref::from_schema_name(BrokenItemView::name()))
            .into()
    }
}

impl<T: ToSchema> ToSchema for Shown<T> {
    fn name() -> Cow<'static, str> {
        format!("Shown{}", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        with_schema::<T>(schemas);
        with_schema::<BrokenItemView>(schemas);
    }
}

/// A schema, and those that it names.
fn with_schema<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}
