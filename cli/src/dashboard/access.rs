//! Who may call the dashboard.
//!
//! A page of another site must neither read nor change anything through the browser of a user: the `Host` has to be one of this server, so that no
//! name of another site that is pointed here works, and requests that a browser sends for another site are refused (`Sec-Fetch-Site`, `Origin`).

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::Shared;
use super::trouble::Refused;

const COOKIE_NAME: &str = "swarm_token";
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Nothing but files of this server runs or is loaded.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// Who may call.
#[derive(Default)]
pub(crate) struct Access {
    /// What viewers have to know; `None` only on a loopback address.
    pub(crate) token: Option<String>,
    /// Names of this server besides addresses and `localhost`.
    pub(crate) hosts: Vec<String>,
}

impl Access {
    fn knows(&self, text: &str) -> bool {
        self.token.as_ref().is_none_or(|token| bool::from(token.as_bytes().ct_eq(text.as_bytes())))
    }

    /// Whether a `Host` is one of this server.
    fn is_own(&self, host: &str) -> bool {
        let name = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(name, _)| name);
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.hosts.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    fn has_token(&self, headers: &HeaderMap) -> bool {
        let bearer = text(headers, &AUTHORIZATION).strip_prefix("Bearer ");
        let cookie = text(headers, &COOKIE).split("; ").find_map(|part| part.strip_prefix(COOKIE_NAME)?.strip_prefix('='));
        bearer.or(cookie).map_or(self.token.is_none(), |given| self.knows(given))
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Refuses what is not of this site and without a token, and sets the headers of every answer.
pub(super) async fn check(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let mut response = match examine(&shared.rules.access, request.method(), request.uri(), request.headers()) {
        Ok(None) => next.run(request).await,
        Ok(Some(entered)) => entered,
        Err(refused) => refused.into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// An answer for a visitor who brings the token in the address: it moves into a cookie.
fn examine(access: &Access, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Option<Response>, Refused> {
    let host = text(headers, &HOST);
    if !access.is_own(host) {
        return Err(Refused::forbidden(format!(
            "this server is not `{host}`; if it is, allow the name: swarm dashboard --allow-host {host}"
        )));
    }
    let (site, is_page) = (text(headers, &SEC_FETCH_SITE), uri.path() == "/" && method == Method::GET);
    if !matches!(site, "" | "same-origin" | "none") && !is_page {
        return Err(Refused::forbidden("requests of other sites are refused"));
    }
    if method != Method::GET {
        let origin = text(headers, &ORIGIN);
        let own = origin.split_once("://").is_some_and(|(_, origin)| origin == host);
        if !origin.is_empty() && !own {
            return Err(Refused::forbidden("requests of other sites are refused"));
        }
        if !text(headers, &CONTENT_TYPE).starts_with("application/json") {
            return Err(Refused::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "INVALID_ARGUMENT",
                "the Content-Type must be application/json",
            ));
        }
    }
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).find(|(name, _)| name == "token");
    match query {
        Some((_, given)) if is_page && access.token.is_some() && access.knows(&given) => Ok(Some(entered(&given))),
        _ if access.has_token(headers) => Ok(None),
        _ => Err(Refused::new(
            StatusCode::UNAUTHORIZED,
            "AUTH_FAILED",
            "open the dashboard with its token once: /?token=TOKEN; programs send `Authorization: Bearer TOKEN`",
        )),
    }
}

fn entered(token: &str) -> Response {
    let cookie = format!("{COOKIE_NAME}={token}; Path=/; HttpOnly; SameSite=Strict");
    (StatusCode::SEE_OTHER, [(LOCATION, "/".to_owned()), (SET_COOKIE, cookie)]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(token: Option<&str>) -> Access {
        Access { token: token.map(str::to_owned), hosts: vec!["ops.example".to_owned()] }
    }

    fn status(access: &Access, method: Method, uri: &str, headers: &[(&'static str, &str)]) -> u16 {
        let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
        match examine(access, &method, &uri.parse().unwrap(), &headers) {
            Ok(None) => 200,
            Ok(Some(response)) => response.status().as_u16(),
            Err(refused) => refused.into_response().status().as_u16(),
        }
    }

    #[test]
    fn only_own_hosts_are_served() {
        let get = |host: &str| status(&access(None), Method::GET, "/api/jobs", &[("host", host)]);
        for host in ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "10.0.0.7", "OPS.example:80"] {
            assert_eq!(get(host), 200, "{host}");
        }
        for host in ["", "evil.example", "localhost.evil.example:8000", "127.0.0.1.evil.example"] {
            assert_eq!(get(host), 403, "{host}");
        }
    }

    #[test]
    fn requests_of_other_sites_are_refused() {
        let access = access(None);
        let read = |uri: &str, site: &str| status(&access, Method::GET, uri, &[("host", "localhost"), ("sec-fetch-site", site)]);
        assert_eq!((read("/api/jobs", "same-origin"), read("/", "cross-site"), read("/", "none")), (200, 200, 200));
        assert_eq!((read("/api/jobs", "cross-site"), read("/api/jobs", "same-site")), (403, 403));
        let json = ("content-type", "application/json");
        let write =
            |origin: &str| status(&access, Method::POST, "/api/action", &[("host", "localhost:1"), ("origin", origin), json]);
        assert_eq!((write("http://localhost:1"), write(""), write("http://evil.example"), write("null")), (200, 200, 403, 403));
        let form = [("host", "localhost"), ("content-type", "text/plain")];
        assert_eq!(status(&access, Method::POST, "/api/action", &form), 415);
    }

    #[test]
    fn a_token_is_required_if_there_is_one() {
        let access = access(Some("s3cret"));
        let get = |uri: &str, header: (&'static str, &str)| status(&access, Method::GET, uri, &[("host", "localhost"), header]);
        let none = ("accept", "*/*");
        assert_eq!((get("/", none), get("/?token=wrong", none), get("/api/jobs?token=s3cret", none)), (401, 401, 401));
        assert_eq!(get("/?token=s3cret", none), 303);
        assert_eq!(get("/api/jobs", ("cookie", "a=b; swarm_token=s3cret")), 200);
        assert_eq!(get("/api/jobs", ("authorization", "Bearer s3cret")), 200);
        assert_eq!(get("/api/jobs", ("cookie", "swarm_token=s3cre")), 401);
    }
}
