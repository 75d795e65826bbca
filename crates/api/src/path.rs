//! Ids in paths.

use axum::extract::{FromRequestParts, RawPathParams};
use domain::id::{
    ApiKeyId, AttemptId, BatchId, DeliveryId, EndpointId, ErasureId, EventId, EventTypeId, FilterId, HoldId,
    ProjectId, SubscriptionId,
};
use http::request::Parts;
use uuid::Uuid;

use crate::body::NUL_REASON;
use crate::error::{ApiError, ApiResult};
use crate::state::ApiState;

/// An id that stands in a path under a fixed name.
pub trait PathId: From<Uuid> {
    /// Name of the place in the path.
    const PARAM: &'static str;
    /// What the id names, for a 404.
    const NOUN: &'static str;
}

macro_rules! path_ids {
    ($($id:ty, $param:literal, $noun:literal;)+) => {$(
        impl PathId for $id {
            const PARAM: &'static str = $param;
            const NOUN: &'static str = $noun;
        }
    )+};
}

path_ids! {
    ApiKeyId, "keyID", "API key";
    AttemptId, "deliveryAttemptID", "delivery attempt";
    BatchId, "batchID", "batch";
    DeliveryId, "eventDeliveryID", "event delivery";
    EndpointId, "endpointID", "endpoint";
    ErasureId, "erasureID", "erasure";
    EventId, "eventID", "event";
    EventTypeId, "eventTypeId", "event type";
    FilterId, "filterID", "filter";
    HoldId, "holdID", "hold";
    ProjectId, "projectID", "project";
    SubscriptionId, "subscriptionID", "subscription";
}

/// Takes an id out of the path. What is not an id names nothing: 404.
#[derive(Clone, Copy, Debug)]
pub struct Id<T>(pub T);

impl<T: PathId> FromRequestParts<ApiState> for Id<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> ApiResult<Self> {
        let text = param(parts, state, T::PARAM).await?;
        let id: Option<Uuid> = text.and_then(|text| text.parse().ok());
        id.map(|id| Self(T::from(id)))
            .ok_or(ApiError::Service(services::Error::NotFound(T::NOUN)))
    }
}

/// The name of an event type in the path.
#[derive(Clone, Debug)]
pub struct EventTypeName(pub String);

impl FromRequestParts<ApiState> for EventTypeName {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> ApiResult<Self> {
        let name = param(parts, state, "eventType").await?.unwrap_or_default();
        if name.contains('\0') {
            return Err(ApiError::invalid("eventType", NUL_REASON));
        }
        Ok(Self(name))
    }
}

async fn param(parts: &mut Parts, state: &ApiState, name: &str) -> ApiResult<Option<String>> {
    let params = RawPathParams::from_request_parts(parts, state)
        .await
        .map_err(|_| ApiError::invalid("path", "not valid UTF-8"))?;
    Ok(params
        .iter()
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned()))
}
