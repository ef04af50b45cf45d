//! Schemathesis: asks a server everything that its OpenAPI description allows, and much that it does not, and holds
//! each answer against the description.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::site::{self, Run};
use crate::{python_environment, workspace};

const ENVIRONMENT: &str = "schemathesis-venv";

/// What each answer is held against.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,negative_data_rejection,ignored_auth,\
                      unsupported_method,allow_header_conformance";

/// What came of trying a server.
#[derive(Debug)]
pub struct Tried {
    /// The run.
    pub run: Run,
    /// How often each operation was answered with each status, by the operation's id.
    pub answers: BTreeMap<String, BTreeMap<u16, usize>>,
}

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

/// Tries a server with so many examples for each operation, always the same ones, with these headers and these tokens of
/// links that work.
///
/// # Errors
/// Where it cannot be started.
pub fn run(server: &str, examples: u32, headers: &[(&str, &str)], tokens: &[String]) -> Result<Tried> {
    let folder = tempfile::tempdir()?;
    let (token_file, answer_file) = (folder.path().join("tokens.json"), folder.path().join("answers"));
    fs::write(&token_file, serde_json::to_string(tokens)?)?;
    let mut command = Command::new(python_environment::path(ENVIRONMENT).join("bin/schemathesis"));
    command
        .args(["run", &format!("{server}/openapi.json"), "--checks", CHECKS])
        .args(["--phases", "examples,coverage,fuzzing", "--seed", "1", "--workers", "2"])
        .args(["--max-examples", &examples.to_string(), "--request-timeout", "30"])
        .args(["--generation-database", "none", "--no-color", "--suppress-health-check", "all"])
        // It reads settings from where it is started, and writes there.
        .current_dir(folder.path())
        .env("SCHEMATHESIS_HOOKS", workspace::root().join("tests/harness/schemathesis_hooks.py"))
        .env("SETPASS_TOKENS", &token_file)
        .env("SETPASS_ANSWERS", &answer_file)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "*");
    for (name, value) in headers {
        command.args(["--header", &format!("{name}: {value}")]);
    }
    let run = site::run(&mut command, None)?;
    let text = fs::read_to_string(&answer_file).with_context(|| format!("no answers: {}", run.said()))?;
    let mut answers: BTreeMap<String, BTreeMap<u16, usize>> = BTreeMap::new();
    for line in text.lines() {
        let (operation, status) = line.split_once(' ').context("a line is an operation and a status")?;
        *answers.entry(operation.to_owned()).or_default().entry(status.parse()?).or_default() += 1;
    }
    Ok(Tried { run, answers })
}
