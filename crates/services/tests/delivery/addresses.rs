//! What must not be sent to.

use domain::id::EndpointId;
use domain::state::DeliveryState;
use testkit::{Gateway, Receiver, Reply, Setup};

/// Nothing private is allowed.
fn strict() -> Setup {
    let mut setup = Setup::default();
    setup.options.delivery.allow_addresses.clear();
    setup
}

/// Why a delivery to the endpoint was refused.
async fn refusal(gateway: &Gateway, endpoint: EndpointId) -> String {
    let event = gateway.send(endpoint, "{}").await;
    gateway
        .wait_for(event, DeliveryState::Retry)
        .await
        .description
        .unwrap_or_default()
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_refused_where_the_connection_is_made() {
    let receiver = Receiver::start().await;
    let gateway = Gateway::with(strict()).await;
    let url = format!("http://localhost:{}/", receiver.address.port());
    let reason = refusal(&gateway, gateway.endpoint(&url).await).await;
    assert!(
        reason.contains("refused") && reason.contains("loopback"),
        "{reason}"
    );
    assert!(receiver.received().is_empty());
}

/// Puts an address into an endpoint's row that could not be saved, as one that was allowed before.
async fn readdress(gateway: &Gateway, endpoint: EndpointId, url: String) {
    let txn = gateway.services.db.begin().await.expect("a transaction");
    let mut row = db::endpoints::lock(&txn, gateway.project.0, endpoint.0)
        .await
        .expect("asked")
        .expect("a row");
    row.url = url;
    db::endpoints::update(&txn, row).await.expect("changed");
    txn.commit().await.expect("committed");
    gateway.services.catalog.reload().await.expect("loaded");
}

#[tokio::test]
async fn a_private_address_that_is_written_out_is_refused() {
    let receiver = Receiver::start().await;
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]", "2130706433"] {
        let gateway = Gateway::with(strict()).await;
        let endpoint = gateway.endpoint("https://example.com/").await;
        let url = format!("http://{host}:{}/", receiver.address.port());
        readdress(&gateway, endpoint, url).await;
        let reason = refusal(&gateway, endpoint).await;
        assert!(reason.contains("refused"), "{host}: {reason}");
    }
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (gateway, receiver, inside) = (
        Gateway::start().await,
        Receiver::start().await,
        Receiver::start().await,
    );
    receiver.reply([Reply::Header(302, "location", inside.url("/secret"))]);
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    let event = gateway.send(endpoint, "{}").await;
    let delivery = gateway.wait_for(event, DeliveryState::Retry).await;
    assert_eq!(delivery.last_status, Some(302));
    assert!(inside.received().is_empty());
}
