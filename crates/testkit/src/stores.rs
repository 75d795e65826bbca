//! Addresses of the stores that tests use.

/// Redis: `REDIS_URL`, or the private one that `scripts/dev-stores.sh start` runs.
///
/// # Panics
/// When there is neither: no test can run then.
pub fn redis_url() -> String {
    address("REDIS_URL").expect("REDIS_URL is not set and scripts/dev-stores.sh start has not run")
}

/// A variable of the environment, or else of the file that the private stores write.
fn address(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are configured by the environment alone"
    )]
    let given = std::env::var(name).ok();
    given.or_else(|| {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.dev/env");
        let lines = std::fs::read_to_string(file).ok()?;
        lines.lines().find_map(|line| {
            let value = line
                .trim()
                .trim_start_matches("export ")
                .strip_prefix(name)?
                .strip_prefix('=')?;
            Some(value.trim_matches('\'').to_owned())
        })
    })
}
