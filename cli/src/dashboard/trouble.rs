//! Errors as answers: what is wrong, and what to do.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use libswarm::{Error, ErrorKind};
use serde_json::{Value, json};

use crate::exit::{Exit, Trouble};

/// A request that is refused, or that Redis did not answer.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

impl Refused {
    pub(super) fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Refused {
        Refused { status, kind, message: message.into() }
    }

    pub(super) fn forbidden(message: impl Into<String>) -> Refused {
        Refused::new(StatusCode::FORBIDDEN, "FORBIDDEN", message)
    }

    pub(super) fn invalid(message: impl Into<String>) -> Refused {
        Refused::new(StatusCode::BAD_REQUEST, ErrorKind::InvalidArgument.name(), message)
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn to_json(&self) -> Value {
        json!({ "kind": self.kind, "message": self.message })
    }
}

impl From<Trouble> for Refused {
    fn from(trouble: Trouble) -> Refused {
        let status = match trouble.exit {
            Exit::Usage => StatusCode::BAD_REQUEST,
            Exit::No if trouble.kind == ErrorKind::NotFound.name() => StatusCode::NOT_FOUND,
            Exit::Away => StatusCode::SERVICE_UNAVAILABLE,
            Exit::Refused => StatusCode::BAD_GATEWAY,
            Exit::Ok | Exit::No => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Refused::new(status, trouble.kind, trouble.message)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        Trouble::from(error).into()
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.to_json() }))).into_response()
    }
}
