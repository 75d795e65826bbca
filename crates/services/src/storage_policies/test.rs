//! Trying a policy out: what it must look like, who may reach what, and the probe.

use domain::role::Role;
use domain::storage::{ProbeReport, StoragePolicy};
use tokio::net::lookup_host;
use url::Url;

use super::{Scope, newest};
use crate::Services;
use crate::access::Actor;
use crate::changed::now;
use crate::delivery::sender::address_policy;
use crate::error::{Error, Result};
use crate::fields::Fields;

/// Tries a policy out, or with `None` the one that is in effect for the scope. Masked secrets are
/// those of the newest version.
///
/// # Errors
/// [`Error::Invalid`] by the names of the documented JSON; [`Error::NotFound`] when there is no
/// policy to try; [`Error::Forbidden`]. What the store refuses is no error but stands in the report.
pub async fn test(
    services: &Services,
    actor: &Actor,
    scope: Scope,
    policy: Option<StoragePolicy>,
) -> Result<ProbeReport> {
    scope.require(services, actor, Role::ProjectAdmin).await?;
    let in_effect = match scope {
        Scope::Instance => newest(services, scope).await?,
        Scope::Project(project) => super::effective(services, project).await?,
    };
    let policy = match policy {
        Some(given) => {
            let before = newest(services, scope).await?;
            let policy = given.with_secrets_of(before.as_ref().map(|before| &before.policy));
            check(services, actor, &policy).await?;
            policy
        }
        // An admin chose it, for the instance or for the project: no need to judge it again.
        None => match (&in_effect, configured(services, scope)) {
            (_, Some(policy)) => policy,
            (Some(in_effect), None) => in_effect.policy.clone(),
            (None, None) => return Err(Error::NotFound("storage policy")),
        },
    };
    let report = probe(&policy).await;
    if let Some(in_effect) = in_effect.filter(|in_effect| in_effect.policy == policy) {
        let found = serde_json::to_value(&report).map_err(Error::internal)?;
        db::storage_policies::record_probe(&services.db, in_effect.id.0, &found, now(services)).await?;
    }
    Ok(report)
}

/// What the configuration says about a scope. A process of that configuration may not have started.
fn configured(services: &Services, scope: Scope) -> Option<StoragePolicy> {
    match scope {
        Scope::Instance => services.options.storage.clone(),
        Scope::Project(_) => None,
    }
}

/// Tries out a policy that nobody has to be asked about, such as the configured one. For the command
/// line: no actor.
pub async fn probe(policy: &StoragePolicy) -> ProbeReport {
    // Large, and this is no hot path.
    Box::pin(storage::probe::run(policy)).await
}

/// Refuses what cannot work, and what this actor may not reach: who rules only a project chooses no
/// folder of the server and no address inside of its network.
pub(super) async fn check(services: &Services, actor: &Actor, policy: &StoragePolicy) -> Result<()> {
    let mut fields = Fields::new();
    for (field, reason) in policy.validate() {
        fields.refuse(field, reason);
    }
    if fields.count() == 0 && actor.require_instance().is_err() {
        match policy {
            StoragePolicy::OnPrem(_) => fields.refuse(
                "on_prem.path",
                "only an instance admin may choose a folder of the server",
            ),
            StoragePolicy::S3(s3) => {
                if let Some(reason) = unreachable(services, s3.endpoint_url()).await? {
                    fields.refuse("s3.endpoint", reason);
                }
            }
        }
    }
    fields.finish()
}

/// Why an endpoint must not be reached; `None` when it may, or is AWS.
async fn unreachable(services: &Services, endpoint: Option<String>) -> Result<Option<String>> {
    let Some(url) = endpoint else { return Ok(None) };
    let Ok(url) = Url::parse(&url) else {
        return Ok(Some("is not an address".to_owned()));
    };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Ok(Some("must name a host".to_owned()));
    };
    let policy = address_policy(&services.options.delivery)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let Ok(addresses) = lookup_host((host, port)).await else {
        return Ok(Some(format!(
            "{host} is not known to the name service; check its spelling"
        )));
    };
    Ok(addresses.into_iter().find_map(|address| {
        let reason = policy.is_refused(address.ip())?;
        Some(format!(
            "{host} is {reason} ({}); an instance admin may allow it in delivery.allow_addresses, or save this \
             storage",
            address.ip()
        ))
    }))
}
