//! Stores that go away while events come in.

mod alone {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use reqwest::header::RETRY_AFTER;
    use serde_json::{Value, json};
    use testkit::Receiver;

    use crate::api::{Api, numbers};
    use crate::child::eventually;
    use crate::site::Site;

    /// Events that are accepted before, during and after an outage.
    const STEP: usize = 60;

    /// Sends events one after the other until it is told to stop, and counts what was accepted.
    #[derive(Default)]
    struct Sender {
        accepted: AtomicUsize,
        stop: AtomicBool,
    }

    impl Sender {
        async fn run(&self, api: &Api, endpoint: &Value) {
            let mut n = 0;
            while !self.stop.load(Ordering::Relaxed) {
                // The same event again until it is taken, as a customer would.
                let answer = api
                    .try_send(endpoint, n)
                    .await
                    .expect("the gateway itself is never away");
                let status = answer.status().as_u16();
                assert!(status == 201 || status == 503, "{status}");
                if status == 201 {
                    n += 1;
                    self.accepted.store(n, Ordering::Relaxed);
                }
            }
        }

        async fn more(&self, count: usize) {
            let from = self.accepted.load(Ordering::Relaxed);
            eventually("events are accepted", async || {
                (self.accepted.load(Ordering::Relaxed) >= from + count).then_some(())
            })
            .await;
        }
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Store {
        Postgres,
        Redis,
    }

    /// Stops a store in the middle of sending; every accepted event must be delivered afterwards.
    async fn outage_of(store: Store) {
        let mut site = Site::with_own_postgres().await;
        let (gateway, api) = site.start_all().await;
        let receiver = Receiver::start().await;
        let endpoint = api.endpoint(&receiver.url("/hook"), json!({})).await;
        let sender = Sender::default();
        let breaking = async {
            sender.more(STEP).await;
            match store {
                Store::Postgres => site.postgres().stop().await,
                Store::Redis => site.redis.stop().await,
            }
            sender.more(STEP).await;
            match store {
                Store::Postgres => site.postgres().resume().await,
                Store::Redis => site.redis.resume().await,
            }
            sender.more(STEP).await;
            sender.stop.store(true, Ordering::Relaxed);
        };
        tokio::join!(breaking, sender.run(&api, &endpoint));

        let accepted = sender.accepted.load(Ordering::Relaxed);
        api.all_delivered(accepted).await;
        assert_eq!(numbers(&receiver.received()), (0..accepted).collect());
        gateway.stop().await;
    }

    #[tokio::test]
    async fn events_accepted_while_postgres_is_away_are_delivered() {
        outage_of(Store::Postgres).await;
    }

    #[tokio::test]
    async fn events_accepted_while_redis_is_away_are_delivered() {
        outage_of(Store::Redis).await;
    }

    #[tokio::test]
    async fn with_both_stores_away_nothing_is_accepted_and_callers_are_told_to_come_back() {
        let mut site = Site::with_own_postgres().await;
        site.set("LONGHAUL_DATABASE_ACQUIRE_TIMEOUT", "500ms");
        let (gateway, api) = site.start_all().await;
        let receiver = Receiver::start().await;
        let endpoint = api.endpoint(&receiver.url("/hook"), json!({})).await;
        let event = api.send(&endpoint, 0).await;
        api.delivered(&event).await;

        site.redis.stop().await;
        site.postgres().stop().await;
        for n in 1..=3 {
            let answer = api.try_send(&endpoint, n).await.expect("an answer");
            assert_eq!(answer.status(), 503);
            let wait = answer
                .headers()
                .get(RETRY_AFTER)
                .expect("Retry-After")
                .to_str()
                .expect("text");
            assert!(wait.parse::<u32>().is_ok_and(|seconds| seconds > 0), "{wait}");
            let body: Value = answer.json().await.expect("JSON");
            assert_eq!(body["status"], json!(false), "{body}");
        }

        site.postgres().resume().await;
        site.redis.resume().await;
        eventually("events are accepted again", async || {
            let answer = api.try_send(&endpoint, 4).await.expect("an answer");
            (answer.status() == 201).then_some(())
        })
        .await;
        // What was refused is nowhere; what was accepted is delivered.
        api.all_delivered(2).await;
        assert_eq!(numbers(&receiver.received()), [0, 4].into());
        gateway.stop().await;
    }
}
