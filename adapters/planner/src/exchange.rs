//! One request and its answer, tried again where the provider had no room for it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Request, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use orch_core::Limits;
use orch_core::planner::Secret;
use orch_core::ports::planner::{PlannerFault, PlannerFaultKind};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::Instant;

use crate::BadRoots;
use crate::fault::{fault, refusal};

pub(crate) type Client = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// AWS says here which error it is.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// A request that can be sent.
pub(crate) struct Outgoing {
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// What must not be in any word about it.
    pub secrets: Vec<String>,
}

impl Outgoing {
    /// A POST of JSON to an address.
    pub(crate) fn new(url: &str, body: &serde_json::Value) -> Result<Self, PlannerFault> {
        let bad =
            || fault(PlannerFaultKind::Misconfigured, "`url` is no address that can be reached over HTTP");
        let uri: Uri = url.parse().map_err(|_| bad())?;
        if uri.host().is_none_or(str::is_empty) || !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(bad());
        }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let agent = concat!("mcp-orch/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        Ok(Self { uri, headers, body: Bytes::from(body.to_string()), secrets: Vec::new() })
    }

    /// Adds a credential.
    pub(crate) fn with_secret(
        mut self,
        name: HeaderName,
        before: &str,
        secret: &Secret,
    ) -> Result<Self, PlannerFault> {
        let value = HeaderValue::from_str(&format!("{before}{}", secret.0));
        let Ok(mut value) = value else {
            let words = "a credential holds a character that no header can have";
            return Err(fault(PlannerFaultKind::Misconfigured, words));
        };
        value.set_sensitive(true);
        self.headers.insert(name, value);
        self.secrets.push(secret.0.clone());
        Ok(self)
    }

    fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// The one client of all providers.
pub(crate) fn client(own_roots: Option<&[u8]>, limits: &Limits) -> Result<Client, BadRoots> {
    let bad = |error: &dyn std::fmt::Display| BadRoots(error.to_string());
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for root in own_roots.into_iter().flat_map(CertificateDer::pem_slice_iter) {
        let root = root.map_err(|error| bad(&error))?;
        roots.add(root).map_err(|error| bad(&error))?;
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(limits.remote_connect));
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
    Ok(legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(limits.remote_idle)
        .build(connector))
}

/// Sends a request, again where there was no room for it, and gives the body of its answer. It ends within the time; a pause that
/// would not is not made, so that what the provider has said is told.
pub(crate) async fn exchange(
    client: &Client,
    outgoing: &Outgoing,
    limits: &Limits,
    time: Duration,
) -> Result<Bytes, PlannerFault> {
    let limits = &limits.planner;
    let began = Instant::now();
    let left = || own(time).saturating_sub(began.elapsed());
    let mut pause = limits.retry_first;
    let mut tries = 0_u32;
    let mut last = None;
    loop {
        tries = tries.saturating_add(1);
        let Ok(answer) = tokio::time::timeout(left(), once(client, outgoing, limits.answer_bytes)).await
        else {
            return Err(last.map_or_else(|| late(time), |refused| asked(tries, &refused)));
        };
        let (refused, wanted) = match answer? {
            Answer::Body(body) => return Ok(body),
            Answer::Refused(refused, wanted) => (refused, wanted),
        };
        let wait = wanted.unwrap_or(pause);
        let throttled = refused.kind == PlannerFaultKind::Throttled;
        if !throttled || tries > limits.retries || wait > limits.retry_last || wait >= left() {
            return Err(asked(tries, &refused));
        }
        last = Some(refused);
        tokio::time::sleep(wait).await;
        pause = pause.saturating_mul(2).min(limits.retry_last);
    }
}

/// What of a question's time is used here: the core gives up when all of it is over, and knows less of why.
fn own(time: Duration) -> Duration {
    time.saturating_sub((time / 20).min(Duration::from_millis(250)))
}

fn asked(tries: u32, refused: &PlannerFault) -> PlannerFault {
    let more = if tries > 1 { format!(" (asked {tries} times)") } else { String::new() };
    PlannerFault { kind: refused.kind, words: format!("{}{more}", refused.words) }
}

fn late(time: Duration) -> PlannerFault {
    fault(PlannerFaultKind::TimedOut, &format!("{} s are its time", time.as_secs()))
}

enum Answer {
    Body(Bytes),
    /// Why, and the pause that the provider asks for.
    Refused(PlannerFault, Option<Duration>),
}

async fn once(client: &Client, outgoing: &Outgoing, most: usize) -> Result<Answer, PlannerFault> {
    // What the connection says of itself names hosts and causes, and no header.
    let lost = |error: legacy::Error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        fault(PlannerFaultKind::Unavailable, &format!("{error}{cause}"))
    };
    let response = client.request(outgoing.request()).await.map_err(lost)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = read(response.into_body(), most).await?;
    if status.is_success() {
        return Ok(Answer::Body(body));
    }
    let named = headers.get(ERROR_TYPE).and_then(|name| name.to_str().ok());
    let refused = refusal(status.as_u16(), named, &body, &outgoing.secrets);
    Ok(Answer::Refused(refused, wanted(&headers)))
}

/// The pause that a provider asks for: in seconds, or until a date, by its own clock.
fn wanted(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let date = |text| httpdate::parse_http_date(text).ok();
    let until = text(RETRY_AFTER)?;
    match until.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(date(until)?.duration_since(date(text(DATE)?)?).unwrap_or_default()),
    }
}

async fn read(body: Incoming, most: usize) -> Result<Bytes, PlannerFault> {
    let collected = Limited::new(body, most).collect().await;
    let broken = |error: Box<dyn std::error::Error + Send + Sync>| {
        if error.is::<LengthLimitError>() {
            let words = format!("limit planner.answer_bytes reached ({most})");
            return fault(PlannerFaultKind::Unreadable, &words);
        }
        fault(PlannerFaultKind::Unavailable, "the connection was lost within the answer")
    };
    Ok(collected.map_err(broken)?.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(retry_after: &'static str, date: Option<&'static str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static(retry_after));
        headers.extend(date.map(|date| (DATE, HeaderValue::from_static(date))));
        wanted(&headers)
    }

    #[test]
    fn a_pause_is_so_many_seconds_or_until_a_date_by_the_clock_of_the_provider() {
        let now = Some("Sun, 22 Nov 2026 18:00:00 GMT");
        for (retry_after, date, expected) in [
            ("7", None, Some(7)),
            (" 7 ", now, Some(7)),
            ("Sun, 22 Nov 2026 18:00:09 GMT", now, Some(9)),
            ("Sunday, 22-Nov-26 18:01:00 GMT", now, Some(60)),
            ("Sun, 22 Nov 2026 17:59:00 GMT", now, Some(0)),
            ("Sun, 22 Nov 2026 18:00:09 GMT", None, None),
            ("Sun, 22 Nov 2026 18:00:09 GMT", Some("today"), None),
            ("-5", now, None),
            ("0.2", now, None),
            ("soon", now, None),
        ] {
            assert_eq!(pause(retry_after, date), expected.map(Duration::from_secs), "{retry_after} {date:?}");
        }
    }

    #[test]
    fn a_question_is_given_up_here_a_little_before_its_time_is_over() {
        let ms = Duration::from_millis;
        for (time, expected) in [(0, 0), (1_000, 950), (60_000, 59_750)] {
            assert_eq!(own(ms(time)), ms(expected));
        }
    }
}
