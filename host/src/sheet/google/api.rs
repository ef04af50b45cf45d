//! The calls of the Sheets API that Usher makes, each with its time limit, its repetitions and its errors.

mod failure;
mod wire;

use std::fmt;
use std::time::Duration;

use google_sheets4::Sheets;
use google_sheets4::api::{Scope, SheetProperties, ValueRange};
use google_sheets4::hyper::Method;
use google_sheets4::hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use google_sheets4::hyper_util::client::legacy::Client;
use google_sheets4::hyper_util::client::legacy::connect::HttpConnector;
use google_sheets4::hyper_util::rt::TokioExecutor;
use google_sheets4::yup_oauth2::CustomHyperClientBuilder;
use google_sheets4::yup_oauth2::ServiceAccountAuthenticator;
use serde_json::Value;
use url::Url;

use super::account::Account;
use super::change::{Batch, Look, Request};
use super::error::GoogleError;
use super::grid::{CELLS, CELLS_AFTER_A_CHANGE, Changed, Grids};
use super::pace::Pace;
use crate::settings;
use failure::{Attempts, Call, Failure, Heard};

/// What is asked of a spreadsheet besides its cells.
const PROPERTIES: &str = "sheets.properties(sheetId,title,gridProperties)";

type Connector = HttpsConnector<HttpConnector>;

/// The Sheets API, as one service account.
pub(super) struct Api {
    hub: Sheets<Connector>,
    account: String,
    base_url: Url,
    timeout: Duration,
    reads: Pace,
    writes: Pace,
}

impl Api {
    /// Asks nothing of the network yet.
    pub(super) async fn new(
        account: Account,
        settings: &settings::sheet::Google,
    ) -> Result<Self, GoogleError> {
        let unusable = |reason: String| GoogleError::Account { file: settings.credentials.clone(), reason };
        // Fails where a provider is installed already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|error| {
                unusable(format!("this machine has no certificates to trust Google by: {error}"))
            })?
            // Settings and key file have been checked: only a loopback address may do without TLS.
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .build();
        let email = account.email().to_owned();
        let for_tokens = CustomHyperClientBuilder::from(
            Client::builder(TokioExecutor::new()).build::<_, String>(connector.clone()),
        );
        let authenticator = ServiceAccountAuthenticator::with_client(account.into_key(), for_tokens)
            .with_timeout(settings.timeout)
            .build()
            .await
            .map_err(|_| unusable("its private key is not an RSA key in PEM form".to_owned()))?;
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let mut hub = Sheets::new(client, authenticator);
        hub.user_agent(wire::USER_AGENT.to_owned());
        hub.base_url(settings.base_url.to_string());
        hub.root_url(settings.base_url.to_string());
        let (reads, writes) = (Pace::default(), Pace::default());
        let base_url = settings.base_url.clone();
        Ok(Self { hub, account: email, base_url, timeout: settings.timeout, reads, writes })
    }

    /// The worksheets of a spreadsheet.
    pub(super) async fn worksheets(&self, spreadsheet: &str) -> Result<Vec<SheetProperties>, GoogleError> {
        let mut attempts = self.attempts(Call::READ, spreadsheet);
        loop {
            self.reads.wait().await;
            let mut heard = Heard::default();
            let call = self
                .hub
                .spreadsheets()
                .get(spreadsheet)
                .param("fields", PROPERTIES)
                .add_scope(Scope::Spreadsheet)
                .delegate(&mut heard)
                .doit();
            match tokio::time::timeout(self.timeout, call).await {
                Ok(Ok((_, found))) => {
                    let sheets = found.sheets.unwrap_or_default();
                    return Ok(sheets.into_iter().filter_map(|sheet| sheet.properties).collect());
                }
                Ok(Err(error)) => attempts.failed(Failure::of(error, &heard)).await?,
                Err(_) => attempts.failed(Failure::late(self.timeout)).await?,
            }
        }
    }

    /// The cells of a range, as people see them. Blank rows and cells at its ends are left out.
    pub(super) async fn values(
        &self,
        spreadsheet: &str,
        range: &str,
    ) -> Result<Vec<Vec<String>>, GoogleError> {
        let mut attempts = self.attempts(Call::READ, spreadsheet);
        loop {
            self.reads.wait().await;
            let mut heard = Heard::default();
            let call = self
                .hub
                .spreadsheets()
                .values_get(spreadsheet, range)
                .major_dimension("ROWS")
                .value_render_option("FORMATTED_VALUE")
                .add_scope(Scope::Spreadsheet)
                .delegate(&mut heard)
                .doit();
            match tokio::time::timeout(self.timeout, call).await {
                // The answer's bytes go before the cells are taken out of it: both are large.
                Ok(Ok((response, found))) => {
                    drop(response);
                    return Ok(texts(found));
                }
                Ok(Err(error)) => attempts.failed(Failure::of(error, &heard)).await?,
                Err(_) => attempts.failed(Failure::late(self.timeout)).await?,
            }
        }
    }

    /// The cells of some ranges, which are in one worksheet.
    pub(super) async fn cells(&self, spreadsheet: &str, ranges: &[String]) -> Result<Grids, GoogleError> {
        let mut url = self.address(spreadsheet, "", CELLS);
        for range in ranges {
            url.query_pairs_mut().append_pair("ranges", range);
        }
        let mut attempts = self.attempts(Call::READ, spreadsheet);
        loop {
            self.reads.wait().await;
            let call = wire::call(&self.hub, Method::GET, &url, Vec::new());
            match tokio::time::timeout(self.timeout, call).await {
                Ok(Ok(found)) => return Ok(found),
                Ok(Err(failure)) => attempts.failed(failure).await?,
                Err(_) => attempts.failed(Failure::late(self.timeout)).await?,
            }
        }
    }

    /// Changes a spreadsheet: all of the requests take effect, or none. Answers what is in a range, where one is
    /// named, after the change.
    ///
    /// # Errors
    /// [`GoogleError::Uncertain`] where nobody can know whether they did.
    pub(super) async fn change(
        &self,
        spreadsheet: &str,
        requests: Vec<Request<'_>>,
        range: Option<String>,
    ) -> Result<Grids, GoogleError> {
        let url = self.address(spreadsheet, ":batchUpdate", CELLS_AFTER_A_CHANGE);
        let batch = Batch { requests, look: range.map(Look::at) };
        let body = serde_json::to_vec(&batch).expect("requests are JSON");
        drop(batch);
        let mut attempts = self.attempts(Call::CHANGE, spreadsheet);
        loop {
            self.writes.wait().await;
            let call = wire::call(&self.hub, Method::POST, &url, body.clone());
            match tokio::time::timeout(self.timeout, call).await {
                Ok(Ok(Changed { updated_spreadsheet })) => return Ok(updated_spreadsheet),
                Ok(Err(failure)) => attempts.failed(failure).await?,
                Err(_) => attempts.failed(Failure::late(self.timeout)).await?,
            }
        }
    }

    /// Where a spreadsheet is, with what is asked of the answer. Ids are letters, digits, `-` and `_`.
    fn address(&self, spreadsheet: &str, verb: &str, fields: &str) -> Url {
        let mut url = self.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["v4", "spreadsheets", &format!("{spreadsheet}{verb}")]);
        }
        url.query_pairs_mut().append_pair("fields", fields).append_pair("alt", "json");
        url
    }

    fn attempts<'a>(&'a self, call: Call, spreadsheet: &'a str) -> Attempts<'a> {
        Attempts::new(call, spreadsheet, &self.account)
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("account", &self.account).finish_non_exhaustive()
    }
}

/// The cells of an answer as texts. With `FORMATTED_VALUE`, Google sends nothing but strings.
fn texts(found: ValueRange) -> Vec<Vec<String>> {
    let text = |value| match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let rows = found.values.unwrap_or_default();
    rows.into_iter().map(|row| row.into_iter().map(text).collect()).collect()
}
