//! Pages of lists, and answers that may be incomplete.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned, de::Error as _};
use serde_json::value::RawValue;

use crate::SubscriptionStatus;

/// A page of a list. It may be short, and even empty, while there is a next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The entries of this page.
    pub data: Vec<T>,
    /// The cursor of the next page.
    pub next_cursor: Option<String>,
    /// Entries that cannot be read completely. They do not hide other entries.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<Broken>,
}

/// A subscription, delivery, message, recovery or customer of which not everything can be read. Nothing
/// is sent to such a subscription until a `PATCH` names the fields that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Broken {
    /// As it is stored. A subscription without a valid id can only be repaired in the table.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "dlv_9d621ecde980c9e89ef2b0fa0f4cc7e6_70e79b2df96dcca5a0a362236c8d86f4")
    )]
    pub id: String,
    /// Its customer, if that can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "cust_1001"))]
    pub customer_id: Option<String>,
    /// The parts that cannot be read, and the reasons.
    pub problem: String,
    /// Of a subscription, where it can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Of a subscription, where it can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<SubscriptionStatus>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, problem, .. } = self;
        write!(
            f,
            "`{id}` is stored in a form that cannot be read: {problem}"
        )
    }
}

/// All of one thing, or what can be read of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Shown<T> {
    /// All of it.
    Whole(Box<T>),
    /// Its id and customer, and the problem.
    Broken(Broken),
}

impl<T> Shown<T> {
    /// All of it.
    pub fn whole(all: T) -> Self {
        Self::Whole(Box::new(all))
    }
}

/// An incomplete answer is read as broken. (`serde(untagged)` would read it from a copy that does not
/// keep the text of filters.)
impl<'de, T: DeserializeOwned> Deserialize<'de> for Shown<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        let whole = match serde_json::from_str(json.get()) {
            Ok(whole) => return Ok(Self::whole(whole)),
            Err(error) => error,
        };
        let broken = serde_json::from_str(json.get());
        broken
            .map(Self::Broken)
            .map_err(|_| D::Error::custom(whole))
    }
}

/// The schemas that cannot be derived: those of a page and of one thing that may be broken name
/// what they are of. Derived ones would repeat it.
#[cfg(feature = "openapi")]
mod schemas {
    use std::borrow::Cow;

    use utoipa::openapi::schema::{
        ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type,
    };
    use utoipa::openapi::{Ref, RefOr};
    use utoipa::{PartialSchema, ToSchema};

    use super::{Broken, Page, Shown};

    impl<T: ToSchema> PartialSchema for Page<T> {
        fn schema() -> RefOr<Schema> {
            let data = ArrayBuilder::new().items(Ref::from_schema_name(T::name()));
            let next_cursor = ObjectBuilder::new()
                .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
                .description(Some("Where the next page starts."));
            let broken = ArrayBuilder::new()
                .items(Ref::from_schema_name(Broken::name()))
                .description(Some(
                    "Those of which not everything can be read. They hide no others.",
                ));
            let page =
                "A page of a list. It may be short, and even empty, while there is a next one.";
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
            with_schema::<Broken>(schemas);
        }
    }

    impl<T: ToSchema> PartialSchema for Shown<T> {
        fn schema() -> RefOr<Schema> {
            OneOfBuilder::new()
                .description(Some("All of it, or what can be read of it."))
                .item(Ref::from_schema_name(T::name()))
                .item(Ref::from_schema_name(Broken::name()))
                .into()
        }
    }

    impl<T: ToSchema> ToSchema for Shown<T> {
        fn name() -> Cow<'static, str> {
            format!("Shown{}", T::name()).into()
        }

        fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
            with_schema::<T>(schemas);
            with_schema::<Broken>(schemas);
        }
    }

    /// A schema, and those that it names.
    fn with_schema<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}
