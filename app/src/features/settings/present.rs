//! From the use cases to the settings pages.

use domain::{project::StrategyKind, state::DeliveryState};
use services::{
    api_keys,
    deliveries::{self, DeliveryFilter},
    projects::{self, Project, ProjectSummary},
};

use super::dto::{DangerDto, GeneralDto, GeneralForm, KeyRow, KeysDto, SignatureDto, VersionRow};
use crate::{
    context::{InProject, in_project, take_kept},
    error::UiError,
    features::{common::first_event_command, words},
    format::{self, Stamp},
    ui::load::Place,
};

/// Key under which a fresh API key is kept for the next page of keys.
pub const FRESH_KEY: &str = "api_key";

/// The project with its settings.
///
/// # Errors
/// When a store is away.
pub async fn summary(at: &InProject) -> Result<ProjectSummary, UiError> {
    Ok(projects::get(&at.by.services, &at.by.actor, at.id).await?)
}

/// What the general settings page shows.
///
/// # Errors
/// When the project does not exist for the viewer or a store is away.
pub async fn general(place: Place) -> Result<GeneralDto, UiError> {
    let at = in_project(&place.project).await?;
    let known = summary(&at).await?.project;
    Ok(GeneralDto {
        kind: words::kind(known.kind).to_owned(),
        version: version(&known),
        form: form(&known),
        project: at.project,
    })
}

/// What tells whether somebody changed the project since a form was made.
pub fn version(known: &Project) -> i64 {
    known.updated_at.timestamp_micros()
}

fn form(known: &Project) -> GeneralForm {
    let config = &known.config;
    let strategy = match config.strategy.kind {
        StrategyKind::Linear => "linear",
        StrategyKind::Exponential => "exponential",
        StrategyKind::List => "list",
    };
    GeneralForm {
        name: known.name.clone(),
        strategy: strategy.to_owned(),
        duration: config.strategy.duration.to_string(),
        retry_count: config.strategy.retry_count.to_string(),
        intervals: words::intervals(&config.strategy),
        max_payload: config.max_payload_read_size.to_string(),
        rate_limit: config.ratelimit.count.to_string(),
        rate_limit_duration: config.ratelimit.duration.to_string(),
        enforce_https: config.ssl.enforce_secure_endpoints,
        disable_endpoint: config.disable_endpoint,
        multiple_subscriptions: config.multiple_endpoint_subscriptions,
        id_headers: config.add_event_id_trace_headers,
    }
}

/// What the signature page shows.
///
/// # Errors
/// When the project does not exist for the viewer or a store is away.
pub async fn signature(place: Place) -> Result<SignatureDto, UiError> {
    let at = in_project(&place.project).await?;
    let known = summary(&at).await?.project;
    let versions = known
        .config
        .signature
        .versions
        .iter()
        .enumerate()
        .map(|(i, v)| VersionRow {
            name: format!("v{}", i + 1),
            hash: words::hash(v.hash).to_owned(),
            encoding: words::encoding(v.encoding).to_owned(),
            created: Stamp::ago(v.created_at, at.by.now),
        });
    Ok(SignatureDto {
        version: version(&known),
        header: known.config.signature.header.clone(),
        request_id_header: known.config.request_id_header.clone(),
        versions: versions.collect(),
        project: at.project,
    })
}

/// What the page of keys shows.
///
/// # Errors
/// When the project does not exist for the viewer, or the viewer may not see its keys.
pub async fn keys(place: Place) -> Result<KeysDto, UiError> {
    let at = in_project(&place.project).await?;
    let list = api_keys::list(&at.by.services, &at.by.actor, at.id).await?;
    let created: String = take_kept(FRESH_KEY).await?.unwrap_or_default();
    let now = at.by.now;
    let rows = list
        .into_iter()
        .filter(|key| key.revoked_at.is_none())
        .map(|key| KeyRow {
            id: key.id.to_string(),
            name: key.name,
            mask: key.mask,
            role: key.role.label().to_owned(),
            created: Stamp::ago(key.created_at, now),
            expires: key.expires_at.map(|at| Stamp::ago(at, now)).unwrap_or_default(),
        });
    let command = if created.is_empty() {
        String::new()
    } else {
        let live = at.by.services.catalog.project(at.id);
        let endpoint = live.and_then(|p| p.endpoints.keys().next().copied());
        let endpoint = endpoint.map_or_else(|| "ENDPOINT_ID".to_owned(), |id| id.to_string());
        first_event_command(&at.by.services.options.public_url, &at.project.id, &endpoint)
            .replace("$API_KEY", &created)
    };
    Ok(KeysDto {
        rows: rows.collect(),
        created,
        command,
        project: at.project,
    })
}

/// What deleting the project would remove.
///
/// # Errors
/// When the project does not exist for the viewer or a store is away.
pub async fn danger(place: Place) -> Result<DangerDto, UiError> {
    let at = in_project(&place.project).await?;
    if !at.project.can_edit {
        return Ok(DangerDto {
            project: at.project,
            ..DangerDto::default()
        });
    }
    let counts = summary(&at).await?.counts;
    let (services, actor) = (&at.by.services, &at.by.actor);
    let keys = api_keys::list(services, actor, at.id).await?;
    let open = DeliveryFilter {
        states: vec![DeliveryState::Scheduled, DeliveryState::Retry],
        ..DeliveryFilter::default()
    };
    let waiting = deliveries::count(services, actor, at.id, &open).await?;
    Ok(DangerDto {
        endpoints: format::count(counts.endpoints as i64),
        subscriptions: format::count(counts.subscriptions as i64),
        keys: format::count(keys.iter().filter(|key| key.revoked_at.is_none()).count() as i64),
        waiting: words::counted(waiting),
        project: at.project,
    })
}
