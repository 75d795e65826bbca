//! The fields of a storage policy. What the configuration sets is shown with its variable.

use leptos::prelude::*;

use super::{
    dto::{StorageDto, StorageForm},
    server_fns::{SaveStorage, TestStorage},
};
use crate::ui::{
    field::{Field, choices, error, set},
    form::{Form, Tone, button_form, hidden, submit, submit_as},
    panel::nothing,
};

/// The form, or the same fields without its buttons when the configuration decides.
pub(super) fn policy_form(dto: &StorageDto) -> AnyView {
    let form = Form::of::<SaveStorage>();
    let values = &dto.form;
    let fields = view! {
        {hidden("project", project_of(dto))}
        {hidden("form[kept]", values.kept.clone())}
        <div class="settings">
            {kind(form, dto)}
            {location(form, dto)}
            {credentials(form, dto)}
            {details(form, dto)}
            {folder(form, dto)}
        </div>
        {buttons(dto)}
    };
    if dto.is_configured {
        let test = button_form(
            Form::of::<TestStorage>(),
            vec![("project", project_of(dto))],
            submit(Tone::Plain, "retry", "Test connection"),
        );
        return view! {
            {form.view("stack-8", fields.into_any())}
            <div class="savebar">{test}<span class="faint">"The configuration decides. Change it there and start again."</span></div>
        }
        .into_any();
    }
    form.view("stack-8", fields.into_any())
}

fn project_of(dto: &StorageDto) -> String {
    dto.project
        .as_ref()
        .map_or_else(String::new, |project| project.id.clone())
}

fn buttons(dto: &StorageDto) -> AnyView {
    if dto.is_configured {
        return nothing();
    }
    let keeps = match dto.version {
        0 => "Saving tests first. Nothing is saved when a test fails.".to_owned(),
        n => format!("Saving tests first and keeps version {n} when a test fails."),
    };
    view! {
        <div class="savebar">
            {submit(Tone::Primary, "", "Save policy")}
            {submit_as("mode", "test", "retry", "Test connection")}
            <span class="faint">{keeps}</span>
        </div>
    }
    .into_any()
}

/// Names the variable of a field; for a field of the configuration also says so.
fn variable(dto: &StorageDto, name: &'static str, more: &'static str) -> String {
    match (&dto.project, dto.is_configured) {
        (Some(_), _) => more.to_owned(),
        (None, false) => format!("{name}. {more}").trim_end_matches([' ', '.']).to_owned(),
        (None, true) => format!("Set by {name} or the file. Change it there."),
    }
}

fn text(
    form: Form,
    dto: &StorageDto,
    (name, label): (&'static str, &'static str),
    value: &str,
    help: String,
) -> Field {
    Field::text(form, name, label)
        .value(value)
        .fixed(dto.is_configured)
        .help(help)
}

fn kind(form: Form, dto: &StorageDto) -> AnyView {
    let s3 = ("s3", "S3", "Any compatible object store");
    let folder = ("on_prem", "On-premises", "A shared folder");
    // A refused folder comes back without script on a fresh page: it must be in sight.
    let chosen = if untrack(|| form.error_of("path").is_some()) {
        "on_prem"
    } else {
        dto.form.kind.as_str()
    };
    let offered = match (dto.is_configured, dto.may_choose_folder, chosen) {
        (true, _, "on_prem") => vec![folder],
        (true, ..) | (false, false, "s3") => vec![s3],
        _ => vec![s3, folder],
    };
    let controls = view! {
        {choices("kind", "Storage type", chosen, &offered)}
        {error(form, "kind", "kind-err".to_owned())}
    };
    let about = if dto.project.is_some() {
        "Only instance admins may choose a folder of the server."
    } else {
        "CONVOY_STORAGE_POLICY_TYPE"
    };
    set("set-kind", "Type", about, controls.into_any())
}

/// A settings row that is there for one type only.
fn only(class: &'static str, row: AnyView) -> AnyView {
    view! { <div class=format!("{class} settings")>{row}</div> }.into_any()
}

fn location(form: Form, dto: &StorageDto) -> AnyView {
    let StorageForm {
        bucket,
        region,
        endpoint,
        prefix,
        ..
    } = &dto.form;
    let field = |of, value: &str, name, more| text(form, dto, of, value, variable(dto, name, more));
    let fields = view! {
        <div class="fields">
            {field(("bucket", "Bucket"), bucket, "CONVOY_STORAGE_AWS_BUCKET", "").view()}
            {field(("region", "Region"), region, "CONVOY_STORAGE_AWS_REGION", "").placeholder("eu-central-1").view()}
            {field(("endpoint", "Endpoint"), endpoint, "CONVOY_STORAGE_AWS_ENDPOINT", "Empty for AWS").optional().placeholder("https://s3.example.com").view()}
            {field(("prefix", "Prefix"), prefix, "CONVOY_STORAGE_AWS_PREFIX", "").optional().placeholder("prod/").view()}
        </div>
    };
    only(
        "only-s3",
        set(
            "set-place",
            "Location",
            "The bucket is created if it does not exist.",
            fields.into_any(),
        ),
    )
}

fn credentials(form: Form, dto: &StorageDto) -> AnyView {
    let tested = !dto.form.kept.is_empty();
    let secret = |name: &'static str, label: &'static str, is_there: bool, variable: String| {
        let help = match (is_there, tested) {
            _ if dto.is_configured => variable,
            (true, true) => "As typed for the test. Leave it empty to use that.".to_owned(),
            (true, false) => "Leave it empty to keep the one that is there.".to_owned(),
            (false, _) => variable,
        };
        let field = Field::password(form, name, label)
            .mono()
            .autocomplete("new-password")
            .fixed(dto.is_configured)
            .help(help);
        if is_there {
            field.placeholder("••••••••")
        } else {
            field
        }
    };
    let fields = view! {
        <div class="fields">
            {text(form, dto, ("access_key", "Access key"), &dto.form.access_key, variable(dto, "CONVOY_STORAGE_AWS_ACCESS_KEY", "")).mono().view()}
            {secret("secret_key", "Secret key", dto.has_secret, variable(dto, "CONVOY_STORAGE_AWS_SECRET_KEY", "")).view()}
            {secret("session_token", "Session token", dto.has_token, variable(dto, "CONVOY_STORAGE_AWS_SESSION_TOKEN", "Goes with a new secret key")).optional().view()}
        </div>
    };
    only(
        "only-s3",
        set(
            "set-secrets",
            "Credentials",
            "Stored encrypted, never shown again. Replacing one is audited.",
            fields.into_any(),
        ),
    )
}

fn details(form: Form, dto: &StorageDto) -> AnyView {
    let words = |list: [(&str, &str); 3]| list.map(|(v, w)| (v.to_owned(), w.to_owned())).to_vec();
    let sse = words([
        ("none", "Whatever the bucket does"),
        ("AES256", "AES256"),
        ("aws:kms", "aws:kms"),
    ]);
    let styles = words([
        ("", "By the store"),
        ("path", "Bucket in the path"),
        ("host", "Bucket in the host name"),
    ]);
    let fixed = dto.is_configured;
    let fields = view! {
        <div class="fields">
            {Field::choice(form, "sse", "Encryption at rest", sse).value(&dto.form.sse).fixed(fixed).view()}
            {text(form, dto, ("kms_key_id", "KMS key"), &dto.form.kms_key_id, "Used by aws:kms only.".to_owned()).optional().mono().view()}
            {Field::choice(form, "addresses", "Addresses", styles).value(&dto.form.addresses).fixed(fixed).help("Most self-hosted stores need the bucket in the path.").view()}
        </div>
    };
    only(
        "only-s3",
        set(
            "set-details",
            "Details",
            "Asked for with every object.",
            fields.into_any(),
        ),
    )
}

fn folder(form: Form, dto: &StorageDto) -> AnyView {
    let help = variable(dto, "CONVOY_STORAGE_PREM_PATH", "");
    let field = text(form, dto, ("path", "Path"), &dto.form.path, help)
        .mono()
        .width("w-l")
        .placeholder("/srv/longhaul-archive");
    only(
        "only-prem",
        set(
            "set-folder",
            "Folder",
            "Must be the same shared folder for every process.",
            field.view(),
        ),
    )
}
