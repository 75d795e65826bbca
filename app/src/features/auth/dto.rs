//! What the sign-in page shows and sends.

use serde::{Deserialize, Serialize};

use crate::format::Stamp;

/// What the sign-in page shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginDto {
    /// Whether there is no user yet, so that somebody has to run `longhaul bootstrap`.
    pub no_users: bool,
    /// Where to go after signing in; a path of this server.
    pub next: String,
    /// The server's time.
    pub now: Stamp,
    /// Version of Longhaul.
    pub version: String,
}

/// What the sign-in form sends.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SignInForm {
    /// Email address.
    pub email: String,
    /// Password.
    pub password: String,
    /// Where to go afterwards.
    #[serde(default)]
    pub next: String,
}
