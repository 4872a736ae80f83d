//! The compiler of schemas.

use crate::catalogue::{Finding, Schema, SchemaError};

/// Compiles the JSON Schemas of event types.
pub trait SchemaCompiler {
    /// A compiled schema.
    type Compiled: CompiledSchema + Send + Sync;

    /// Compiles a schema. It reads nothing but the schema.
    ///
    /// # Errors
    /// If it is no schema of draft 2020-12, or if it exceeds the bounds of a check.
    fn compile(&self, schema: &Schema) -> Result<Self::Compiled, SchemaError>;
}

/// Checks events by a schema.
pub trait CompiledSchema {
    /// Checks the text of an event's `detail`.
    ///
    /// # Errors
    /// The first violation, or the reason why the text could not be checked.
    fn check(&self, detail: &str) -> Result<(), Finding>;
}
