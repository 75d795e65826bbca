//! `longhaul bootstrap`: something to start from, for people and scripts.

use clap::Args;
use domain::role::Role;
use serde_json::json;
use services::bootstrap::Bootstrap as Wanted;

use super::{Outcome, Output, print_json};
use crate::config::Config;
use crate::wiring;

/// First user, organisation, project and API key.
#[derive(Debug, Args)]
pub(super) struct Bootstrap {
    /// Address that the user signs in with.
    #[arg(long)]
    email: String,
    /// Password of at least 8 characters; an existing user keeps the one it has.
    #[arg(long, env = "LONGHAUL_BOOTSTRAP_PASSWORD", hide_env_values = true)]
    password: String,
    /// Name of the organisation.
    #[arg(long, default_value = "Default Organisation")]
    organisation: String,
    /// Name of the project.
    #[arg(long, default_value = "default")]
    project: String,
    /// Make another API key although the project has one.
    #[arg(long)]
    new_key: bool,
}

pub(super) async fn run(config: &Config, command: Bootstrap, format: Output) -> Outcome {
    let services = wiring::services(config, wiring::clock(config))?;
    services.catalog.reload().await?;
    // The first project is backed up when the configuration names a place for copies.
    services::storage_policies::sync_configuration(&services).await?;
    let wanted = Wanted {
        email: command.email,
        password: command.password,
        organisation_name: command.organisation,
        project_name: command.project,
        new_api_key: command.new_key,
    };
    let made = services::bootstrap::bootstrap(&services, wanted).await?;
    let key = made.api_key.as_ref().map(|key| key.clear.clone());
    if format == Output::Json {
        return print_json(&json!({
            "user": { "uid": made.user.id, "email": made.user.email, "role": Role::InstanceAdmin.as_str() },
            "organisation": { "uid": made.organisation.id, "name": made.organisation.name },
            "project": { "uid": made.project.id, "name": made.project.name },
            "api_key": key,
        }));
    }
    println!("User          {} ({})", made.user.email, made.user.id);
    println!(
        "Organisation  {} ({})",
        made.organisation.name, made.organisation.id
    );
    println!("Project       {} ({})", made.project.name, made.project.id);
    match key {
        Some(key) => println!("API key       {key}\n\nThe key is shown only now. Keep it."),
        None => println!("API key       made earlier; --new-key makes another one"),
    }
    Ok(())
}
