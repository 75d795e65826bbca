//! Everything stopped and started again: processes, PostgreSQL and Redis.

mod alone {
    use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
    use serde_json::json;
    use testkit::Receiver;

    use crate::api::Api;
    use crate::site::{EMAIL, Gateway, PASSWORD, Site};

    /// Signs in as a browser without script does; the session cookie.
    async fn sign_in(gateway: &Gateway) -> String {
        let form = [
            ("form[email]", EMAIL),
            ("form[password]", PASSWORD),
            ("form[next]", "/"),
        ];
        let body = form
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .join("&");
        let request = gateway.http.post(gateway.url("/ui/sign_in")).body(body);
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "text/html");
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_redirection(), "{answer:?}");
        let cookies = answer
            .headers()
            .get_all(SET_COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let session = cookies
            .filter_map(|cookie| cookie.split(';').next())
            .find(|pair| pair.starts_with("longhaul_session="));
        session
            .unwrap_or_else(|| panic!("no session: {answer:?}"))
            .to_owned()
    }

    fn encoded(text: &str) -> String {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    }

    /// Status of the start page, and where it leads away to.
    async fn start_page(gateway: &Gateway, cookie: &str) -> (u16, Option<String>) {
        let answer = gateway
            .http
            .get(gateway.url("/"))
            .header(COOKIE, cookie)
            .send()
            .await
            .expect("an answer");
        let location = answer
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
            .map(ToOwned::to_owned);
        (answer.status().as_u16(), location)
    }

    #[tokio::test]
    async fn sessions_events_and_settings_survive_a_restart_of_everything() {
        let mut site = Site::with_own_postgres().await;
        let made = site.bootstrap().await;
        // Without a worker, so that the event is still in the queue when everything stops.
        let gateway = site.start("server").await;
        let api = Api::new(&gateway, &made);
        let receiver = Receiver::start().await;
        let endpoint = api.endpoint(&receiver.url("/hook"), json!({})).await;
        let cookie = sign_in(&gateway).await;
        assert_eq!(start_page(&gateway, &cookie).await, (200, None));
        assert_ne!(start_page(&gateway, "longhaul_session=forged").await, (200, None));
        let changed = json!({ "name": "Checkout and returns", "config": { "strategy": { "type": "linear", "duration": 77, "retry_count": 9 } } });
        api.put("", &changed).await;
        let event = api.send(&endpoint, 1).await;

        gateway.stop().await;
        site.redis.stop().await;
        site.postgres().stop().await;
        site.postgres().resume().await;
        site.redis.resume().await;
        let gateway = site.start("all").await;
        let api = api.on(&gateway);

        assert_eq!(start_page(&gateway, &cookie).await, (200, None));
        let delivery = api.delivered(&event).await;
        assert_eq!(delivery["event_id"], json!(event));
        assert_eq!(receiver.wait_for(1).await.len(), 1);
        let project = api.get("").await;
        assert_eq!(project["name"], "Checkout and returns");
        assert_eq!(project["config"]["strategy"]["duration"], 77, "{project}");
        assert_eq!(project["config"]["strategy"]["retry_count"], 9, "{project}");
        let kept = api
            .get(&format!(
                "/endpoints/{}",
                endpoint["uid"].as_str().expect("an id")
            ))
            .await;
        assert_eq!(kept["url"], endpoint["url"]);
        gateway.stop().await;
    }
}
