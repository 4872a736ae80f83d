//! The AWS clients' configuration.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

#[cfg(all(feature = "patient", not(debug_assertions)))]
compile_error!(
    "a release build waits for AWS no longer than it should: build it without `patient`"
);

/// The factor for timeouts: a program under valgrind is about fifty times slower.
const TIMEOUT_FACTOR: u32 = if cfg!(feature = "patient") { 50 } else { 1 };

/// Returns the configuration for every AWS client of a function.
///
/// Credentials come from the environment, where Lambda sets them. Other providers would only
/// slow down a cold start. Every call has a timeout.
pub async fn aws_config() -> SdkConfig {
    let http = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1) * TIMEOUT_FACTOR)
        .operation_attempt_timeout(Duration::from_millis(1_500) * TIMEOUT_FACTOR)
        .operation_timeout(Duration::from_secs(2) * TIMEOUT_FACTOR)
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .timeout_config(timeouts)
        // Stalled calls are ended by their timeouts, so measuring the throughput of each body
        // is unnecessary.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .load()
        .await
}
