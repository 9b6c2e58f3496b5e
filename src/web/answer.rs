//! What is answered to a request?

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue,
    TRANSFER_ENCODING, WWW_AUTHENTICATE,
};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::config::HttpPlan;
use crate::telemetry::Telemetry;

/// Prometheus' text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
const JSON_TYPE: &str = "application/json";

/// What is served, and to whom.
pub(super) struct Site {
    telemetry: Telemetry,
    /// A hash, so that all are of one length; hashes are compared in constant time.
    token: Option<blake3::Hash>,
    token_for_all: bool,
}

/// An answer on its way.
struct Answer {
    status: StatusCode,
    kind: &'static str,
    text: String,
    header: Option<(HeaderName, &'static str)>,
}

impl Answer {
    fn json(status: StatusCode, value: &Value) -> Self {
        Self { status, kind: JSON_TYPE, text: format!("{value}\n"), header: None }
    }

    fn refusal(status: StatusCode, why: &str) -> Self {
        Self::json(status, &json!({ "error": why }))
    }

    fn response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::from(self.text));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some((name, value)) = self.header {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// What is answered where answering failed.
pub(super) fn failed() -> Response<Full<Bytes>> {
    Answer::refusal(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be made").response()
}

/// The paths that there are.
const PATHS: [&str; 4] = ["/health", "/ready", "/metrics", "/status"];

impl Site {
    pub(super) fn new(plan: &HttpPlan, telemetry: &Telemetry) -> Self {
        Self {
            telemetry: telemetry.clone(),
            token: plan.token.as_ref().map(|token| blake3::hash(token.0.as_bytes())),
            token_for_all: plan.token_for_all,
        }
    }

    pub(super) fn answer(&self, request: &Parts) -> Response<Full<Bytes>> {
        let path = PATHS.into_iter().find(|path| *path == request.uri.path());
        let answer = match path {
            Some(path) => self.refuse(path, request).unwrap_or_else(|| self.serve(path)),
            None => Answer::refusal(StatusCode::NOT_FOUND, "there is no such page"),
        };
        self.telemetry.metrics().answered(path.unwrap_or("other"), answer.status.as_u16());
        answer.response()
    }

    /// Why a request is not served.
    fn refuse(&self, path: &str, request: &Parts) -> Option<Answer> {
        if !matches!(request.method, Method::GET | Method::HEAD) {
            let why = "only GET and HEAD are answered";
            let mut answer = Answer::refusal(StatusCode::METHOD_NOT_ALLOWED, why);
            answer.header = Some((ALLOW, "GET, HEAD"));
            return Some(answer);
        }
        let empty = request.headers.get(CONTENT_LENGTH).is_none_or(|length| length == "0");
        if !empty || request.headers.contains_key(TRANSFER_ENCODING) {
            return Some(Answer::refusal(StatusCode::PAYLOAD_TOO_LARGE, "a body is not read"));
        }
        let is_personal = path == "/status";
        match self.token {
            None if is_personal => {
                let why = "names of files may name people: set `token` in [http], and send it";
                Some(Answer::refusal(StatusCode::FORBIDDEN, why))
            }
            Some(token) if is_personal || self.token_for_all => {
                self.refuse_stranger(token, request)
            }
            _ => None,
        }
    }

    fn refuse_stranger(&self, token: blake3::Hash, request: &Parts) -> Option<Answer> {
        let given = request.headers.get(AUTHORIZATION).and_then(|given| bearer(given.as_bytes()));
        if given.is_some_and(|given| blake3::hash(given) == token) {
            return None;
        }
        let why = "send the token of [http]: `Authorization: Bearer TOKEN`";
        let mut answer = Answer::refusal(StatusCode::UNAUTHORIZED, why);
        answer.header = Some((WWW_AUTHENTICATE, "Bearer"));
        Some(answer)
    }

    fn serve(&self, path: &str) -> Answer {
        match path {
            "/health" => self.health(),
            "/ready" => self.ready(),
            "/metrics" => self.metrics(),
            _ => Answer::json(StatusCode::OK, &self.telemetry.status()),
        }
    }

    fn health(&self) -> Answer {
        let health = self.telemetry.health();
        let seconds = health.since_beat.as_secs();
        let doing = health.activity.name();
        if health.is_well() {
            let told = json!({ "healthy": true, "doing": doing, "since_beat_seconds": seconds });
            return Answer::json(StatusCode::OK, &told);
        }
        let reason = format!("no progress for {seconds} s while {doing}");
        let told = json!({ "healthy": false, "reason": reason });
        Answer::json(StatusCode::SERVICE_UNAVAILABLE, &told)
    }

    fn ready(&self) -> Answer {
        let reasons = self.telemetry.unready();
        let (status, ready) = match reasons.is_empty() {
            true => (StatusCode::OK, true),
            false => (StatusCode::SERVICE_UNAVAILABLE, false),
        };
        Answer::json(status, &json!({ "ready": ready, "reasons": reasons }))
    }

    fn metrics(&self) -> Answer {
        match self.telemetry.scrape() {
            Ok(text) => Answer { status: StatusCode::OK, kind: METRICS_TYPE, text, header: None },
            Err(error) => Answer::refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }
}

/// The token in `Bearer TOKEN`; the scheme's case does not matter.
fn bearer(given: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = given.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}
