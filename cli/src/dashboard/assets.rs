//! The files of the page, which are a part of the program.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PAGE: &str = include_str!("../../assets/index.html");

/// The path, type and content of a file of `assets`.
macro_rules! file {
    ($path:literal, $kind:expr) => {
        ($path, $kind, include_str!(concat!("../../assets/", $path)))
    };
}

/// All that is served below `/assets/`. A module imports only modules listed before it.
const FILES: [(&str, &str, &str); 26] = [
    file!("uplot.css", STYLE),
    file!("uplot.js", SCRIPT),
    file!("dashboard.css", STYLE),
    file!("dashboard/state.js", SCRIPT),
    file!("dashboard/format.js", SCRIPT),
    file!("dashboard/api.js", SCRIPT),
    file!("dashboard/dom.js", SCRIPT),
    file!("dashboard/status.js", SCRIPT),
    file!("dashboard/dialog.js", SCRIPT),
    file!("dashboard/rows.js", SCRIPT),
    file!("dashboard/charts.js", SCRIPT),
    file!("dashboard/router.js", SCRIPT),
    file!("dashboard/actions.js", SCRIPT),
    file!("dashboard/pages/overview.js", SCRIPT),
    file!("dashboard/pages/tasks.js", SCRIPT),
    file!("dashboard/pages/workers.js", SCRIPT),
    file!("dashboard/pages/jobs.js", SCRIPT),
    file!("dashboard/pages/job.js", SCRIPT),
    file!("dashboard/pages/failed.js", SCRIPT),
    file!("dashboard/pages/schedules.js", SCRIPT),
    file!("dashboard/pages/limits.js", SCRIPT),
    file!("dashboard/pages/redis.js", SCRIPT),
    file!("dashboard/theme.js", SCRIPT),
    file!("dashboard/keyboard.js", SCRIPT),
    file!("dashboard/live.js", SCRIPT),
    file!("dashboard/main.js", SCRIPT),
];

pub(super) async fn page() -> Html<&'static str> {
    Html(PAGE)
}

/// A file of the list; no path leads to any other.
pub(super) async fn file(Path(path): Path<String>) -> Response {
    match FILES.iter().find(|(known, ..)| *known == path) {
        Some((_, kind, content)) => ([(CONTENT_TYPE, *kind)], *content).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets");

    fn files_below(folder: &Path) -> Vec<String> {
        let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![relative(&path)] }).collect()
    }

    fn relative(path: &Path) -> String {
        path.strip_prefix(ASSETS).unwrap().to_str().unwrap().to_owned()
    }

    /// The path that an import of a file names.
    fn resolved(importer: &str, import: &str) -> String {
        let folder = Path::new(importer).parent().unwrap();
        let path = match import.strip_prefix("../") {
            Some(rest) => folder.parent().unwrap().join(rest),
            None => folder.join(import.strip_prefix("./").expect("imports are relative")),
        };
        path.to_str().unwrap().to_owned()
    }

    fn imports(content: &str) -> impl Iterator<Item = &str> {
        content.lines().filter(|line| line.starts_with("import ")).map(|line| line.split('\'').nth(1).unwrap())
    }

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

    #[test]
    fn every_script_and_style_is_served() {
        let mut served: Vec<_> = FILES.iter().map(|(path, ..)| (*path).to_owned()).collect();
        let mut written = files_below(Path::new(ASSETS));
        written.retain(|path| path.ends_with(".js") || path.ends_with(".css"));
        served.sort();
        written.sort();
        assert_eq!(served, written);
    }

    #[test]
    fn modules_import_only_modules_listed_before_them() {
        let mut before: Vec<String> = Vec::new();
        for (path, _, content) in FILES {
            for import in imports(content) {
                let imported = resolved(path, import);
                assert!(before.contains(&imported), "{path} imports {imported}");
            }
            before.push(path.to_owned());
        }
    }
}
