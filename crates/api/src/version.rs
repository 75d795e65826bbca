//! Versions of the API: what callers that are pinned to an old one send and get.
//!
//! A request names its version in `X-Convoy-Version`. Only endpoints look different: before
//! 2024-01-01 their lengths of time are texts, before 2024-04-01 they have `title` and
//! `target_url`.

use axum::extract::FromRequestParts;
use chrono::NaiveDate;
use http::request::Parts;

use crate::error::{ApiError, ApiResult};
use crate::headers::VERSION;
use crate::state::ApiState;

/// The version that a request asks for; the newest when it names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(NaiveDate);

impl Version {
    /// Lengths of time of endpoints are texts such as `10s`, and signatures are simple by default.
    pub fn has_text_durations(self) -> bool {
        self.0 < day(2024, 1)
    }

    /// Endpoints have `title` and `target_url` instead of `name` and `url`.
    pub fn has_titles(self) -> bool {
        self.0 < day(2024, 4)
    }

    fn parse(text: &str) -> Option<Self> {
        NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok().map(Self)
    }
}

/// The first day of a month.
fn day(year: i32, month: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, 1).unwrap_or(NaiveDate::MAX)
}

impl FromRequestParts<ApiState> for Version {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> ApiResult<Self> {
        let Some(header) = parts.headers.get(VERSION) else {
            return Ok(Self(NaiveDate::MAX));
        };
        header
            .to_str()
            .ok()
            .and_then(Self::parse)
            .ok_or_else(|| ApiError::invalid("X-Convoy-Version", "must be a day such as 2025-11-24"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_see_old_shapes() {
        let flags = |text| {
            let version = Version::parse(text).expect("a version");
            (version.has_text_durations(), version.has_titles())
        };
        assert_eq!(flags("0001-01-01"), (true, true));
        assert_eq!(flags("2024-01-01"), (false, true));
        assert_eq!(flags("2024-04-01"), (false, false));
        assert_eq!(flags("2025-11-24"), (false, false));
        assert_eq!(Version::parse("v1"), None);
    }
}
