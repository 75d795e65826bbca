//! The data of a page on its way to the browser.
//!
//! Every page has data of its own type. Handled as such, each type would bring its own copy of the
//! loading machinery and of a JSON reader into the browser half. So pages travel packed: one type on
//! the way, compact on the wire, and opened by the page that knows what is inside.

use std::marker::PhantomData;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::error::{Code, UiError};

/// A packed `T`.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Packed<T> {
    text: String,
    #[serde(skip)]
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize> Packed<T> {
    /// Packs `data`.
    ///
    /// # Errors
    /// [`Code::Internal`] for data that has no fixed shape, which is a mistake in its type.
    pub fn pack(data: &T) -> Result<Self, UiError> {
        let bytes = postcard::to_allocvec(data).map_err(|_| UiError::new(Code::Internal))?;
        Ok(Self {
            text: STANDARD_NO_PAD.encode(bytes),
            of: PhantomData,
        })
    }
}

impl<T> Packed<T> {
    /// The text that travels.
    pub fn into_text(self) -> String {
        self.text
    }
}

/// Opens what was packed as a `T`.
///
/// # Errors
/// [`Code::Stale`] when it was packed by another version of Longhaul.
pub fn unpack<T: DeserializeOwned>(text: &str) -> Result<T, UiError> {
    let stale = || UiError::new(Code::Stale);
    let bytes = STANDARD_NO_PAD.decode(text).map_err(|_| stale())?;
    postcard::from_bytes(&bytes).map_err(|_| stale())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_comes_out_again() {
        let data = (
            vec!["a".to_owned(), "ü".to_owned()],
            Some(7_u32),
            domain::state::DeliveryState::Retry,
        );
        let packed = Packed::pack(&data).expect("packs");
        assert_eq!(
            unpack::<(Vec<String>, Option<u32>, domain::state::DeliveryState)>(&packed.into_text()),
            Ok(data)
        );
    }

    #[test]
    fn data_of_another_version_asks_for_a_reload() {
        let error = unpack::<Vec<String>>("////").expect_err("no list of texts");
        assert_eq!(error.code, Code::Stale);
    }
}
