//! The compiler of schemas.

use crate::catalogue::{Finding, Schema, SchemaError};

/// The reason why a schema could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The schema cannot check events.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// Nothing is known about the schema. A retry may help.
    #[error(transparent)]
    NotStarted(#[from] CompilerNotStarted),
}

/// The compiler could not be started, for example because there is no memory for it.
#[derive(Debug, thiserror::Error)]
#[error("the compiler of schemas did not start")]
pub struct CompilerNotStarted(#[source] pub std::io::Error);

/// Compiles the JSON Schemas of event types.
pub trait SchemaCompiler {
    /// A compiled schema.
    type Compiled: CompiledSchema + Send + Sync;

    /// Compiles a schema. It reads nothing but the schema.
    ///
    /// # Errors
    /// If it is no schema of draft 2020-12, if it exceeds the bounds of a check or of memory, or if the compiler
    /// does not start.
    fn compile(&self, schema: &Schema) -> Result<Self::Compiled, CompileError>;
}

/// Checks events by a schema.
pub trait CompiledSchema {
    /// An upper estimate of its memory, in bytes.
    fn size_bytes(&self) -> usize;

    /// Checks the text of an event's `detail`.
    ///
    /// # Errors
    /// A violation, or the reason why the text could not be checked.
    fn check(&self, detail: &str) -> Result<(), Finding>;
}
