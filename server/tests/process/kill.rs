//! A worker that is killed again and again: nothing lost, nothing stuck, few duplicates.

mod alone {
    use std::collections::HashSet;

    use rand::rngs::StdRng;
    use rand::{Rng as _, SeedableRng as _};
    use serde_json::json;
    use testkit::Receiver;

    use crate::api::{Api, numbers};
    use crate::child::eventually;
    use crate::site::Site;

    const EVENTS: usize = 1000;
    const KILLS: usize = 4;

    /// What dead workers held: entries that they had not acknowledged, and leases. Each of these
    /// may be delivered a second time. What an earlier one held is counted once.
    #[derive(Default)]
    struct InFlight {
        dead: HashSet<String>,
        leased: HashSet<String>,
        total: usize,
    }

    impl InFlight {
        async fn count(&mut self, site: &Site) {
            for queue in ["events", "deliveries"] {
                let stream = format!("lh:{{{queue}}}:stream");
                // Pairs of lines: name of a consumer, entries that it holds.
                let script = "local o = {} for _, c in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], 'workers')) do \
                              o[#o + 1] = c[2] o[#o + 1] = c[4] end return o";
                let listed = site.redis.call(&["EVAL", script, "1", &stream]).await;
                let mut lines = listed.lines();
                while let (Some(name), Some(held)) = (lines.next(), lines.next()) {
                    if self.dead.insert(name.to_owned()) {
                        self.total += held.parse::<usize>().expect("a number of entries");
                    }
                }
            }
            let processing = domain::state::DeliveryState::Processing.code();
            let rows = site
                .sql(&format!(
                    "SELECT id, attempts FROM event_deliveries WHERE state = {processing}"
                ))
                .await;
            self.total += rows
                .lines()
                .filter(|row| self.leased.insert((*row).to_owned()))
                .count();
        }
    }

    /// Sends all events on some connections at once.
    async fn send_all(api: &Api, endpoint: &serde_json::Value) {
        let lanes = 4;
        let lane = async |first: usize| {
            for n in (first..EVENTS).step_by(lanes) {
                api.send(endpoint, n).await;
            }
        };
        tokio::join!(lane(0), lane(1), lane(2), lane(3));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_worker_killed_at_random_moments_loses_nothing_and_repeats_only_what_was_in_flight() {
        let seed = rand::random();
        println!("seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let site = Site::new().await;
        let made = site.bootstrap().await;
        let server = site.start("server").await;
        let mut worker = site.start("worker").await;
        let api = Api::new(&server, &made);
        let receiver = Receiver::start().await;
        let endpoint = api.endpoint(&receiver.url("/hook"), json!({})).await;

        let mut moments: Vec<usize> = (0..KILLS)
            .map(|_| random.random_range(1..EVENTS * 4 / 5))
            .collect();
        moments.sort_unstable();
        let mut in_flight = InFlight::default();
        let killing = async {
            for moment in moments {
                eventually("deliveries go on", async || {
                    (receiver.received().len() >= moment).then_some(())
                })
                .await;
                worker.kill().await;
                in_flight.count(&site).await;
                worker = site.start("worker").await;
            }
            worker
        };
        let (worker, ()) = tokio::join!(killing, send_all(&api, &endpoint));

        api.all_delivered(EVENTS).await;
        let received = receiver.received();
        assert_eq!(numbers(&received).len(), EVENTS, "every event came at least once");
        let duplicates = received.len() - EVENTS;
        println!(
            "{duplicates} duplicates, {} in flight at the kills",
            in_flight.total
        );
        assert!(
            duplicates <= in_flight.total,
            "{duplicates} duplicates, {} in flight at the kills",
            in_flight.total
        );
        worker.stop().await;
        server.stop().await;
    }
}
