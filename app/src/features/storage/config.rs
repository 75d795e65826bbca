//! A storage policy as a file and as variables.

use domain::storage::{S3Policy, Sse, StoragePolicy};
use serde::Serialize;
use serde_json::{Value, json};

/// What the documented JSON does not name stands under the names of Longhaul, next to it.
#[derive(Serialize)]
struct File {
    storage_policy: StoragePolicy,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage: Option<Value>,
}

/// The policy as `longhaul.json` has it. Secrets are masked.
pub(super) fn json(policy: &StoragePolicy) -> String {
    let mut file = File {
        storage_policy: policy.clone(),
        storage: None,
    };
    if let StoragePolicy::S3(s3) = &mut file.storage_policy {
        let own = S3Policy {
            path_style: s3.path_style.take(),
            sse: std::mem::take(&mut s3.sse),
            kms_key_id: std::mem::take(&mut s3.kms_key_id),
            ..S3Policy::default()
        };
        let mut own = serde_json::to_value(own).unwrap_or_default();
        if let Some(fields) = own.as_object_mut() {
            fields.retain(|_, value| value.as_str() != Some(""));
            file.storage = (!fields.is_empty()).then(|| json!({ "s3": fields }));
        }
    }
    serde_json::to_string_pretty(&file).unwrap_or_default()
}

/// The policy as variables, one per line. Secrets are masked.
pub(super) fn environment(policy: &StoragePolicy) -> String {
    let mut lines = vec![("CONVOY_STORAGE_POLICY_TYPE", policy.kind().to_owned())];
    match policy.masked() {
        StoragePolicy::OnPrem(folder) => lines.push(("CONVOY_STORAGE_PREM_PATH", folder.path)),
        StoragePolicy::S3(s3) => {
            let path_style = s3.path_style.map_or_else(String::new, |on| on.to_string());
            let sse = match s3.sse {
                Sse::None => "",
                Sse::Aes256 => "AES256",
                Sse::AwsKms => "aws:kms",
            };
            lines.extend([
                ("CONVOY_STORAGE_AWS_PREFIX", s3.prefix),
                ("CONVOY_STORAGE_AWS_BUCKET", s3.bucket),
                ("CONVOY_STORAGE_AWS_ACCESS_KEY", s3.access_key),
                ("CONVOY_STORAGE_AWS_SECRET_KEY", s3.secret_key.expose().to_owned()),
                ("CONVOY_STORAGE_AWS_REGION", s3.region),
                (
                    "CONVOY_STORAGE_AWS_SESSION_TOKEN",
                    s3.session_token.expose().to_owned(),
                ),
                ("CONVOY_STORAGE_AWS_ENDPOINT", s3.endpoint),
                ("LONGHAUL_STORAGE_S3_PATH_STYLE", path_style),
                ("LONGHAUL_STORAGE_S3_SSE", sse.to_owned()),
                ("LONGHAUL_STORAGE_S3_KMS_KEY_ID", s3.kms_key_id),
            ]);
        }
    }
    let told = lines.into_iter().filter(|(_, value)| !value.is_empty());
    told.map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use domain::storage::Secret;

    use super::*;

    #[test]
    fn both_say_the_policy_without_its_secrets() {
        let policy = StoragePolicy::S3(S3Policy {
            bucket: "longhaul-archive".to_owned(),
            secret_key: Secret::new("hidden"),
            path_style: Some(true),
            ..S3Policy::default()
        });
        let file: Value = serde_json::from_str(&json(&policy)).expect("JSON");
        assert_eq!(file["storage_policy"]["type"], "s3");
        assert_eq!(file["storage_policy"]["s3"]["bucket"], "longhaul-archive");
        assert_eq!(file["storage_policy"]["s3"].get("path_style"), None);
        assert_eq!(file["storage"]["s3"]["path_style"], true);
        let variables = environment(&policy);
        assert!(
            variables.starts_with("CONVOY_STORAGE_POLICY_TYPE=s3\n"),
            "{variables}"
        );
        assert!(
            variables.contains("CONVOY_STORAGE_AWS_BUCKET=longhaul-archive"),
            "{variables}"
        );
        assert!(
            variables.contains("LONGHAUL_STORAGE_S3_PATH_STYLE=true"),
            "{variables}"
        );
        assert!(!variables.contains("hidden") && !json(&policy).contains("hidden"));
        assert!(!variables.contains("REGION"), "{variables}");
    }
}
