//! Turning rows into what callers see.

use db::entities::{endpoint, endpoint_secret};
use domain::id::{EndpointId, ProjectId, SecretId};
use domain::state::EndpointState;

use super::model::{Authentication, Endpoint, EndpointSecret, SignatureFormat};
use crate::Services;
use crate::error::{Error, Result};
use crate::vault::Vault;

/// Stands for a secret that is not shown; its last characters follow.
const MASK: &str = "••••";

pub(super) fn read_secret(
    vault: &Vault,
    row: &endpoint_secret::Model,
    clear: bool,
) -> Result<EndpointSecret> {
    let value = vault.open_text(&row.value)?;
    Ok(EndpointSecret {
        id: SecretId(row.id),
        value: if clear { value } else { masked(&value) },
        expires_at: row.expires_at,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

/// Tells secrets apart without telling them: the last four characters of long ones.
fn masked(secret: &str) -> String {
    let length = secret.chars().count();
    let tail: String = if length < 16 {
        String::new()
    } else {
        secret.chars().skip(length - 4).collect()
    };
    format!("{MASK}{tail}")
}

pub(super) fn open_authentication(vault: &Vault, stored: Option<&[u8]>) -> Result<Option<Authentication>> {
    let Some(stored) = stored else { return Ok(None) };
    serde_json::from_slice(&vault.open(stored)?)
        .map(Some)
        .map_err(Error::internal)
}

pub(super) fn read(
    services: &Services,
    row: endpoint::Model,
    secrets: &[endpoint_secret::Model],
    clear: bool,
) -> Result<Endpoint> {
    let vault = &services.vault;
    let authentication = open_authentication(vault, row.authentication.as_deref())?;
    Ok(Endpoint {
        id: EndpointId(row.id),
        project_id: ProjectId(row.project_id),
        name: row.name,
        url: row.url,
        description: row.description,
        owner_id: row.owner_id,
        state: EndpointState::from_code(row.state).unwrap_or(EndpointState::Inactive),
        state_reason: row.state_reason,
        state_changed_at: row.state_changed_at,
        content_type: row.content_type,
        http_timeout: row.http_timeout.unsigned_abs(),
        rate_limit: row.rate_limit.unsigned_abs(),
        rate_limit_duration: row.rate_limit_duration.unsigned_abs(),
        advanced_signatures: row.advanced_signatures,
        signature_format: SignatureFormat::parse(&row.signature_format).unwrap_or_default(),
        support_email: row.support_email,
        slack_webhook_url: row.slack_webhook_url,
        teams_webhook_url: row.teams_webhook_url,
        authentication: authentication.map(Authentication::redacted),
        secrets: secrets
            .iter()
            .map(|secret| read_secret(vault, secret, clear))
            .collect::<Result<_>>()?,
        created_at: row.created_at,
        updated_at: row.updated_at,
        deleted_at: row.deleted_at,
    })
}
