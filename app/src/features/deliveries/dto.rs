//! What the pages about deliveries show.

use domain::state::DeliveryState;
use serde::{Deserialize, Serialize};

use crate::{
    features::common::{NamedRef, ProjectRef},
    format::Stamp,
    ui::{code::Payload, filter::FilterDto, pager::Pager, tabs::Tab, timeline::Step},
};

/// One delivery in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRow {
    /// Id.
    pub id: String,
    /// Event type.
    pub event_type: String,
    /// State.
    pub state: DeliveryState,
    /// Name of the endpoint.
    pub endpoint: String,
    /// Status code of the last answer, or `timeout` and the like; empty before the first attempt.
    pub code: String,
    /// Why it failed, in words; empty otherwise.
    pub reason: String,
    /// Attempts made.
    pub attempts: String,
    /// From accepted to delivered; empty until then.
    pub took: String,
    /// When the event was accepted; in lists of failures, when the delivery failed.
    pub at: Stamp,
}

/// What the list of deliveries shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveriesDto {
    /// The project.
    pub project: ProjectRef,
    /// One tab per state, with counts.
    pub tabs: Vec<Tab>,
    /// The filters.
    pub filter: FilterDto,
    /// The deliveries, newest first.
    pub rows: Vec<DeliveryRow>,
    /// Newer and older.
    pub pager: Pager,
    /// Whether the project has any delivery at all.
    pub any: bool,
    /// How many deliveries the filters match, in words; empty when they cannot be resent.
    pub matching: String,
    /// The filters as a query string, for resending all matches.
    pub query: String,
    /// A run over all matches that is under way, with its progress; empty for none.
    pub batch: String,
}

/// One attempt with all that was sent and answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptDto {
    /// Its number, from 1.
    pub number: u32,
    /// State of the pill: `success` or `failure`.
    pub succeeded: bool,
    /// Status code, or `timeout` and the like.
    pub code: String,
    /// Duration.
    pub took: String,
    /// Address that was connected to; empty when there was no connection.
    pub ip: String,
    /// Method.
    pub method: String,
    /// Address of the endpoint.
    pub url: String,
    /// What was sent.
    pub request_headers: Vec<(String, String)>,
    /// What was sent.
    pub request: Payload,
    /// Status line of the answer; empty when there was none.
    pub status: String,
    /// What was answered.
    pub response_headers: Vec<(String, String)>,
    /// What was answered, cut at the instance's limit.
    pub response: Payload,
    /// Why it failed; empty otherwise.
    pub error: String,
    /// Scheme of the signature in words; empty when unsigned.
    pub scheme: String,
    /// Header lines that carry the signature.
    pub signature: Vec<(String, String)>,
    /// When it was sent.
    pub at: Stamp,
    /// The attempt before; empty for none.
    pub older: String,
    /// The attempt after; empty for none.
    pub newer: String,
}

/// What the page of one delivery shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryDto {
    /// The project.
    pub project: ProjectRef,
    /// Id.
    pub id: String,
    /// Id of the event.
    pub event: String,
    /// Event type.
    pub event_type: String,
    /// State.
    pub state: DeliveryState,
    /// The endpoint.
    pub endpoint: NamedRef,
    /// The subscription; without a name when it is gone.
    pub subscription: NamedRef,
    /// When the event was accepted.
    pub accepted: Stamp,
    /// What the state means, as a heading; empty when it needs no words.
    pub headline: String,
    /// The sentence below it.
    pub explanation: String,
    /// What happened.
    pub steps: Vec<Step>,
    /// Retry rule in words.
    pub retry: String,
    /// Idempotency key; empty for none.
    pub idempotency_key: String,
    /// Day and keep class.
    pub partition: String,
    /// The shown attempt; `None` before the first.
    pub attempt: Option<AttemptDto>,
    /// What will be sent, for a delivery without an attempt.
    pub payload: Payload,
    /// Whether it can be sent again now.
    pub can_resend: bool,
}
