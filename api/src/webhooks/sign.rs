//! Secrets and signatures of webhooks, as the Standard Webhooks specification
//! has them: `v1,` and the base64 of HMAC-SHA256 over id, time and body.
//!
//! Invariant: a secret is never printed.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use thiserror::Error;

/// What a secret may begin with.
const PREFIX: &str = "whsec_";
/// How many bytes a secret has.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The secret that a receiver shares with us.
#[derive(Clone)]
pub struct Secret(hmac::Key);

/// What is wrong with a secret; it is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SecretError {
    /// It is no base64.
    #[error("it must be whsec_ and base64")]
    NotBase64,
    /// It is too short or too long.
    #[error("it must have {first} to {last} bytes, and has {0}", first = BYTES.start(), last = BYTES.end())]
    Length(usize),
}

impl Secret {
    /// From its text: base64, usually with `whsec_` before.
    ///
    /// # Errors
    /// [`SecretError`] where it is no secret.
    pub fn parse(text: &str) -> Result<Secret, SecretError> {
        let text = text.trim();
        let bytes = STANDARD.decode(text.strip_prefix(PREFIX).unwrap_or(text)).map_err(|_| SecretError::NotBase64)?;
        if !BYTES.contains(&bytes.len()) {
            return Err(SecretError::Length(bytes.len()));
        }
        Ok(Secret(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The header `webhook-signature` of a message that is sent at a time
    /// (seconds since 1970).
    pub(super) fn signature(&self, id: &str, time_s: u64, body: &str) -> String {
        let tag = hmac::sign(&self.0, format!("{id}.{time_s}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(tag))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_another_implementation_says() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = secret.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        // From Python's hmac module.
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(format!("{secret:?}"), "Secret");
    }

    #[test]
    fn what_is_no_secret_is_refused_and_not_shown() {
        let error = |text: &str| Secret::parse(text).unwrap_err();
        assert_eq!(error("whsec_%%%"), SecretError::NotBase64);
        assert_eq!(error("whsec_AAAA"), SecretError::Length(3));
        assert_eq!(error(&"A".repeat(92)), SecretError::Length(69));
        assert_eq!(error("whsec_AAAA").to_string(), "it must have 24 to 64 bytes, and has 3");
    }
}
