//! What must not be sent to.

use domain::state::DeliveryState;
use testkit::{Gateway, Receiver, Reply, Setup};

async fn refused(url: &str) -> String {
    let mut setup = Setup::default();
    setup.options.delivery.allow_addresses.clear();
    let gateway = Gateway::with(setup).await;
    let endpoint = gateway.endpoint(url).await;
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
    let reason = refused(&format!("http://localhost:{}/", receiver.address.port())).await;
    assert!(
        reason.contains("refused") && reason.contains("loopback"),
        "{reason}"
    );
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn a_private_address_that_is_written_out_is_refused() {
    let receiver = Receiver::start().await;
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]"] {
        let reason = refused(&format!("http://{host}:{}/", receiver.address.port())).await;
        assert!(reason.contains("refused"), "{reason}");
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
