//! Errors as RFC 9457 problem documents.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A request that was refused or failed.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
}

impl Problem {
    /// The request is wrong.
    pub fn bad_request(detail: impl Into<String>) -> Problem {
        Problem { status: StatusCode::BAD_REQUEST, detail: detail.into() }
    }

    /// There is nothing at this path.
    pub fn not_found(detail: impl Into<String>) -> Problem {
        Problem { status: StatusCode::NOT_FOUND, detail: detail.into() }
    }

    /// The path does not take this method.
    pub fn method_not_allowed(detail: impl Into<String>) -> Problem {
        Problem { status: StatusCode::METHOD_NOT_ALLOWED, detail: detail.into() }
    }

    /// The body has another media type.
    pub fn unsupported(detail: impl Into<String>) -> Problem {
        Problem { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, detail: detail.into() }
    }

    /// The body is too large.
    pub fn too_large(detail: impl Into<String>) -> Problem {
        Problem { status: StatusCode::PAYLOAD_TOO_LARGE, detail: detail.into() }
    }

    /// The service cannot do it now; the same request may succeed later.
    pub fn unavailable(detail: impl Into<String>) -> Problem {
        Problem { status: StatusCode::SERVICE_UNAVAILABLE, detail: detail.into() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("error"),
            status: self.status.as_u16(),
            detail: &self.detail,
        };
        // The body is made of plain texts, which always serialise.
        let text = serde_json::to_string(&body).unwrap_or_default();
        (self.status, [(header::CONTENT_TYPE, "application/problem+json")], text).into_response()
    }
}
