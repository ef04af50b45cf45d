//! Schemathesis: asks a server everything that its OpenAPI description allows, and much that it does not, and holds
//! each answer against the description.

use std::process::Command;

use anyhow::Result;

use crate::python_environment;
use crate::site::{self, Run};

const ENVIRONMENT: &str = "schemathesis-venv";

/// What each answer is held against.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,negative_data_rejection,ignored_auth,\
                      unsupported_method,allow_header_conformance";

/// Installs it, where it is not there yet. Several processes may call this at once.
///
/// # Errors
/// Where that cannot be done; what the tools say has gone to standard error.
pub fn install() -> Result<()> {
    python_environment::install(
        ENVIRONMENT,
        "schemathesis_requirements.txt",
        "Schemathesis (about 15 MB to download)",
    )
}

/// Tries a server with so many examples for each operation, always the same ones, with these headers.
///
/// # Errors
/// Where it cannot be started.
pub fn run(server: &str, examples: u32, headers: &[(&str, &str)]) -> Result<Run> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(python_environment::path(ENVIRONMENT).join("bin/schemathesis"));
    command
        .args(["run", &format!("{server}/openapi.json"), "--checks", CHECKS])
        .args(["--phases", "examples,coverage,fuzzing", "--seed", "1", "--workers", "2"])
        .args(["--max-examples", &examples.to_string(), "--request-timeout", "30"])
        .args(["--generation-database", "none", "--no-color", "--suppress-health-check", "all"])
        // It reads settings from where it is started, and writes there.
        .current_dir(folder.path())
        .env("NO_PROXY", "*");
    for (name, value) in headers {
        command.args(["--header", &format!("{name}: {value}")]);
    }
    site::run(&mut command, None)
}
