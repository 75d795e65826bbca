//! Stopping in order: nothing new, what is under way ends or is handed back, the rest comes later.

mod alone {
    use serde_json::json;
    use testkit::{Receiver, Reply};

    use crate::api::{Api, numbers};
    use crate::child::eventually;
    use crate::site::Site;

    #[tokio::test]
    async fn a_worker_that_stops_ends_what_is_under_way_and_begins_nothing() {
        let site = Site::new().await;
        let made = site.bootstrap().await;
        let (server, worker) = (site.start("server").await, site.start("worker").await);
        let api = Api::new(&server, &made);
        let receiver = Receiver::start().await;
        let endpoint = api.endpoint(&receiver.url("/hook"), json!({})).await;
        receiver.always(Reply::Held);
        for n in 0..5 {
            api.send(&endpoint, n).await;
        }
        receiver.wait_for(5).await;

        worker.ask_to_stop();
        eventually("the worker stops", async || {
            worker.log().contains("stopping").then_some(())
        })
        .await;
        for n in 5..10 {
            api.send(&endpoint, n).await;
        }
        receiver.release();
        let status = worker.ended().await;
        assert!(status.success(), "{status}");
        assert_eq!(
            numbers(&receiver.received()),
            (0..5).collect(),
            "nothing was begun after the signal"
        );

        receiver.always(Reply::Status(200));
        let worker = site.start("worker").await;
        api.all_delivered(10).await;
        assert_eq!(receiver.received().len(), 10, "what had ended is not sent again");
        worker.stop().await;
        server.stop().await;
    }

    #[tokio::test]
    async fn an_attempt_that_outlasts_the_grace_is_made_again_after_the_restart() {
        let mut site = Site::new().await;
        site.set("LONGHAUL_SHUTDOWN_GRACE", "500ms");
        site.set("LONGHAUL_DEV_CLOCK", "1");
        let (gateway, api) = site.start_all().await;
        let receiver = Receiver::start().await;
        let endpoint = api.endpoint(&receiver.url("/hook"), json!({})).await;
        receiver.always(Reply::Never);
        for n in 0..3 {
            api.send(&endpoint, n).await;
        }
        receiver.wait_for(3).await;
        gateway.stop().await;

        receiver.always(Reply::Status(200));
        let gateway = site.start("all").await;
        // Past the leases that the first process held.
        gateway.advance_clock(chrono::TimeDelta::minutes(5)).await;
        api.on(&gateway).all_delivered(3).await;
        gateway.stop().await;
    }

    #[tokio::test]
    async fn a_gateway_that_stops_takes_no_connection_any_more() {
        let site = Site::new().await;
        let (gateway, api) = site.start_all().await;
        let receiver = Receiver::start().await;
        let endpoint = api.endpoint(&receiver.url("/hook"), json!({})).await;
        receiver.always(Reply::Held);
        api.send(&endpoint, 0).await;
        receiver.wait_for(1).await;

        gateway.ask_to_stop();
        eventually("nobody listens", async || {
            // A client of its own: an open connection may still be answered.
            reqwest::Client::new()
                .get(gateway.url("/healthz"))
                .send()
                .await
                .err()
                .filter(reqwest::Error::is_connect)
        })
        .await;
        receiver.release();
        assert!(gateway.ended().await.success());
        let gateway = site.start("all").await;
        api.on(&gateway).all_delivered(1).await;
        assert_eq!(receiver.received().len(), 1);
        gateway.stop().await;
    }
}
