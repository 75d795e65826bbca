//! Passwords: argon2id, off the threads that serve requests.

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use tokio::sync::Semaphore;

use crate::error::{Error, Result};
use crate::fields::Fields;

/// Shortest password, in characters.
pub(crate) const MIN_PASSWORD: usize = 8;
/// Longest password, in bytes.
const MAX_PASSWORD: usize = 1_024;
/// Each computation takes 19 MiB for tens of milliseconds; more at once would only take memory.
static HASHING: Semaphore = Semaphore::const_new(4);
/// Stands in for an account that does not exist, so that its refusal takes equally long. Nothing
/// hashes to it.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bG9uZ2hhdWwtbm9ib2R5$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Refuses passwords that are too short or too long to be hashed.
pub(crate) fn check(fields: &mut Fields, field: &str, clear: &str) {
    if clear.chars().count() < MIN_PASSWORD {
        fields.refuse(field, format!("must be at least {MIN_PASSWORD} characters"));
    } else if clear.len() > MAX_PASSWORD {
        fields.refuse(field, format!("must be at most {MAX_PASSWORD} bytes"));
    }
}

/// The hash to store, in PHC form, with a fresh salt.
pub(crate) async fn hash(clear: &str) -> Result<String> {
    let clear = clear.to_owned();
    compute(move || {
        let salt: [u8; 16] = rand::random();
        let salt = SaltString::encode_b64(&salt).map_err(|error| Error::internal(error.to_string()))?;
        let hash = Argon2::default()
            .hash_password(clear.as_bytes(), &salt)
            .map_err(|error| Error::internal(error.to_string()))?;
        Ok(hash.to_string())
    })
    .await
}

/// Whether `clear` is the password behind `stored`. Takes equally long when there is none.
pub(crate) async fn verify(clear: &str, stored: Option<&str>) -> Result<bool> {
    if clear.len() > MAX_PASSWORD {
        return Ok(false);
    }
    let clear = clear.to_owned();
    let stored = stored.unwrap_or(NOBODY).to_owned();
    compute(move || {
        let parsed = PasswordHash::new(&stored).map_err(|error| Error::internal(error.to_string()))?;
        Ok(Argon2::default()
            .verify_password(clear.as_bytes(), &parsed)
            .is_ok())
    })
    .await
}

async fn compute<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let _turn = HASHING.acquire().await.map_err(Error::internal)?;
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_opens_and_nobody_has_none() {
        let stored = hash("correct horse").await.expect("hashes");
        assert!(stored.starts_with("$argon2id$"));
        assert!(verify("correct horse", Some(&stored)).await.expect("computes"));
        assert!(!verify("correct horsf", Some(&stored)).await.expect("computes"));
        assert!(!verify("correct horse", None).await.expect("computes"));
    }
}
