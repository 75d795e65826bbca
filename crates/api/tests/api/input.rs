//! Wrong input is refused with the name of the field, and never breaks the server.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Answer, World, read};
use crate::operations::{Operation, document, operations};

/// Bodies that no route takes.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let nested =
        |open: &str, close: &str, depth: usize| (open.repeat(depth) + &close.repeat(depth)).into_bytes();
    vec![
        ("nothing", Vec::new()),
        ("blank", b"   ".to_vec()),
        ("a word", b"hello".to_vec()),
        ("a number", b"42".to_vec()),
        ("a text", b"\"text\"".to_vec()),
        ("true", b"true".to_vec()),
        ("cut object", b"{\"name\":".to_vec()),
        ("cut text", b"{\"name\":\"a".to_vec()),
        ("trailing comma", b"{\"name\":\"a\",}".to_vec()),
        ("two values", b"{} {}".to_vec()),
        ("byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        ("invalid UTF-8", b"{\"name\":\"\xff\xfe\"}".to_vec()),
        ("overlong UTF-8", b"{\"name\":\"\xc0\xaf\"}".to_vec()),
        (
            "lone surrogate",
            b"{\"name\":\"\\ud800\",\"event_type\":\"\\ud800\"".to_vec(),
        ),
        ("zero byte", b"{\"name\":\"a\0b\"}".to_vec()),
        ("deep lists", nested("[", "]", 100_000 / 4)),
        (
            "deep objects",
            [b"{\"a\":".repeat(5_000), b"1".to_vec(), b"}".repeat(5_000)].concat(),
        ),
        ("deep and open", nested("[", "", 10_000)),
        (
            "huge number",
            b"{\"rate_limit\":1e999999,\"name\":1e999999,\"ids\":1e9999".to_vec(),
        ),
        ("leading zero", b"{\"rate_limit\":007}".to_vec()),
        ("single quotes", b"{'name':'a'}".to_vec()),
        ("form", b"name=a&url=b".to_vec()),
        ("xml", b"<name>a</name>".to_vec()),
    ]
}

/// Values that do not fit a field of a type.
fn misfits(kind: &str) -> Vec<&'static str> {
    match kind {
        "string" => vec!["1", "true", "[]", "{}", "1e999"],
        "integer" => vec![
            "\"a\"",
            "1.5",
            "-1",
            "99999999999999999999",
            "1e999",
            "[]",
            "{}",
            "true",
        ],
        "boolean" => vec!["\"true\"", "1", "[]", "{}"],
        "array" => vec!["\"a\"", "1", "{}", "[{}]", "[[]]"],
        _ => Vec::new(),
    }
}

/// The fields of an operation's body with the first of their types.
fn fields(document: &Value, operation: &Operation) -> Vec<(String, String)> {
    let schema = &operation.body["requestBody"]["content"]["application/json"]["schema"];
    let schema = [&schema["oneOf"][1], &schema["oneOf"][0], schema]
        .into_iter()
        .find(|candidate| candidate["$ref"].is_string() || candidate["items"].is_object())
        .expect("a shape");
    let reference = schema["$ref"]
        .as_str()
        .or(schema["items"]["$ref"].as_str())
        .expect("a named shape");
    let shape = document
        .pointer(reference.trim_start_matches('#'))
        .expect("the shape");
    shape["properties"]
        .as_object()
        .expect("fields")
        .iter()
        .map(|(name, field)| {
            let kind = field["type"]
                .as_str()
                .or(field["type"][0].as_str())
                .unwrap_or("any");
            (name.clone(), kind.to_owned())
        })
        .collect()
}

fn with_body() -> Vec<Operation> {
    operations()
        .into_iter()
        .filter(|operation| operation.body["requestBody"].is_object())
        .collect()
}

async fn post(world: &World, operation: &Operation, body: Vec<u8>) -> Answer {
    let path = operation.path_in(&world.own.project.to_string());
    let request = world
        .anonymous(&operation.method, &path)
        .bearer_auth(&world.own.key);
    read(request.header("content-type", "application/json").body(body)).await
}

/// `field:reason`, as every refusal of input starts.
fn named_field(answer: &Answer) -> &str {
    let (field, reason) = answer.message().split_once(':').unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-[]$?".contains(c);
    assert!(
        !field.is_empty() && field.chars().all(plain) && !reason.is_empty(),
        "{:?}",
        answer.body
    );
    field
}

fn refused(answer: &Answer) {
    assert!(
        answer.status.is_client_error(),
        "{} {:?}",
        answer.status,
        answer.body
    );
    assert_eq!(answer.body["status"], false);
    named_field(answer);
}

#[tokio::test]
async fn malformed_bodies_are_refused_by_every_route_that_takes_one() {
    let world = World::start().await;
    let mut sent = 0;
    for operation in with_body() {
        for (name, body) in malformed() {
            let optional = operation.body["requestBody"]["required"] != true;
            if optional && body.is_empty() {
                continue;
            }
            let answer = post(&world, &operation, body).await;
            assert_eq!(
                answer.status,
                StatusCode::BAD_REQUEST,
                "{} {name}: {:?}",
                operation.id,
                answer.body
            );
            refused(&answer);
            sent += 1;
        }
    }
    assert!(sent >= 200, "{sent}");
}

#[tokio::test]
async fn a_value_of_the_wrong_type_is_refused_with_its_field() {
    let world = World::start().await;
    let document = document();
    let mut sent = 0;
    for operation in with_body() {
        let many = operation.body["requestBody"]["content"]["application/json"]["schema"]["type"] == "array";
        for (field, kind) in fields(&document, &operation) {
            for misfit in misfits(&kind) {
                let object = format!("{{\"{field}\":{misfit}}}");
                let body = if many { format!("[{object}]") } else { object };
                let answer = post(&world, &operation, body.clone().into_bytes()).await;
                assert_eq!(
                    answer.status,
                    StatusCode::BAD_REQUEST,
                    "{} {body}: {:?}",
                    operation.id,
                    answer.body
                );
                let named = named_field(&answer);
                assert!(named.contains(&field), "{} {body}: names {named}", operation.id);
                sent += 1;
            }
        }
    }
    assert!(sent >= 200, "{sent}");
}

#[tokio::test]
async fn bodies_that_are_too_long_are_refused() {
    let world = World::start().await;
    let long = json!({"name": "a".repeat(200 * 1024), "event_type": "b".repeat(200 * 1024)})
        .to_string()
        .into_bytes();
    for operation in with_body() {
        let answer = post(&world, &operation, long.clone()).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", operation.id);
        refused(&answer);
    }
    let payload = json!({"event_type": "a", "data": "x".repeat(65 * 1024)});
    let answer = world.send("POST", "/events/broadcast", &payload).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(named_field(&answer), "data");
}

#[tokio::test]
async fn a_body_without_the_json_type_is_refused() {
    let world = World::start().await;
    for operation in with_body() {
        let path = operation.path_in(&world.own.project.to_string());
        for content_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonp",
        ] {
            let request = world
                .anonymous(&operation.method, &path)
                .bearer_auth(&world.own.key);
            let answer = read(request.header("content-type", content_type).body("{}")).await;
            assert_eq!(
                answer.status,
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "{}",
                operation.id
            );
            refused(&answer);
        }
    }
}

#[tokio::test]
async fn wrong_query_parameters_are_refused_by_name() {
    let world = World::start().await;
    for route in operations() {
        let path = route.path_in(&world.own.project.to_string());
        for parameter in route.body["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().expect("a name");
            let schema = &parameter["schema"];
            let text = schema["type"] == "string" || schema["type"][0] == "string";
            let plain_text = text && schema["format"].is_null() && !name.ends_with("Date") && name != "body";
            let wrong = if ["direction", "sort", "status"].contains(&name) || !plain_text {
                "~"
            } else {
                "%00"
            };
            let request = world
                .anonymous(&route.method, &format!("{path}?{name}={wrong}"))
                .bearer_auth(&world.own.key);
            let answer = read(request.header("content-type", "application/json").body("{}")).await;
            // A cursor is read only together with its direction.
            if name == "prev_page_cursor" || name == "orgID" && answer.status == StatusCode::FORBIDDEN {
                continue;
            }
            assert_eq!(
                answer.status,
                StatusCode::BAD_REQUEST,
                "{} {name}={wrong}: {:?}",
                route.id,
                answer.body
            );
            assert_eq!(named_field(&answer), name, "{}", route.id);
        }
    }
}

#[tokio::test]
async fn every_refused_field_is_named_at_once() {
    let world = World::start().await;
    let body = json!({"name": "", "url": "ftp://x", "http_timeout": 100_000, "content_type": "text/html"});
    let answer = world.send("POST", "/endpoints", &body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let named: BTreeSet<&str> = answer
        .message()
        .split(", ")
        .filter_map(|part| part.split_once(':'))
        .map(|(field, _)| field)
        .collect();
    for field in ["name", "url", "http_timeout", "content_type"] {
        assert!(named.contains(field), "{field} in {}", answer.message());
    }
}

/// Valid bodies to be spoilt.
fn samples() -> Vec<(&'static str, &'static str, Value)> {
    let id = "01932b0c-0000-7000-8000-000000000001";
    vec![
        (
            "POST",
            "/events",
            json!({"endpoint_id": id, "event_type": "a.b", "data": {"n": [1, 2]}, "custom_headers": {"X-A": "b"}, "idempotency_key": "k"}),
        ),
        (
            "POST",
            "/events/fanout",
            json!({"owner_id": "o", "event_type": "a.b", "data": "text"}),
        ),
        (
            "POST",
            "/events/broadcast",
            json!({"event_type": "a.b", "data": {"a": null}}),
        ),
        (
            "POST",
            "/endpoints",
            json!({"name": "a", "url": "https://example.com/x", "http_timeout": 5, "authentication": {"type": "api_key", "api_key": {"header_name": "X", "header_value": "y"}}}),
        ),
        (
            "POST",
            "/subscriptions",
            json!({"name": "s", "endpoint_id": id, "filter_config": {"event_types": ["a"], "filter": {"body": {"a": {"$gt": 1}}}}}),
        ),
        (
            "POST",
            "/subscriptions/test_filter",
            json!({"request": {"body": {"a": 1}}, "schema": {"body": {"a": {"$in": [1]}}}}),
        ),
        (
            "POST",
            "/event-types",
            json!({"name": "a.b", "json_schema": {"type": "object"}}),
        ),
        (
            "PUT",
            "",
            json!({"name": "own", "config": {"strategy": {"type": "linear", "duration": 10, "retry_count": 3}}}),
        ),
        ("POST", "/eventdeliveries/forceresend", json!({"ids": [id]})),
    ]
}

/// What is done to a body.
#[derive(Clone, Debug)]
enum Damage {
    /// A byte is replaced.
    Replace(prop::sample::Index, u8),
    /// A byte is put in.
    Insert(prop::sample::Index, u8),
    /// The rest is cut off.
    Cut(prop::sample::Index),
    /// A word is put in.
    Word(prop::sample::Index, &'static str),
}

impl Damage {
    fn apply(&self, body: &mut Vec<u8>) {
        if body.is_empty() {
            return;
        }
        match self {
            Self::Replace(at, byte) => *at.get_mut(body) = *byte,
            Self::Insert(at, byte) => {
                let at = at.index(body.len());
                body.insert(at, *byte);
            }
            Self::Cut(at) => {
                let at = at.index(body.len());
                body.truncate(at);
            }
            Self::Word(at, word) => {
                let at = at.index(body.len());
                body.splice(at..at, word.bytes());
            }
        }
    }
}

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let words = [
        "null",
        "\\u0000",
        "\\ud83d",
        "1e999",
        "-",
        "{",
        "]",
        ",\"name\":1",
        "\"$regex\":\"(\"",
        "\u{202e}",
    ];
    let one = prop_oneof![
        (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        any::<prop::sample::Index>().prop_map(Damage::Cut),
        (any::<prop::sample::Index>(), prop::sample::select(words.to_vec()))
            .prop_map(|(at, word)| Damage::Word(at, word)),
    ];
    prop::collection::vec(one, 1..4)
}

#[test]
fn spoilt_bodies_never_break_the_server() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let world = runtime.block_on(World::start());
    let mut runner = TestRunner::new(Config {
        cases: 600,
        failure_persistence: None,
        ..Config::default()
    });
    let strategy = (prop::sample::select(samples()), damages());
    let result = runner.run(&strategy, |((method, path, sample), damages)| {
        let mut body = sample.to_string().into_bytes();
        for damage in &damages {
            damage.apply(&mut body);
        }
        let request = world
            .request(method, path)
            .header("content-type", "application/json")
            .body(body.clone());
        let answer = runtime.block_on(read(request));
        let shown = String::from_utf8_lossy(&body);
        prop_assert!(
            !answer.status.is_server_error(),
            "{path} {shown}: {:?}",
            answer.body
        );
        if answer.status == StatusCode::BAD_REQUEST {
            prop_assert!(
                answer.message().contains(':'),
                "{path} {shown}: {:?}",
                answer.body
            );
        }
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}
