//! What the sign-in page shows and does.

use domain::page::PageRequest;
use services::{access::Actor, users};

use super::dto::{LoginDto, SignInForm};
use crate::{
    context::{self, client_address, local_path, services},
    error::{Code, UiError},
    features::query::value_of,
    format::{self, Stamp},
    ui::load::Place,
};

/// What the sign-in page shows.
///
/// # Errors
/// When a store is away.
pub async fn login_page(place: Place) -> Result<LoginDto, UiError> {
    let services = services()?;
    let first = users::list(&services, &Actor::system(), PageRequest::first(1)).await?;
    let now = services.clock.now();
    let next = value_of(&place.query, "next").unwrap_or_default();
    Ok(LoginDto {
        no_users: first.items.is_empty(),
        next: local_path(&next).to_owned(),
        now: Stamp {
            text: now.format("%H:%M UTC").to_string(),
            ..Stamp::ago(now, now)
        },
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// Signs in, slowed down after failures.
///
/// # Errors
/// [`Code::WrongCredentials`] or [`Code::TooManyTries`].
pub async fn sign_in(form: SignInForm) -> Result<String, UiError> {
    let services = services()?;
    let address = client_address();
    let user =
        match services::sign_in::sign_in(&services, &form.email, &form.password, address.as_deref()).await {
            Ok(user) => user,
            Err(services::Error::Unauthenticated(_)) => return Err(UiError::new(Code::WrongCredentials)),
            Err(services::Error::RateLimited { retry_after }) => {
                let wait = format::span(retry_after);
                return Err(UiError::with_detail(
                    Code::TooManyTries,
                    format!("Wait {wait}, then try again."),
                ));
            }
            Err(error) => return Err(error.into()),
        };
    context::sign_in(user).await?;
    Ok(local_path(&form.next).to_owned())
}

/// Signs out.
///
/// # Errors
/// When the session store is away.
pub async fn sign_out() -> Result<String, UiError> {
    context::sign_out().await?;
    Ok("/login".to_owned())
}
