//! What the overview shows.

use domain::state::EndpointState;
use serde::{Deserialize, Serialize};

use crate::{
    features::{
        common::{Attention, ProjectRef},
        deliveries::dto::DeliveryRow,
    },
    ui::{chart::Chart, heat::Strip, stat::Stat, tabs::Tab},
};

/// One endpoint with its range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointSummary {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// State.
    pub state: EndpointState,
    /// Deliveries that succeeded.
    pub delivered: String,
    /// Deliveries that failed.
    pub failed: String,
    /// 95th percentile from accepted to delivered; empty when unknown.
    pub p95: String,
}

/// What the overview shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverviewDto {
    /// The project.
    pub project: ProjectRef,
    /// `7 endpoints`, `19 subscriptions`, `Kept 30 days`.
    pub meta: Vec<String>,
    /// Ranges of the numbers.
    pub ranges: Vec<Tab>,
    /// The chosen range in words: `Last 24 hours`.
    pub range: String,
    /// What wants a person.
    pub attention: Vec<Attention>,
    /// At most four numbers.
    pub stats: Vec<Stat>,
    /// Success over the range.
    pub chart: Chart,
    /// Width of one bar in words: `per 15 min, UTC`.
    pub chart_note: String,
    /// The endpoints with the most failures first, at most seven.
    pub endpoints: Vec<EndpointSummary>,
    /// The days.
    pub days: Strip,
    /// A sentence about the days.
    pub days_note: String,
    /// The last failed deliveries, at most six.
    pub failures: Vec<DeliveryRow>,
    /// Count of failures in the range.
    pub failed: String,
    /// Command that sends the first event; empty once there was one.
    pub first_event: String,
}
