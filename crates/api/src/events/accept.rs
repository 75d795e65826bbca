//! Taking events: the busiest requests of all.
//!
//! The body is read once, its fields are borrowed from it, and the payload's bytes go on as they
//! came. Nothing here looks into the payload.

use std::borrow::Cow;
use std::fmt;

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use bytestring::ByteString;
use domain::event::Target;
use domain::id::EventId;
use http::StatusCode;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use services::ingest::NewEvent;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::InProject;
use crate::body::{self, NUL_REASON};
use crate::envelope::{Envelope, json};
use crate::error::{ApiError, ApiResult};
use crate::state::ApiState;

/// The message for an event that was taken.
const QUEUED: &str = "Event queued successfully";
/// The message for a fan-out whose idempotency key is known.
const DUPLICATE: &str = "Duplicate event received, but will not be sent";

/// An event for the subscriptions of one endpoint.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = EventRequest)]
pub struct EventRequest<'a> {
    /// The endpoint.
    #[serde(borrow, default)]
    #[schema(value_type = Uuid)]
    endpoint_id: Option<Text<'a>>,
    /// Read in place of `endpoint_id`.
    #[serde(borrow, default)]
    #[schema(value_type = Option<Uuid>, deprecated)]
    app_id: Option<Text<'a>>,
    /// Its type.
    #[serde(borrow)]
    #[schema(value_type = String, example = "invoice.paid")]
    event_type: Text<'a>,
    /// The payload: any JSON. Kept, signed and sent byte for byte.
    #[serde(borrow)]
    #[schema(value_type = Value)]
    data: &'a RawValue,
    /// Headers for receivers.
    #[serde(default)]
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>)]
    custom_headers: Option<Headers>,
    /// A second event with the same key is not delivered.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>)]
    idempotency_key: Option<Text<'a>>,
}

/// An event for all endpoints of one owner.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = FanoutEventRequest)]
pub struct FanoutRequest<'a> {
    /// The owner.
    #[serde(borrow)]
    #[schema(value_type = String)]
    owner_id: Text<'a>,
    /// Its type.
    #[serde(borrow)]
    #[schema(value_type = String, example = "invoice.paid")]
    event_type: Text<'a>,
    /// The payload: any JSON. Kept, signed and sent byte for byte.
    #[serde(borrow)]
    #[schema(value_type = Value)]
    data: &'a RawValue,
    /// Headers for receivers.
    #[serde(default)]
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>)]
    custom_headers: Option<Headers>,
    /// A second event with the same key is not delivered.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>)]
    idempotency_key: Option<Text<'a>>,
}

/// An event for every subscription of the project.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = BroadcastEventRequest)]
pub struct BroadcastRequest<'a> {
    /// Its type.
    #[serde(borrow)]
    #[schema(value_type = String, example = "invoice.paid")]
    event_type: Text<'a>,
    /// The payload: any JSON. Kept, signed and sent byte for byte.
    #[serde(borrow)]
    #[schema(value_type = Value)]
    data: &'a RawValue,
    /// Headers for receivers.
    #[serde(default)]
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>)]
    custom_headers: Option<Headers>,
    /// A second event with the same key is not delivered.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>)]
    idempotency_key: Option<Text<'a>>,
}

/// The event that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct AcceptedResponse {
    /// Its id.
    uid: Uuid,
}

/// A text, borrowed from the body unless it holds escapes.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Custom headers in the order in which they were given.
#[derive(Debug)]
struct Headers(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of header names and their values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
        let mut headers = Vec::new();
        while let Some(header) = map.next_entry()? {
            headers.push(header);
        }
        Ok(Headers(headers))
    }
}

/// What all three requests come down to.
struct Incoming<'a> {
    target: Target,
    event_type: Cow<'a, str>,
    data: &'a RawValue,
    headers: Option<Headers>,
    idempotency_key: Option<Text<'a>>,
}

impl<'a> TryFrom<EventRequest<'a>> for Incoming<'a> {
    type Error = ApiError;

    fn try_from(request: EventRequest<'a>) -> ApiResult<Self> {
        let endpoint = [request.endpoint_id, request.app_id]
            .into_iter()
            .flatten()
            .find(|id| !id.0.is_empty());
        let endpoint = endpoint.ok_or_else(|| ApiError::invalid("endpoint_id", "is required"))?;
        let id = endpoint
            .0
            .parse()
            .map_err(|_| ApiError::invalid("endpoint_id", "must be the id of an endpoint"))?;
        Ok(Self {
            target: Target::Endpoint(id),
            event_type: request.event_type.0,
            data: request.data,
            headers: request.custom_headers,
            idempotency_key: request.idempotency_key,
        })
    }
}

impl<'a> TryFrom<FanoutRequest<'a>> for Incoming<'a> {
    type Error = ApiError;

    fn try_from(request: FanoutRequest<'a>) -> ApiResult<Self> {
        Ok(Self {
            target: Target::Owner(request.owner_id.0.into_owned()),
            event_type: request.event_type.0,
            data: request.data,
            headers: request.custom_headers,
            idempotency_key: request.idempotency_key,
        })
    }
}

impl<'a> TryFrom<BroadcastRequest<'a>> for Incoming<'a> {
    type Error = ApiError;

    fn try_from(request: BroadcastRequest<'a>) -> ApiResult<Self> {
        Ok(Self {
            target: Target::Broadcast,
            event_type: request.event_type.0,
            data: request.data,
            headers: request.custom_headers,
            idempotency_key: request.idempotency_key,
        })
    }
}

/// Sends an event to the subscriptions of one endpoint.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/events", operation_id = "CreateEndpointEvent",
    tag = "Events", request_body = EventRequest<'_>, responses((status = 201, body = Envelope<AcceptedResponse>)))]
pub async fn create(
    State(state): State<ApiState>,
    place: InProject,
    request: Request,
) -> ApiResult<Response> {
    let bytes = body::read_json(request, state.body_limit()).await?;
    let request: EventRequest<'_> = body::parse_borrowed(body::text(&bytes)?)?;
    accept(&state, &place, &bytes, request.try_into()?).await
}

/// Sends an event to all endpoints of one owner.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/events/fanout", operation_id = "CreateEndpointFanoutEvent",
    tag = "Events", request_body = FanoutRequest<'_>, responses((status = 201, body = Envelope<AcceptedResponse>)))]
pub async fn fanout(
    State(state): State<ApiState>,
    place: InProject,
    request: Request,
) -> ApiResult<Response> {
    let bytes = body::read_json(request, state.body_limit()).await?;
    let request: FanoutRequest<'_> = body::parse_borrowed(body::text(&bytes)?)?;
    accept(&state, &place, &bytes, request.try_into()?).await
}

/// Sends an event to every subscription of the project.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/events/broadcast", operation_id = "CreateBroadcastEvent",
    tag = "Events", request_body = BroadcastRequest<'_>, responses((status = 201, body = Envelope<AcceptedResponse>)))]
pub async fn broadcast(
    State(state): State<ApiState>,
    place: InProject,
    request: Request,
) -> ApiResult<Response> {
    let bytes = body::read_json(request, state.body_limit()).await?;
    let request: BroadcastRequest<'_> = body::parse_borrowed(body::text(&bytes)?)?;
    accept(&state, &place, &bytes, request.try_into()?).await
}

async fn accept(
    state: &ApiState,
    place: &InProject,
    bytes: &Bytes,
    incoming: Incoming<'_>,
) -> ApiResult<Response> {
    let key = incoming
        .idempotency_key
        .as_ref()
        .map(|key| key.0.as_ref())
        .filter(|key| !key.is_empty());
    if key.is_some_and(|key| key.contains('\0')) {
        return Err(ApiError::invalid("idempotency_key", NUL_REASON));
    }
    // A part of the body's own memory: the payload is not copied. It was checked to be text.
    let data = ByteString::try_from(bytes.slice_ref(incoming.data.get().as_bytes()))
        .map_err(|error| services::Error::internal(error.to_string()))?;
    let new = NewEvent {
        target: incoming.target,
        event_type: &incoming.event_type,
        data,
        headers: incoming.headers.map(|headers| headers.0).unwrap_or_default(),
        idempotency_key: key,
    };
    let accepted = services::ingest::accept(&state.services, &place.actor, place.project, new).await?;
    Ok(accepted_response(
        accepted.id,
        if accepted.duplicate { DUPLICATE } else { QUEUED },
    ))
}

/// The envelope with the event's id, put together without a serialiser. `message` needs no escapes.
fn accepted_response(id: EventId, message: &str) -> Response {
    let mut uid = Uuid::encode_buffer();
    let uid = id.0.hyphenated().encode_lower(&mut uid);
    let body = [
        "{\"status\":true,\"message\":\"",
        message,
        "\",\"data\":{\"uid\":\"",
        uid,
        "\"}}",
    ]
    .concat();
    json(StatusCode::CREATED, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal<'a, T>(body: &'a str) -> String
    where
        T: Deserialize<'a> + TryInto<Incoming<'a>, Error = ApiError>,
    {
        match body::parse_borrowed::<T>(body).and_then(TryInto::try_into) {
            Err(ApiError::Service(error)) => error.to_string(),
            Err(other) => panic!("{other:?}"),
            Ok(incoming) => panic!("taken: {:?}", incoming.target),
        }
    }

    #[test]
    fn fields_and_payload_are_borrowed_from_the_body() {
        let body = r#"{"event_type":"a.b","data":{"n":1.50, "t":"\u00e9"},"app_id":"01932b0c-0000-7000-8000-000000000001"}"#;
        let request: EventRequest<'_> = body::parse_borrowed(body).expect("fits");
        let incoming = Incoming::try_from(request).expect("has a target");
        assert!(matches!(incoming.event_type, Cow::Borrowed("a.b")));
        assert_eq!(incoming.data.get(), r#"{"n":1.50, "t":"\u00e9"}"#);
        assert!(
            body.as_bytes()
                .as_ptr_range()
                .contains(&incoming.data.get().as_ptr())
        );
    }

    #[test]
    fn every_refusal_names_its_field() {
        let id = "01932b0c-0000-7000-8000-000000000001";
        for (body, start) in [
            ("{}".to_owned(), "event_type:is required"),
            (
                r#"{"event_type":"a","data":1}"#.to_owned(),
                "endpoint_id:is required",
            ),
            (
                r#"{"event_type":"a","data":1,"endpoint_id":"x"}"#.to_owned(),
                "endpoint_id:must be",
            ),
            (
                format!(r#"{{"event_type":"a","endpoint_id":"{id}"}}"#),
                "data:is required",
            ),
            (
                format!(r#"{{"event_type":7,"data":1,"endpoint_id":"{id}"}}"#),
                "event_type:invalid type",
            ),
            (
                format!(r#"{{"event_type":"a","data":1,"endpoint_id":"{id}","custom_headers":{{"a":1}}}}"#),
                "custom_headers",
            ),
            (
                format!(r#"{{"event_type":"a","data":{{]}},"endpoint_id":"{id}"}}"#),
                "body:not valid JSON",
            ),
        ] {
            let message = refusal::<EventRequest<'_>>(&body);
            assert!(message.starts_with(start), "{message}");
        }
        assert!(
            refusal::<FanoutRequest<'_>>(r#"{"event_type":"a","data":1}"#)
                .starts_with("owner_id:is required")
        );
    }

    #[test]
    fn a_deep_payload_is_refused() {
        let body = format!(
            r#"{{"event_type":"a","data":{}{}}}"#,
            "[".repeat(200),
            "]".repeat(200)
        );
        assert_eq!(
            refusal::<BroadcastRequest<'_>>(&body),
            "data:nested deeper than 100 levels"
        );
    }
}
