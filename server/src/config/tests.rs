//! Precedence, aliases, unknown names, masking, and that the manual is complete.

use std::fs;
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::*;

pub(super) type Loaded = (Config, Provenance, Vec<Warning>);

pub(super) fn env(pairs: &[(&str, &str)]) -> LoadOptions {
    let env = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    LoadOptions {
        env,
        ..LoadOptions::default()
    }
}

#[track_caller]
pub(super) fn loaded(options: &LoadOptions) -> Loaded {
    Config::load(options).unwrap_or_else(|errors| panic!("{errors}"))
}

#[track_caller]
pub(super) fn refused(options: &LoadOptions) -> Vec<String> {
    Config::load(options)
        .expect_err("a configuration that is refused")
        .0
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// A folder with one file, and options that look there.
pub(super) fn with_file(name: &str, text: &str) -> (tempfile::TempDir, LoadOptions) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join(name), text).expect("a file");
    let options = LoadOptions {
        directory: Some(folder.path().to_owned()),
        ..LoadOptions::default()
    };
    (folder, options)
}

pub(super) fn source(loaded: &Loaded, key: &str) -> String {
    loaded.1.source_of(key).expect("a key that exists").to_string()
}

#[test]
fn the_defaults_alone_are_a_valid_configuration() {
    let (config, provenance, warnings) = loaded(&LoadOptions::default());
    assert_eq!(config.server.listen_address().to_string(), "0.0.0.0:5005");
    assert_eq!(config.server.public_base(), "http://localhost:5005");
    assert_eq!(config.delivery.timeout, Duration::from_secs(10));
    assert_eq!(config.partitions.days_ahead, 14);
    assert_eq!(
        config.redis.connection_url().expose_secret(),
        "redis://localhost:6379/0"
    );
    assert_eq!(
        config.database.connection_url().expose_secret(),
        "postgres://postgres@localhost:5432/longhaul"
    );
    assert!(!config.dev.clock && config.features.is_empty() && config.delivery.allow_addresses.is_empty());
    assert!(
        provenance
            .keys()
            .iter()
            .all(|effective| effective.source == Source::Default)
    );
    assert_eq!(warnings, []);
}

#[test]
fn the_manual_names_every_key_and_every_alias_is_sound() {
    let mut section = String::new();
    let mut named = BTreeSet::new();
    for line in DEFAULT_FILE.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((name, _)) = line.trim_start_matches("# ").split_once(" = ") {
            named.insert(format!("{section}{name}"));
        }
    }
    for key in &key::KEYS {
        assert!(
            named.contains(key.path),
            "{} is missing in the default file",
            key.path
        );
    }
    for alias in &alias::ALIASES {
        assert!(key::find(alias.key).is_some(), "{alias:?}");
        assert!(
            !alias.variable.is_some_and(alias::is_unused_variable),
            "{alias:?}"
        );
        assert!(!alias.path.is_some_and(alias::is_unused_path), "{alias:?}");
    }
    assert_eq!(named.len(), key::KEYS.len());
}

#[test]
fn flags_beat_environment_beats_file_beats_default() {
    let (folder, mut options) = with_file(
        "longhaul.toml",
        "[server]\nport = 1001\n[log]\nlevel = \"warn\"\n",
    );
    let from_file = loaded(&options);
    assert_eq!(from_file.0.server.port, 1001);
    assert_eq!(
        source(&from_file, "server.port"),
        format!("file {}", folder.path().join("longhaul.toml").display())
    );
    assert_eq!(source(&from_file, "log.format"), "default");

    options
        .env
        .insert("LONGHAUL_SERVER_PORT".to_owned(), "1002".to_owned());
    let from_env = loaded(&options);
    assert_eq!(
        (from_env.0.server.port, from_env.0.log.level),
        (1002, LogLevel::Warn)
    );
    assert_eq!(
        source(&from_env, "server.port"),
        "environment LONGHAUL_SERVER_PORT"
    );

    let flag = FlagValue {
        flag: "--port".into(),
        key: "server.port".into(),
        value: "1003".into(),
    };
    options.flags.push(flag);
    let from_flag = loaded(&options);
    assert_eq!(from_flag.0.server.port, 1003);
    assert_eq!(source(&from_flag, "server.port"), "flag --port");
}

#[test]
fn an_alias_in_the_environment_beats_the_own_name_in_a_file() {
    let (_folder, mut options) = with_file("longhaul.json", r#"{"server": {"port": 1001}}"#);
    options.env.insert("PORT".to_owned(), "1002".to_owned());
    assert_eq!(loaded(&options).0.server.port, 1002);
}

#[test]
fn an_alias_that_says_the_same_is_fine_and_the_own_name_is_shown() {
    let both = loaded(&env(&[("PORT", "6000"), ("LONGHAUL_SERVER_PORT", "6000")]));
    assert_eq!(both.0.server.port, 6000);
    assert_eq!(source(&both, "server.port"), "environment LONGHAUL_SERVER_PORT");
}

#[test]
fn names_that_contradict_one_another_are_named() {
    let errors = refused(&env(&[("PORT", "6000"), ("LONGHAUL_SERVER_PORT", "6001")]));
    assert_eq!(errors.len(), 1);
    assert!(errors[0].starts_with("server.port: "), "{}", errors[0]);
    assert!(
        errors[0].contains("LONGHAUL_SERVER_PORT") && errors[0].contains("environment PORT"),
        "{}",
        errors[0]
    );

    let errors = refused(&env(&[
        ("DATABASE_URL", "postgres://a:hidden1@h/d"),
        ("CONVOY_DB_DSN", "postgres://a:hidden2@h/d"),
    ]));
    assert!(
        errors[0].contains("DATABASE_URL") && errors[0].contains("CONVOY_DB_DSN"),
        "{}",
        errors[0]
    );
    assert!(!errors[0].contains("hidden"), "{}", errors[0]);

    let (_folder, options) = with_file(
        "convoy.json",
        r#"{"server": {"port": 1, "http": {"port": 2}}, "log": {"level": "info"}}"#,
    );
    let errors = refused(&options);
    assert!(errors[0].contains("server.http.port"), "{}", errors[0]);
}

#[test]
fn variables_of_the_replaced_gateway_work() {
    let (config, ..) = loaded(&env(&[
        ("CONVOY_DB_HOST", "db.internal"),
        ("CONVOY_DB_PASSWORD", "p@ss/word"),
        ("CONVOY_DB_DATABASE", "convoy"),
        ("CONVOY_DB_OPTIONS", "sslmode=disable"),
        ("CONVOY_DB_MAX_OPEN_CONN", "0"),
        ("CONVOY_REDIS_SCHEME", "rediss"),
        ("CONVOY_REDIS_HOST", "cache.internal"),
        ("CONVOY_REDIS_PASSWORD", "123"),
        ("CONVOY_REDIS_DATABASE", "2"),
        ("CONVOY_LOGGER_LEVEL", "fatal"),
        ("CONVOY_HOST", "hooks.example.com"),
        ("CONVOY_ROOT_PATH", "/hooks"),
        ("CONVOY_MAX_RESPONSE_SIZE", "10"),
        ("CONVOY_MAX_RETRY_SECONDS", "0"),
        ("CONVOY_DISPATCHER_ALLOW_LIST", "127.0.0.0/8, ::1"),
        ("CONVOY_ENABLE_FEATURE_FLAG", "retention-policy"),
    ]));
    assert_eq!(
        config.database.connection_url().expose_secret(),
        "postgres://postgres:p%40ss%2Fword@db.internal:5432/convoy?sslmode=disable"
    );
    assert_eq!(
        config.redis.connection_url().expose_secret(),
        "rediss://:123@cache.internal:6379/2"
    );
    assert_eq!(config.database.max_connections, 20);
    assert_eq!(config.log.level, LogLevel::Error);
    assert_eq!(config.server.public_base(), "https://hooks.example.com/hooks");
    assert!(config.security.secure_cookies(&config.server));
    assert_eq!(config.delivery.max_response_bytes, 10_240);
    assert_eq!(config.delivery.max_retry_seconds, 7_200);
    assert!(config.has_feature("retention-policy"));
    let policy = config.delivery.address_policy();
    assert_eq!(policy.is_refused("127.0.0.1".parse().expect("an address")), None);
    assert_eq!(policy.is_refused("::1".parse().expect("an address")), None);
    assert!(
        policy
            .is_refused("10.0.0.1".parse().expect("an address"))
            .is_some()
    );
}

#[test]
fn the_file_of_the_replaced_gateway_works() {
    let (_folder, options) = with_file(
        "convoy.json",
        r#"{
            "host": "localhost:7000", "database": {"dsn": "postgres://u@h/d"}, "server": {"http": {"port": 7000}},
            "redis": {"scheme": "rediss", "host": "r", "port": 6380, "password": "x"}, "enable_feature_flag": ["retention-policy"],
            "smtp": {"url": "mail"}, "something": {"new": 1},
            "instance_ingest_rate": 25, "api_rate_limit": 25, "dispatcher": {"skip_ping_validation": true}
        }"#,
    );
    let (config, _, warnings) = loaded(&options);
    assert_eq!(config.server.port, 7_000);
    assert_eq!(config.server.public_base(), "http://localhost:7000");
    assert_eq!(
        config.redis.connection_url().expose_secret(),
        "rediss://:x@r:6380/0"
    );
    assert_eq!(
        config.database.connection_url().expose_secret(),
        "postgres://u@h/d"
    );
    assert!(config.has_feature("retention-policy"));
    let texts: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    for unused in [
        "smtp.url",
        "instance_ingest_rate",
        "api_rate_limit",
        "dispatcher.skip_ping_validation",
    ] {
        let is_named = |text: &&String| text.contains(unused) && text.contains("does not use");
        assert!(texts.iter().any(|text| is_named(&text)), "{unused}: {texts:?}");
    }
    assert!(
        texts.iter().any(|text| text.contains("something.new")),
        "{texts:?}"
    );
}

#[test]
fn unknown_own_names_are_errors_with_a_suggestion() {
    let errors = refused(&env(&[("LONGHAUL_SERVER_PROT", "1")]));
    assert_eq!(
        errors,
        ["environment LONGHAUL_SERVER_PROT: no setting has this name; did you mean LONGHAUL_SERVER_PORT?"]
    );
    let (_folder, options) = with_file(
        "longhaul.toml",
        "[delivery]\ntimeuot = \"5s\"\n[nonsense]\nx = 1\n",
    );
    let errors = refused(&options);
    assert_eq!(errors.len(), 2);
    assert!(
        errors[0].starts_with("delivery.timeuot (file ")
            && errors[0].contains("did you mean delivery.timeout?")
    );
    assert!(errors[1].starts_with("nonsense.x (file "), "{errors:?}");
}

#[test]
fn foreign_names_are_warnings_and_those_of_other_programs_are_passed_over() {
    let (_, _, warnings) = loaded(&env(&[
        ("CONVOY_JWT_SECRET", "hidden"),
        ("CONVOY_API_RATE_LIMIT", "25"),
        ("CONVOY_INSTANCE_INGEST_RATE", "25"),
        ("CONVOY_DISPATCHER_SKIP_PING_VALIDATION", "false"),
        ("CONVOY_STORAGE_AZURE_ACCOUNT_NAME", "b"),
        ("CONVOY_REDIS_HOTS", "typo"),
        ("STREAMS_ARCHIVE", "true"),
        ("S3_STORAGE_CLASS", "STANDARD"),
        ("PACT_BROKER_DATABASE_CLEAN_ENABLED", "true"),
        ("CONVOY_STORAGE_PREM_PATH", ""),
        ("PATH", "/bin"),
        ("LONGHAUL_DEV_DIR", ".dev"),
    ]));
    let texts: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 9, "{texts:?}");
    assert!(texts.iter().all(|text| !text.contains("hidden")));
    assert!(
        texts
            .iter()
            .any(|text| text.contains("CONVOY_REDIS_HOTS") && text.contains("CONVOY_REDIS_HOST?"))
    );
}

#[test]
fn everything_wrong_is_listed_at_once_with_its_source() {
    let mut options = env(&[
        ("LONGHAUL_SERVER_PORT", "70000"),
        ("LONGHAUL_DELIVERY_TIMEOUT", "soon"),
        ("LONGHAUL_DELIVERY_DENY_ADDRESSES", "10.0.0.0/8,ten"),
        ("LONGHAUL_LOG_FORMAT", "yaml"),
        ("LONGHAUL_QUEUE_VISIBILITY_TIMEOUT", "5s"),
        ("LONGHAUL_SECURITY_ENCRYPTION_KEY", "hidden-and-too-short"),
        ("LONGHAUL_FEATURES", "retention-polcy"),
        ("DATABASE_URL", "mysql://u:hidden@h/d"),
    ]);
    options.flags.push(FlagValue {
        flag: "--dev-clock".into(),
        key: "dev.clock".into(),
        value: "maybe".into(),
    });
    let errors = refused(&options);
    for part in [
        "server.port (environment LONGHAUL_SERVER_PORT): must be a whole number from 1 to 65535",
        "delivery.timeout (environment LONGHAUL_DELIVERY_TIMEOUT)",
        "`ten` is not an address",
        "must be one of text, json",
        "queue.visibility_timeout (environment LONGHAUL_QUEUE_VISIBILITY_TIMEOUT): must be longer",
        "security.encryption_key (environment LONGHAUL_SECURITY_ENCRYPTION_KEY): must be 32 bytes",
        "did you mean retention-policy?",
        "database.url (environment DATABASE_URL): must be an address that starts with postgres://",
        "dev.clock (flag --dev-clock): must be true or false",
    ] {
        assert!(
            errors.iter().any(|error| error.contains(part)),
            "{part} is missing in {errors:#?}"
        );
    }
    assert_eq!(errors.len(), 9, "{errors:#?}");
    assert!(
        errors.iter().all(|error| !error.contains("hidden")),
        "{errors:#?}"
    );
}

#[test]
fn the_dev_clock_is_refused_unless_the_listener_is_loopback() {
    let errors = refused(&env(&[("LONGHAUL_DEV_CLOCK", "1")]));
    assert!(
        errors[0].starts_with("dev.clock (environment LONGHAUL_DEV_CLOCK): is refused"),
        "{errors:?}"
    );
    for bind in ["127.0.0.1", "::1"] {
        assert!(
            loaded(&env(&[
                ("LONGHAUL_DEV_CLOCK", "1"),
                ("LONGHAUL_SERVER_BIND", bind)
            ]))
            .0
            .dev
            .clock
        );
    }
}

#[test]
fn secrets_are_masked_wherever_they_are_shown() {
    let key = "ab".repeat(32);
    let (config, provenance, _) = loaded(&env(&[
        (
            "LONGHAUL_DATABASE_URL",
            "postgres://user:hidden1@host/db?sslpassword=hidden2&sslmode=require",
        ),
        ("REDIS_URL", "redis://:hidden3@host:6379/0"),
        ("LONGHAUL_DATABASE_PASSWORD", "hidden4"),
        ("LONGHAUL_SECRET_KEY", key.as_str()),
    ]));
    let shown = [
        provenance.render_effective(Format::Text),
        provenance.render_effective(Format::Json),
        format!("{config:?}"),
        format!("{provenance:?}"),
    ];
    for text in &shown {
        assert!(!text.contains("hidden") && !text.contains(&key), "{text}");
    }
    assert!(shown[0].contains("postgres://user:***@host/db"), "{}", shown[0]);
    assert!(shown[0].contains("environment REDIS_URL"));
    assert_eq!(config.security.encryption_key(), Some([0xab; 32]));
}

#[test]
fn the_effective_configuration_shows_every_key_as_json() {
    let (_, provenance, _) = loaded(&env(&[("PORT", "6000")]));
    let shown: serde_json::Value =
        serde_json::from_str(&provenance.render_effective(Format::Json)).expect("valid JSON");
    assert_eq!(
        shown["server.port"],
        serde_json::json!({"value": 6000, "source": "environment PORT"})
    );
    assert_eq!(
        shown["database.url"],
        serde_json::json!({"value": null, "source": "default"})
    );
    assert_eq!(shown.as_object().map(serde_json::Map::len), Some(key::KEYS.len()));
}

#[test]
fn a_part_that_loses_against_a_whole_address_is_a_warning() {
    let (_, _, warnings) = loaded(&env(&[
        ("REDIS_URL", "redis://h"),
        ("CONVOY_REDIS_HOST", "other"),
    ]));
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].0.contains("redis.host") && warnings[0].0.contains("CONVOY_REDIS_HOST"),
        "{warnings:?}"
    );
}

#[test]
fn an_allow_list_that_opens_nothing_is_a_warning() {
    let (_, _, warnings) = loaded(&env(&[("CONVOY_DISPATCHER_ALLOW_LIST", "0.0.0.0/0,10.0.0.0/8")]));
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].0.contains("0.0.0.0/0 opens nothing"), "{warnings:?}");
}

#[test]
fn a_file_that_was_named_must_exist_and_be_readable() {
    let missing = LoadOptions {
        file: Some("no/such/longhaul.toml".into()),
        ..LoadOptions::default()
    };
    assert!(refused(&missing)[0].contains("cannot be read"));
    assert!(refused(&env(&[("LONGHAUL_CONFIG", "no/such/file.json")]))[0].contains("cannot be read"));

    let (_folder, options) = with_file("longhaul.toml", "[database]\n\npassword = hidden\n");
    let errors = refused(&options);
    assert!(
        errors[0].contains("is not TOML, near line 3") && !errors[0].contains("hidden"),
        "{errors:?}"
    );
    let (_folder, options) = with_file("longhaul.json", "{\"database\": hidden}");
    let errors = refused(&options);
    assert!(
        errors[0].contains("is not JSON, at line 1") && !errors[0].contains("hidden"),
        "{errors:?}"
    );
}

#[test]
fn a_second_file_is_not_read_and_said_so() {
    let (folder, options) = with_file("longhaul.toml", "[server]\nport = 1001\n");
    fs::write(
        folder.path().join("convoy.json"),
        r#"{"server": {"http": {"port": 1002}}}"#,
    )
    .expect("a file");
    let (config, _, warnings) = loaded(&options);
    assert_eq!(config.server.port, 1001);
    assert!(warnings[0].0.contains("convoy.json is not read"), "{warnings:?}");
}

#[test]
fn the_address_of_cargo_leptos_sets_address_and_port() {
    let (config, ..) = loaded(&env(&[("LEPTOS_SITE_ADDR", "127.0.0.1:5006")]));
    assert_eq!(config.server.listen_address().to_string(), "127.0.0.1:5006");
}

#[test]
fn a_socket_folder_and_a_bare_ipv6_host_make_valid_addresses() {
    let (config, ..) = loaded(&env(&[
        ("CONVOY_DB_HOST", "/var/run/postgresql"),
        ("CONVOY_REDIS_HOST", "::1"),
    ]));
    assert_eq!(
        config.database.connection_url().expose_secret(),
        "postgres://postgres@localhost:5432/longhaul?host=%2Fvar%2Frun%2Fpostgresql"
    );
    assert_eq!(
        config.redis.connection_url().expose_secret(),
        "redis://[::1]:6379/0"
    );
}
