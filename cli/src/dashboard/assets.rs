//! The files of the page, which are a part of the program.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const FILES: [(&str, &str, &str); 4] = [
    ("dashboard.js", SCRIPT, include_str!("../../assets/dashboard.js")),
    ("dashboard.css", STYLE, include_str!("../../assets/dashboard.css")),
    ("uplot.js", SCRIPT, include_str!("../../assets/uplot.js")),
    ("uplot.css", STYLE, include_str!("../../assets/uplot.css")),
];
const PAGE: &str = include_str!("../../assets/index.html");

pub(super) async fn page() -> Html<&'static str> {
    Html(PAGE)
}

pub(super) async fn file(Path(name): Path<String>) -> Response {
    match FILES.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, content)) => ([(CONTENT_TYPE, *kind)], *content).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_small() {
        let bytes: usize = FILES.iter().map(|(.., content)| content.len()).sum::<usize>() + PAGE.len();
        assert!(bytes < 150_000, "{bytes} bytes");
    }

    #[test]
    fn a_page_has_no_script_and_no_style_of_its_own() {
        assert!(!PAGE.contains("style=") && !PAGE.contains("<style") && !PAGE.contains(" on"), "the policy forbids them");
        assert_eq!(PAGE.matches("<script").count(), PAGE.matches("src=").count());
    }
}
