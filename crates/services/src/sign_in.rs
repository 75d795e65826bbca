//! Signing in: proves a person and slows down guessing.

use std::net::IpAddr;

use chrono::TimeDelta;
use domain::id::UserId;
use sha2::{Digest, Sha256};

use crate::changed::now;
use crate::error::{Error, Result};
use crate::{Services, password};

/// One text for every way to fail, so that nobody learns which accounts exist.
const REFUSED: Error = Error::Unauthenticated("e-mail address or password is wrong");
/// Longest e-mail address that is looked up, in bytes.
const MAX_EMAIL: usize = 320;

/// Proves the person behind `email` and `password`. `address` is the client's network address.
///
/// # Errors
/// [`Error::Unauthenticated`], equally and after equal work, for an unknown account, a wrong
/// password and a disabled account; [`Error::RateLimited`] after too many failures of the account
/// or from the address.
pub async fn sign_in(
    services: &Services,
    email: &str,
    password: &str,
    address: Option<&str>,
) -> Result<UserId> {
    let email = email.trim();
    let account = account_subject(email);
    let address = address.map(address_subject);
    if let Some(address) = &address {
        take_try(services, address).await?;
    }
    take_try(services, &account).await?;

    let user = if email.len() > MAX_EMAIL || email.contains('\0') {
        None
    } else {
        db::users::find_by_email(services.db.orm(), email).await?
    };
    let proven = password::verify(password, user.as_ref().map(|u| u.password_hash.as_str())).await?;
    match user {
        Some(user) if proven && user.disabled_at.is_none() => {
            db::sign_in_failures::forget(&services.db, &account).await?;
            if let Some(address) = &address {
                db::sign_in_failures::give_back(&services.db, address).await?;
            }
            Ok(UserId(user.id))
        }
        _ => Err(REFUSED),
    }
}

/// Forgets failures whose wait is over; how many accounts and addresses.
///
/// # Errors
/// As every statement.
pub async fn forget_expired(services: &Services) -> Result<u64> {
    Ok(db::sign_in_failures::delete_expired(&services.db, services.clock.now()).await?)
}

/// Takes one of the tries that `subject` has. It counts as failed until it is given back.
pub(crate) async fn take_try(services: &Services, subject: &str) -> Result<()> {
    let options = &services.options.sign_in;
    let now = now(services);
    let window = TimeDelta::from_std(options.failure_window).unwrap_or(TimeDelta::hours(1));
    let allowed = i32::try_from(options.failures_allowed.max(1)).unwrap_or(i32::MAX);
    match db::sign_in_failures::take(&services.db, subject, allowed, now, now + window).await? {
        None => Ok(()),
        Some(until) => Err(Error::RateLimited {
            retry_after: (until - now).num_seconds().max(1).unsigned_abs(),
        }),
    }
}

/// Hashed, because what people type there is sometimes their password.
fn account_subject(email: &str) -> String {
    format!("account:{}", hex::encode(Sha256::digest(email.to_lowercase())))
}

/// Whoever has one address of IPv6 has 2^64 of them, so those count as one.
fn address_subject(address: &str) -> String {
    match address.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V6(ip)) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("address:{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(ip @ IpAddr::V4(_)) => format!("address:{ip}"),
        Err(_) => format!("address:{}", hex::encode(Sha256::digest(address))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one() {
        assert_eq!(
            address_subject("2001:db8:1:2::1"),
            address_subject("2001:db8:1:2:ffff::9")
        );
        assert_ne!(
            address_subject("2001:db8:1:2::1"),
            address_subject("2001:db8:1:3::1")
        );
        assert_eq!(address_subject("::ffff:192.0.2.7"), address_subject("192.0.2.7"));
    }

    #[test]
    fn an_account_counts_as_one_in_any_case_of_letters_and_is_not_readable() {
        assert_eq!(
            account_subject("Ann@Example.com"),
            account_subject("ann@example.com")
        );
        assert!(!account_subject("ann@example.com").contains("ann"));
    }
}
