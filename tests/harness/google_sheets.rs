//! Google Sheets: the emulator of `sheets/`, which Google's own clients work with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::sheet::{AccessRow, DONE, HEADER, QUOTA_DONE, QUOTA_HEADER, QuotaRow, REQUESTS};
use crate::{process, python_service, web};

/// A running emulator. Stopped on drop.
#[derive(Debug)]
pub struct GoogleSheets {
    folder: PathBuf,
    port: u16,
    process: Child,
}

impl GoogleSheets {
    /// Starts an emulator that keeps its key files and its log in `folder`.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn start(folder: &Path) -> Result<Self> {
        let (process, port) = python_service::start("sheets/server.py", folder, &[])?;
        Ok(Self { folder: folder.to_owned(), port, process })
    }

    /// Where the API is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// The key file of the account that spreadsheets are shared with.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.folder.join("service-account.json")
    }

    /// The key file of an account that no spreadsheet is shared with.
    #[must_use]
    pub fn stranger_key_file(&self) -> PathBuf {
        self.folder.join("stranger-account.json")
    }

    /// A key file whose key was revoked.
    #[must_use]
    pub fn revoked_key_file(&self) -> PathBuf {
        self.folder.join("other-account.json")
    }

    /// Makes a spreadsheet with these worksheets, and answers its id.
    ///
    /// # Errors
    /// Where the emulator refuses.
    pub fn create(&self, worksheets: &[(&str, &[Vec<String>])]) -> Result<String> {
        let sheets: Vec<Value> =
            worksheets.iter().map(|(title, rows)| json!({ "title": title, "rows": rows })).collect();
        let made = self.control("POST", "spreadsheets", Some(&json!({ "sheets": sheets })))?;
        Ok(made["id"].as_str().context("no id")?.to_owned())
    }

    /// Makes an access sheet of the bundled layout with these rows to import, and answers its id.
    ///
    /// # Errors
    /// Where the emulator refuses.
    pub fn create_access(&self, rows: &[AccessRow], with_done: bool) -> Result<String> {
        let header: Vec<String> = HEADER.iter().map(|&heading| heading.to_owned()).collect();
        let all: Vec<Vec<String>> =
            std::iter::once(header.clone()).chain(rows.iter().map(|row| row.0.clone())).collect();
        let done = [header];
        let mut worksheets = vec![(REQUESTS, all.as_slice())];
        if with_done {
            worksheets.push((DONE, &done));
        }
        self.create(&worksheets)
    }

    /// Makes a spreadsheet with the worksheets of a quota sheet: these rows that wait, and none that are finished.
    ///
    /// # Errors
    /// Where the emulator refuses.
    pub fn create_quota(&self, rows: &[QuotaRow]) -> Result<String> {
        let header: Vec<String> = QUOTA_HEADER.iter().map(|&heading| heading.to_owned()).collect();
        let all: Vec<Vec<String>> =
            std::iter::once(header.clone()).chain(rows.iter().map(|row| row.0.clone())).collect();
        self.create(&[(REQUESTS, all.as_slice()), (QUOTA_DONE, &[header])])
    }

    /// The rows of a worksheet as people see them, without blank cells at their ends; none where there is no such
    /// worksheet.
    ///
    /// # Errors
    /// Where the emulator refuses.
    pub fn rows(&self, spreadsheet: &str, title: &str) -> Result<Option<Vec<Vec<String>>>> {
        let found = self.control("GET", &format!("spreadsheets/{spreadsheet}"), None)?;
        let sheets = found["sheets"].as_array().context("no sheets")?;
        let Some(sheet) = sheets.iter().find(|sheet| sheet["title"] == title) else { return Ok(None) };
        let mut rows: Vec<Vec<String>> = serde_json::from_value(sheet["rows"].clone())?;
        for row in &mut rows {
            let filled = row.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1);
            row.truncate(filled);
        }
        let filled = rows.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1);
        rows.truncate(filled);
        Ok(Some(rows))
    }

    /// The notes of a worksheet, by cell (`A2`).
    ///
    /// # Errors
    /// Where the emulator refuses, or there is no such worksheet.
    pub fn notes(&self, spreadsheet: &str, title: &str) -> Result<BTreeMap<String, String>> {
        let found = self.control("GET", &format!("spreadsheets/{spreadsheet}"), None)?;
        let sheets = found["sheets"].as_array().context("no sheets")?;
        let sheet = sheets.iter().find(|sheet| sheet["title"] == title).context("no such worksheet")?;
        Ok(serde_json::from_value(sheet["notes"].clone())?)
    }

    /// What a person does to a spreadsheet, as `sheets/README.md` describes it.
    ///
    /// # Errors
    /// Where the emulator refuses.
    pub fn edit(&self, spreadsheet: &str, edits: &Value) -> Result<()> {
        let path = format!("spreadsheets/{spreadsheet}/edit");
        self.control("POST", &path, Some(&json!({ "edits": edits }))).map(drop)
    }

    /// What is to go wrong from now on, as `sheets/README.md` describes it.
    ///
    /// # Errors
    /// Where the emulator refuses.
    pub fn faults(&self, faults: &Value) -> Result<()> {
        self.control("POST", "faults", Some(faults)).map(drop)
    }

    /// Nothing is to go wrong any more, and calls are counted anew.
    ///
    /// # Errors
    /// Where the emulator refuses.
    pub fn calm(&self) -> Result<()> {
        self.control("DELETE", "faults", None)?;
        self.control("DELETE", "calls", None).map(drop)
    }

    /// The calls of the API since they were counted anew: their methods, in order.
    ///
    /// # Errors
    /// Where the emulator refuses.
    pub fn calls(&self) -> Result<Vec<String>> {
        let mut methods = self.calls_and_logins()?;
        methods.retain(|method| method != "token");
        Ok(methods)
    }

    /// The same, with `token` where an account proved who it is.
    ///
    /// # Errors
    /// Where the emulator refuses.
    pub fn calls_and_logins(&self) -> Result<Vec<String>> {
        let report = self.control("GET", "calls", None)?;
        let calls = report["calls"].as_array().context("no calls")?;
        Ok(calls.iter().filter_map(|call| call["method"].as_str()).map(str::to_owned).collect())
    }

    /// How many calls since they were counted anew went wrong as a test wanted it.
    ///
    /// # Errors
    /// Where the emulator refuses.
    pub fn faulty_calls(&self) -> Result<usize> {
        let report = self.control("GET", "calls", None)?;
        let calls = report["calls"].as_array().context("no calls")?;
        Ok(calls.iter().filter(|call| call["faults"] != json!([])).count())
    }

    /// The emulator must have answered as Google's definition of the API says, and no program must have written a
    /// formula.
    ///
    /// # Errors
    /// Where that is not so.
    pub fn expect_order(&self) -> Result<()> {
        let violations = self.control("GET", "violations", None)?;
        ensure!(violations["violations"] == json!([]), "{violations}");
        let formulas = self.control("GET", "formulas", None)?;
        ensure!(formulas["count"] == 0, "formulas were written: {formulas}");
        Ok(())
    }

    fn control(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let mut request = web::request(method, &format!("{}control/{path}", self.url()));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send()?;
        ensure!(answer.status == 200, "{method} {path}: {} {}", answer.status, answer.body);
        answer.json()
    }
}

impl Drop for GoogleSheets {
    fn drop(&mut self) {
        process::terminate(&mut self.process, Duration::from_secs(5));
    }
}
