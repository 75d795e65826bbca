//! Secrets at rest: encrypted with the instance key before they reach a table.
//!
//! Stored form: version byte 1, 12-byte nonce, AES-256-GCM ciphertext with tag.

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Key, Nonce};

use crate::error::{Error, Result};

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;

/// Encrypts and decrypts with the instance key.
#[derive(Clone)]
pub struct Vault {
    cipher: Aes256Gcm,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// A vault that uses `key`.
    pub fn new(key: &[u8; 32]) -> Self {
        Self {
            cipher: Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(key)),
        }
    }

    /// Encrypts `clear` under a fresh nonce.
    ///
    /// # Errors
    /// [`Error::Internal`] when the text is longer than the cipher takes (64 GiB).
    pub fn seal(&self, clear: &[u8]) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let sealed = self
            .cipher
            .encrypt(Nonce::from_slice(&nonce), clear)
            .map_err(|_| Error::internal("encryption failed"))?;
        let mut stored = Vec::with_capacity(1 + NONCE_BYTES + sealed.len());
        stored.push(VERSION);
        stored.extend_from_slice(&nonce);
        stored.extend_from_slice(&sealed);
        Ok(stored)
    }

    /// Decrypts what [`Vault::seal`] made.
    ///
    /// # Errors
    /// [`Error::Internal`] when the instance key is another one or the bytes were changed.
    pub fn open(&self, stored: &[u8]) -> Result<Vec<u8>> {
        let Some((&VERSION, rest)) = stored.split_first() else {
            return Err(Error::internal("a secret is stored in an unknown form"));
        };
        let Some((nonce, sealed)) = rest.split_at_checked(NONCE_BYTES) else {
            return Err(Error::internal("a stored secret is cut short"));
        };
        self.cipher
            .decrypt(Nonce::from_slice(nonce), sealed)
            .map_err(|_| Error::internal("a stored secret does not open with this instance's encryption key"))
    }

    /// Encrypts text.
    ///
    /// # Errors
    /// As [`Vault::seal`].
    pub fn seal_text(&self, clear: &str) -> Result<Vec<u8>> {
        self.seal(clear.as_bytes())
    }

    /// Decrypts text.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub fn open_text(&self, stored: &[u8]) -> Result<String> {
        String::from_utf8(self.open(stored)?).map_err(Error::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_only_with_its_key_and_unchanged() {
        let vault = Vault::new(&[7; 32]);
        let sealed = vault.seal_text("whsec-example").expect("seals");
        assert_eq!(vault.open_text(&sealed).expect("opens"), "whsec-example");
        assert!(Vault::new(&[8; 32]).open(&sealed).is_err());
        let mut bent = sealed.clone();
        *bent.last_mut().expect("not empty") ^= 1;
        assert!(vault.open(&bent).is_err());
        assert!(vault.open(&sealed[..5]).is_err());
        assert!(!sealed.windows(5).any(|w| w == b"whsec"));
    }
}
