//! Who calls: the API key of a request, and whether it is for the project in the path.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use domain::id::ProjectId;
use http::header;
use http::request::Parts;
use services::Error;
use services::access::Actor;

use crate::error::{ApiError, ApiResult};
use crate::path::Id;
use crate::state::ApiState;

/// Address of the client, put into the request by a server that knows its proxies.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

/// Somebody with a good credential.
#[derive(Clone, Debug)]
pub struct Caller(pub Actor);

impl FromRequestParts<ApiState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> ApiResult<Self> {
        let token = bearer(parts)?;
        let mut actor = state.services.catalog.authenticate(token)?;
        actor.address = client(parts);
        Ok(Self(actor))
    }
}

/// Somebody with a good credential for the project in the path.
///
/// Taken before the body is read: another project's key learns nothing.
#[derive(Clone, Debug)]
pub struct InProject {
    /// The project in the path.
    pub project: ProjectId,
    /// Who calls.
    pub actor: Actor,
}

impl FromRequestParts<ApiState> for InProject {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> ApiResult<Self> {
        let Caller(actor) = Caller::from_request_parts(parts, state).await?;
        let project = match Id::<ProjectId>::from_request_parts(parts, state).await {
            Ok(Id(project)) => project,
            // Somebody who rules the instance is told that there is no such project.
            Err(error) if actor.require_instance().is_ok() => return Err(error),
            Err(_) => return Err(Error::Forbidden("this credential is not for this project").into()),
        };
        if actor.role_in(project).is_none() {
            return Err(Error::Forbidden("this credential is not for this project").into());
        }
        Ok(Self { project, actor })
    }
}

/// The token of `Authorization: Bearer`.
fn bearer(parts: &Parts) -> ApiResult<&str> {
    let header = parts
        .headers
        .get(header::AUTHORIZATION)
        .ok_or(Error::Unauthenticated("Authentication required"))?;
    let (scheme, token) = header
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .ok_or(Error::Unauthenticated("authorization failed"))?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(Error::Unauthenticated("authorization failed").into());
    }
    Ok(token)
}

/// Where the request comes from, as far as the server knows.
fn client(parts: &Parts) -> Option<String> {
    let told = parts.extensions.get::<ClientAddress>().map(|address| address.0);
    let peer = || {
        parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0.ip())
    };
    told.or_else(peer).map(|address| address.to_string())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn token_of(value: Option<&str>) -> Result<String, String> {
        let mut request = Request::builder();
        if let Some(value) = value {
            request = request.header(header::AUTHORIZATION, value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        bearer(&parts).map(str::to_owned).map_err(|error| match error {
            ApiError::Service(error) => error.to_string(),
            ApiError::Http(..) => unreachable!("only services errors"),
        })
    }

    #[test]
    fn a_bearer_token_is_found_whatever_the_case_of_its_scheme() {
        assert_eq!(token_of(Some("Bearer LH.a.b")), Ok("LH.a.b".to_owned()));
        assert_eq!(token_of(Some("bearer  LH.a.b")), Ok("LH.a.b".to_owned()));
    }

    #[test]
    fn a_missing_and_a_bad_credential_are_told_apart() {
        assert_eq!(token_of(None), Err("Authentication required".to_owned()));
        for bad in ["Bearer", "Bearer ", "Basic dTpw", "LH.a.b"] {
            assert_eq!(
                token_of(Some(bad)),
                Err("authorization failed".to_owned()),
                "{bad}"
            );
        }
    }
}
