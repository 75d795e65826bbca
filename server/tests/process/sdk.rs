//! The official SDK of the replaced gateway and an independent verifier, both unchanged.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use testkit::{Received, Receiver};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::site::Site;

/// The interpreter that has the packages: `LONGHAUL_PYTHON`, or the one of the cache folder where
/// `scripts/setup-python.sh` puts it.
fn python() -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are configured by the environment alone"
    )]
    let from = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let cache = from("XDG_CACHE_HOME")
        .or_else(|| from("HOME").map(|home| home.join(".cache")))
        .unwrap_or_default();
    let python = from("LONGHAUL_PYTHON").unwrap_or_else(|| cache.join("longhaul/python/bin/python"));
    assert!(
        python.is_file(),
        "there is no {}; run scripts/setup-python.sh or set LONGHAUL_PYTHON",
        python.display()
    );
    python
}

/// Runs a script of `sdk/` with JSON on its standard input; the JSON that it prints.
async fn script(name: &str, input: &Value) -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/process/sdk/");
    let mut command = Command::new(python());
    command
        .arg(format!("{path}{name}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().expect("the script starts");
    let mut stdin = child.stdin.take().expect("its input");
    stdin
        .write_all(input.to_string().as_bytes())
        .await
        .expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().await.expect("its end");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{name}: {error}: {output:?}"))
}

fn body_of(received: &Received) -> String {
    String::from_utf8(received.body.to_vec()).expect("text")
}

#[tokio::test]
async fn the_python_sdk_sets_up_sends_and_reads_its_delivery() {
    let site = Site::new().await;
    let (_gateway, api) = site.start_all().await;
    let receiver = Receiver::start().await;
    let input = json!({ "uri": api.base, "api_key": api.key, "receiver": receiver.url("/hook") });
    let told = script("journey.py", &input).await;

    let received = receiver.wait_for(1).await;
    assert_eq!(received.len(), 1);
    let sent: Value = serde_json::from_slice(&received[0].body).expect("JSON");
    assert_eq!(sent, json!({ "invoice": "inv_1", "amount": 1200 }));
    assert_eq!(told["delivery"]["status"], "Success");
    assert_eq!(told["delivery"]["endpoint_id"], told["endpoint"]["uid"]);
    assert_eq!(told["event"]["event_type"], "invoice.paid");
    assert_eq!(told["attempts"][0]["http_status"], "200 OK");
    assert_eq!(told["attempts"][0]["status"], true);
}

#[tokio::test]
async fn the_sdk_verifies_both_forms_of_its_signature_and_refuses_a_changed_body() {
    let site = Site::new().await;
    let (_gateway, api) = site.start_all().await;
    for advanced in [false, true] {
        let receiver = Receiver::start().await;
        let more = json!({ "name": format!("advanced {advanced}"), "secret": "anchor-chain-and-rope", "advanced_signatures": advanced });
        let endpoint = api.endpoint(&receiver.url("/hook"), more).await;
        api.send(&endpoint, 7).await;
        let received = &receiver.wait_for(1).await[0];
        let signature = received.header("x-convoy-signature");
        assert_eq!(signature.contains("t="), advanced, "{signature}");
        let input =
            json!({ "secret": "anchor-chain-and-rope", "signature": signature, "body": body_of(received) });
        assert_eq!(
            script("convoy_verify.py", &input).await,
            json!({ "genuine": true, "changed": false, "other_secret": false })
        );
    }
}

#[tokio::test]
async fn an_independent_library_verifies_the_standard_webhooks_form() {
    let site = Site::new().await;
    let (_gateway, api) = site.start_all().await;
    let receiver = Receiver::start().await;
    let endpoint = api
        .endpoint(&receiver.url("/hook"), json!({ "signature_format": "standard" }))
        .await;
    api.send(&endpoint, 7).await;
    let received = &receiver.wait_for(1).await[0];
    let headers: serde_json::Map<String, Value> = ["webhook-id", "webhook-timestamp", "webhook-signature"]
        .map(|name| (name.to_owned(), json!(received.header(name))))
        .into_iter()
        .collect();
    let input =
        json!({ "secret": endpoint["secrets"][0]["value"], "headers": headers, "body": body_of(received) });
    assert_eq!(
        script("standard_verify.py", &input).await,
        json!({ "genuine": true, "changed": false })
    );
}
