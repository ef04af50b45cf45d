//! All answers together, and what the tests of its operations share.

mod protocol;

use std::sync::Mutex;

use axum::body::Body;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, Request};
use tokio::sync::watch;

use super::*;
use crate::server::Respond as _;
use crate::setpass::fixture::{ADMIN_TOKEN, Fixture, PIN, RANDOM_PASSWORD, WRONG_PIN, text};

/// What is answered on a [`Fixture`].
pub(super) struct Served {
    pub(super) fixture: Fixture,
    /// What the operations work with.
    pub(super) services: Services,
    /// Tells it that the server is stopping.
    pub(super) stop: watch::Sender<bool>,
    answers: Answers,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Served {
    pub(super) async fn new() -> Self {
        Self::with("").await
    }

    /// With these lines at the end of the settings' section `[setpass]`.
    pub(super) async fn with(more: &str) -> Self {
        Self::on(Fixture::with(more).await)
    }

    pub(super) fn on(fixture: Fixture) -> Self {
        let site = toml::from_str("name = \"Cloud <One>\"\nsupport_email = \"support@example.org\"").unwrap();
        let look = Look::load(&site, &crate::setpass::fixture::settings()).unwrap();
        let (stop, stopped) = watch::channel(false);
        let services = Services {
            setpass: fixture.setpass.clone(),
            keystone: fixture.keystone.clone(),
            look: Arc::new(look),
            public_url: "https://cloud.example.org/setpass/".parse().unwrap(),
            trusted_proxies: TrustedProxies::default(),
            forwarded_header: ForwardedHeader::default(),
            client_timeout: Duration::from_millis(300),
            bodies: Bodies::new(1000, 1000),
            readiness: Readiness::new(
                fixture.database.clone(),
                fixture.keys.clone(),
                Some(fixture.keystone.clone()),
                fixture.clock.clone(),
                stopped,
            ),
        };
        let answers = answers(services.clone());
        Self { fixture, services, stop, answers }
    }

    pub(super) async fn call(&self, request: Request<Body>) -> Answer {
        let response = self.answers.respond(request).await;
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.call(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Posts a form as a browser does.
    pub(super) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::post(path)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "text/html,*/*;q=0.8")
            .header("sec-fetch-site", "same-origin");
        self.call(request.body(Body::from(body)).unwrap()).await
    }

    /// Posts JSON without saying so, and accepts JSON.
    pub(super) async fn post_json(&self, path: &str, body: &serde_json::Value) -> Answer {
        let request = Request::post(path).header(ACCEPT, "application/json");
        self.call(request.body(Body::from(body.to_string())).unwrap()).await
    }
}

impl Answer {
    /// The answer's `outcome`, where it is JSON.
    pub(super) fn outcome(&self) -> String {
        let json: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        json["outcome"].as_str().unwrap().to_owned()
    }
}

fn forbids_what_the_pages_do_not_need(what: &str, answer: &Answer) {
    let header = |name: &str| {
        let values: Vec<_> = answer.headers.get_all(name).iter().collect();
        let [value] = values.as_slice() else { panic!("{what}: {name} is there {} times", values.len()) };
        value.to_str().unwrap().to_owned()
    };
    assert_eq!(header("cache-control"), "no-store", "{what}");
    assert_eq!(header("referrer-policy"), "no-referrer", "{what}");
    assert_eq!(header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(header("x-frame-options"), "DENY", "{what}");
    assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{what}");
    assert_eq!(header("cross-origin-resource-policy"), "same-origin", "{what}");
    let policy = header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "form-action 'self'",
        "base-uri 'none'",
    ] {
        assert!(policy.contains(part), "{what}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{what}: {policy}");
    for script in answer.body.split("<script").skip(1) {
        assert!(script.starts_with(" src=\"/setpass/static/"), "{what}: a script within the page");
    }
    for inline in ["<style", " style=", " onclick=", " onload=", "javascript:"] {
        assert!(!answer.body.contains(inline), "{what}: {inline}");
    }
    // A password is set, and nobody is logged in by that.
    for name in ["set-cookie", "x-subject-token", "x-auth-token"] {
        assert!(!answer.headers.contains_key(name), "{what}: {name}");
    }
}

#[tokio::test]
async fn every_kind_of_answer_forbids_what_the_pages_do_not_need_and_logs_nobody_in() {
    let served = Served::new().await;
    let link = served.fixture.link().await;
    let path = format!("/?token={}", text(&link.token));
    let form = |pin| [("pin", pin), ("password", "chosen-password"), ("confirm_password", "chosen-password")];
    let empty = |request: axum::http::request::Builder| request.body(Body::empty()).unwrap();
    let other_site = Request::post(&path).header("sec-fetch-site", "cross-site");
    let long = "x".repeat(limits::LONGEST_BODY + 1);
    let twice = format!("{path}&token=second-token");
    let answers = [
        ("a form", 200, served.get(&path).await),
        ("its head", 200, served.call(empty(Request::head(&path))).await),
        ("no token", 404, served.get("/").await),
        ("two tokens", 200, served.get(&twice).await),
        ("the form for a reset", 200, served.get("/reset").await),
        ("no such page", 404, served.get("/nowhere").await),
        ("the sign of life", 200, served.get("/healthz").await),
        ("a method that is not allowed", 405, served.call(empty(Request::delete("/reset"))).await),
        ("a body that is too long", 413, served.post(&path, &[("password", &long)]).await),
        ("another site", 403, served.call(empty(other_site)).await),
        ("an empty form", 400, served.post(&path, &[]).await),
        ("an unknown link", 404, served.post("/?token=unknown", &form(PIN)).await),
        ("a wrong PIN", 403, served.post(&path, &form(WRONG_PIN)).await),
        ("no token of a caller", 401, served.call(empty(Request::put("/token/u1"))).await),
        ("a password that is set", 200, served.post(&path, &form(PIN)).await),
        ("a link that was used", 404, served.post(&path, &form(PIN)).await),
    ];
    for (what, status, answer) in &answers {
        assert_eq!(answer.status, *status, "{what}: {}", answer.body);
        forbids_what_the_pages_do_not_need(what, answer);
        assert!(!answer.body.contains("second-token"), "{what}: the token comes back");
    }
}

#[tokio::test]
async fn an_answer_that_no_operation_makes_forbids_it_too() {
    let served = Served::new().await;
    let never_ends = Body::from_stream(futures::stream::pending::<std::io::Result<Vec<u8>>>());
    let late = served.call(Request::post("/?token=x").body(never_ends).unwrap()).await;
    assert_eq!(late.status, 408);
    forbids_what_the_pages_do_not_need("too late", &late);
    let elsewhere = Request::post("/?token=x").header("sec-fetch-site", "cross-site");
    let elsewhere = served.call(elsewhere.body(Body::empty()).unwrap()).await;
    assert_eq!(elsewhere.status, 403);
    forbids_what_the_pages_do_not_need("from another site", &elsewhere);
    let readiness = served.services.readiness.clone();
    let open = without_setpass(readiness).respond(Request::get("/").body(Body::empty()).unwrap()).await;
    let open = Answer { status: 404, headers: open.headers().clone(), body: String::new() };
    forbids_what_the_pages_do_not_need("where setpass is elsewhere", &open);
}

/// The lines that are logged while something is done, and those of them that had to wait for the end.
async fn logged(doing: impl Future<Output = ()>) -> (String, String) {
    let written = Log::default();
    let log = crate::log::Log::new(written.clone(), ACCESS_LOG);
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish();
    let logging = tracing::subscriber::set_default(subscriber);
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    doing.await;
    drop(logging);
    let text = || String::from_utf8(std::mem::take(&mut *written.0.lock().unwrap())).unwrap();
    let at_once = text();
    log.flush().unwrap();
    (at_once, text())
}

#[tokio::test]
async fn each_request_has_a_line_that_may_wait_also_where_its_client_hangs_up() {
    let served = Served::new().await;
    let (at_once, waited) = logged(async {
        served.get("/nowhere").await;
    })
    .await;
    assert_eq!(at_once, "");
    assert!(waited.contains("path=\"/nowhere\" status=404"), "{waited}");
    let (_, waited) = logged(async {
        let never_ends = Body::from_stream(futures::stream::pending::<std::io::Result<Vec<u8>>>());
        let request = Request::post("/?token=x").body(never_ends).unwrap();
        assert!(futures::poll!(std::pin::pin!(served.answers.respond(request))).is_pending());
    })
    .await;
    assert!(waited.contains("method=POST path=\"/\" status=499"), "{waited}");
}

#[tokio::test]
async fn no_script_sends_a_form_and_every_one_is_our_own() {
    let served = Served::new().await;
    for path in ["/static/usher.js", "/static/zxcvbn-ts/core.js", "/static/zxcvbn-ts/common.js"] {
        let script = served.get(path).await;
        assert_eq!(script.status, 200, "{path}");
        for sending in ["submit(", "requestSubmit", "fetch(", "XMLHttpRequest", "sendBeacon", "WebSocket"] {
            assert!(!script.body.contains(sending), "{path}: {sending}");
        }
    }
}

#[tokio::test]
async fn pages_show_the_site_escaped_and_load_the_style_sheet_from_below_the_public_url() {
    let served = Served::new().await;
    let form = served.get("/?token=x").await;
    assert_eq!(form.status, 200);
    assert!(form.body.contains("Cloud &#60;One&#62;"), "{}", form.body);
    assert!(form.body.contains("href=\"/setpass/static/usher.css\""), "{}", form.body);
    let style = served.get("/static/usher.css").await;
    assert_eq!(
        (style.status, style.headers[CONTENT_TYPE].to_str().unwrap()),
        (200, "text/css; charset=utf-8")
    );
    assert_eq!(style.headers.get_all(CACHE_CONTROL).iter().count(), 1);
}

#[tokio::test]
async fn health_and_unknown_paths_and_methods_are_told() {
    let served = Served::new().await;
    assert_eq!(served.get("/healthz").await.body, "ok");
    assert_eq!(served.get("/nowhere").await.status, 404);
    let wrong_method = Request::delete("/reset").body(Body::empty()).unwrap();
    assert_eq!(served.call(wrong_method).await.status, 405);
    let json = Request::get("/nowhere").header(ACCEPT, "application/json").body(Body::empty()).unwrap();
    assert_eq!(served.call(json).await.outcome(), "not-found");
}

#[tokio::test]
async fn posts_from_other_sites_are_refused_before_anything_is_counted() {
    let served = Served::new().await;
    let link = served.fixture.link().await;
    let path = format!("/?token={}", text(&link.token));
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example.com")] {
        for _ in 0..6 {
            let request = Request::builder().method(Method::POST).uri(&path).header(name, value);
            let body = "pin=0815&password=a&confirm_password=a";
            let answer = served.call(request.body(Body::from(body)).unwrap()).await;
            assert_eq!(answer.status, 403, "{name}: {value}");
        }
    }
    let own = [("pin", PIN), ("password", "good one"), ("confirm_password", "good one")];
    assert_eq!(served.post(&path, &own).await.status, 200);
}

/// Of IPv6 a household has a network of addresses, and is counted as one client at every limit.
#[tokio::test]
async fn every_limit_for_clients_counts_a_network_of_ipv6_as_one() {
    let served = Served::with("max_attempts_per_client = 2\n[reset]\nmax_per_client = 2").await;
    let link = served.fixture.link().await;
    let set = (
        format!("/?token={}", text(&link.token)),
        format!("pin={WRONG_PIN}&password=chosen-one&confirm_password=chosen-one"),
    );
    let reset = ("/reset".to_owned(), "email=user%40example.org&pin=830274".to_owned());
    for (path, body) in [set, reset] {
        let mut statuses = Vec::new();
        for client in ["[2001:db8::1]:1", "[2001:db8::2]:2", "[2001:db8::3]:3", "[2001:db8:0:1::1]:4"] {
            let client: std::net::SocketAddr = client.parse().unwrap();
            let request = Request::post(&path).extension(axum::extract::ConnectInfo(client));
            statuses.push(served.call(request.body(Body::from(body.clone())).unwrap()).await.status);
        }
        let within = if path == "/reset" { 200 } else { 403 };
        assert_eq!(statuses, [within, within, 429, within], "{path}");
    }
}

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_log_line_of_any_level_holds_a_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        // Digits of a time could be taken for those of a PIN.
        .without_time()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    // While there is only one subscriber, whichever thread reaches a log line first decides for all
    // whether it is wanted; other tests' threads have no subscriber and would say no.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let served = Served::new().await;
    let link = served.fixture.link().await;
    let path = format!("/?token={}", text(&link.token));
    served.get(&path).await;
    let form = |pin| [("pin", pin), ("password", "chosen-password"), ("confirm_password", "chosen-password")];
    assert_eq!(served.post(&path, &form("739145028613")).await.status, 403);
    assert_eq!(served.post(&path, &form(PIN)).await.status, 200);
    let reset = [("email", "user@example.org"), ("pin", "830274615920")];
    assert_eq!(served.post("/reset", &reset).await.status, 200);
    let put = Request::put("/token/u2").header("x-auth-token", ADMIN_TOKEN);
    let issued = served
        .call(put.body(Body::from("{\"password\": \"p-of-u2\", \"pin\": \"519146028377\"}")).unwrap())
        .await;
    assert_eq!(issued.status, 200);

    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    for line in ["path=\"/\"", "password set", "a link was asked for", "path=\"/token/u2\""] {
        assert!(logged.contains(line), "{line} is not logged");
    }
    let secrets = [
        text(&link.token),
        &issued.body,
        "739145028613",
        "830274615920",
        "519146028377",
        "p-of-u2",
        "chosen-password",
    ];
    for secret in secrets.into_iter().chain([RANDOM_PASSWORD, ADMIN_TOKEN]) {
        assert!(!logged.contains(secret), "{secret} is logged");
    }
}
