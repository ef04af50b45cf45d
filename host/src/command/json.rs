//! What commands print for programs.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::Serialize;

use super::say::say;

/// Prints a value as JSON.
///
/// # Errors
/// Where it cannot be written as JSON.
pub(super) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    say!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// The schema of what is written, in which a field that may be null is there all the same.
pub(super) fn schema<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}
