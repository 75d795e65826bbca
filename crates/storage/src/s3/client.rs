//! How the S3 client is set up.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    AppName, BehaviorVersion, Config, Credentials, Region, RequestChecksumCalculation,
    ResponseChecksumValidation, SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use domain::storage::S3Policy;

/// A store that takes longer to accept a connection is away.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// A body that stands still for longer has stopped.
const STALLED_AFTER: Duration = Duration::from_secs(20);

pub(super) fn build(policy: &S3Policy) -> Client {
    let token = policy.session_token.expose().trim();
    let credentials = Credentials::new(
        policy.access_key.trim(),
        policy.secret_key.expose().trim(),
        (!token.is_empty()).then(|| token.to_owned()),
        None,
        "storage policy",
    );
    let stalled = StalledStreamProtectionConfig::enabled()
        .grace_period(STALLED_AFTER)
        .build();
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(policy.signing_region().to_owned()))
        .credentials_provider(credentials)
        .force_path_style(policy.uses_path_style())
        .http_client(http_client(policy))
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_WITHIN).build())
        .stalled_stream_protection(stalled)
        // Some stores refuse the checksum headers; the signature covers the SHA-256 of every body.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    if let Ok(name) = AppName::new("longhaul") {
        config = config.app_name(name);
    }
    if let Some(url) = policy.endpoint_url() {
        config = config.endpoint_url(url);
    }
    Client::from_conf(config.build())
}

/// Certificates of the machine are loaded only where they are needed.
fn http_client(policy: &S3Policy) -> SharedHttpClient {
    if policy
        .endpoint_url()
        .is_some_and(|url| url.starts_with("http://"))
    {
        Builder::new().build_http()
    } else {
        Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https()
    }
}
