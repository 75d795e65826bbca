//! Server functions of signing in and out.

#![expect(
    missing_docs,
    reason = "the structs that `#[server]` makes have the arguments as fields"
)]

use leptos::prelude::*;

use super::dto::{LoginDto, SignInForm};
use crate::{
    error::UiError,
    ui::{load::Place, packed::Packed},
};

/// What the sign-in page shows. The query may hold `next`.
///
/// # Errors
/// When a store is away.
#[server(prefix = "/ui", endpoint = "login_page")]
pub async fn login_page(place: Place) -> Result<Packed<LoginDto>, UiError> {
    crate::context::page(Box::pin(super::act::login_page(place))).await
}

/// Signs in and goes on to where the person wanted to go.
///
/// # Errors
/// Wrong credentials, or too many tries.
#[server(prefix = "/ui", endpoint = "sign_in")]
pub async fn sign_in(form: SignInForm) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::sign_in(form))).await
}

/// Ends the session.
///
/// # Errors
/// When the session store is away.
#[server(prefix = "/ui", endpoint = "sign_out")]
pub async fn sign_out() -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::sign_out())).await
}

/// Remembers the theme in a cookie and goes back.
///
/// # Errors
/// When `theme` is not one of the three.
#[server(prefix = "/ui", endpoint = "set_theme")]
pub async fn set_theme(theme: String) -> Result<(), UiError> {
    crate::context::answer(async { crate::context::set_theme_cookie(&theme) }).await
}
