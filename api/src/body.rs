//! Request bodies, whole and within a bound.
//!
//! Invariant: a body that is too large or never comes is answered, not waited
//! for: what it says of its own length is believed before it is read.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};

use crate::problem::Problem;

/// A body may take so long to arrive.
const ARRIVAL_MAX: Duration = Duration::from_secs(60);

/// A body of at most `BYTES_MAX` bytes. The route's `DefaultBodyLimit` must be
/// the same.
pub struct Whole<const BYTES_MAX: usize>(pub Bytes);

impl<S: Send + Sync, const BYTES_MAX: usize> FromRequest<S> for Whole<BYTES_MAX> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let too_large =
            || Problem::too_large(format!("the body has more than {BYTES_MAX} bytes; send smaller batches"));
        let claimed = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if claimed.is_some_and(|bytes: u64| bytes > BYTES_MAX as u64) {
            return Err(too_large());
        }
        match tokio::time::timeout(ARRIVAL_MAX, Bytes::from_request(request, state)).await {
            Ok(Ok(bytes)) => Ok(Whole(bytes)),
            Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(too_large()),
            Ok(Err(rejection)) => {
                Err(Problem::bad_request(format!("the body did not arrive whole: {}", rejection.body_text())))
            }
            Err(_) => Err(Problem::bad_request(format!(
                "the body did not arrive whole within {} s; send it again",
                ARRIVAL_MAX.as_secs()
            ))),
        }
    }
}
