use chrono::TimeDelta;
use domain::clock::Clock;
use domain::state::EndpointState;
use serde_json::json;
use services::endpoints::{
    self, ApiKeyInput, Authentication, AuthenticationInput, BasicAuthInput, EndpointQuery, EndpointUpdate,
    NewEndpoint, REDACTED, Rotation, SignatureFormat,
};
use services::page::{Direction, PageRequest};
use services::patch::Patch;
use services::projects::ProjectUpdate;
use services::{Error, Options};

use crate::world::{World, object, refused, refused_names};

fn new(name: &str, url: &str) -> NewEndpoint {
    NewEndpoint {
        name: name.to_owned(),
        url: url.to_owned(),
        ..NewEndpoint::default()
    }
}

fn basic(username: &str, password: &str) -> AuthenticationInput {
    AuthenticationInput {
        kind: "basic_auth".to_owned(),
        basic_auth: Some(BasicAuthInput {
            username: username.to_owned(),
            password: password.to_owned(),
        }),
        ..AuthenticationInput::default()
    }
}

#[tokio::test]
async fn an_endpoint_gets_defaults_and_a_secret_of_25_characters() {
    let world = World::new().await;
    let made = endpoints::create(
        &world.services,
        &world.system,
        world.project,
        new("a", "https://example.com/in"),
    )
    .await
    .expect("made");
    assert_eq!(made.secrets.len(), 1);
    assert_eq!(made.secrets[0].value.len(), 25);
    assert_eq!(made.state, EndpointState::Active);
    assert_eq!(
        (made.content_type.as_str(), made.advanced_signatures),
        ("application/json", true)
    );
    let read = endpoints::get(&world.services, &world.key_holder().await, world.project, made.id)
        .await
        .expect("found");
    assert_eq!(
        serde_json::to_value(&read).expect("json"),
        serde_json::to_value(&made).expect("json")
    );
}

#[tokio::test]
async fn a_standard_webhooks_endpoint_gets_a_secret_that_libraries_read() {
    let world = World::new().await;
    let wanted = NewEndpoint {
        signature_format: Some("standard".to_owned()),
        ..new("s", "https://example.com")
    };
    let made = endpoints::create(&world.services, &world.system, world.project, wanted)
        .await
        .expect("made");
    assert_eq!(made.signature_format, SignatureFormat::Standard);
    assert!(domain::signature::is_standard_secret(&made.secrets[0].value));
    let bad = NewEndpoint {
        signature_format: Some("standard".to_owned()),
        secret: Some("whsec_not base64!".to_owned()),
        ..new("s", "https://example.com")
    };
    let result = endpoints::create(&world.services, &world.system, world.project, bad).await;
    assert_eq!(refused_names(result), ["secret"]);
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let world = World::new().await;
    let wanted = NewEndpoint {
        description: "\u{0}".to_owned(),
        owner_id: Some("a\nb".to_owned()),
        support_email: "nobody".to_owned(),
        slack_webhook_url: "x".to_owned(),
        http_timeout: Some(100_000),
        rate_limit: Some(u32::MAX),
        content_type: Some("text/plain".to_owned()),
        signature_format: Some("rot13".to_owned()),
        mtls_client_cert: Some(json!({"client_cert": ""})),
        secret: Some(" padded".to_owned()),
        authentication: Some(AuthenticationInput {
            kind: "oauth2".to_owned(),
            ..AuthenticationInput::default()
        }),
        ..new("", "ftp://example.com")
    };
    let result = endpoints::create(&world.services, &world.system, world.project, wanted).await;
    assert_eq!(
        refused_names(result),
        [
            "authentication.oauth2",
            "content_type",
            "description",
            "http_timeout",
            "mtls_client_cert",
            "name",
            "owner_id",
            "rate_limit",
            "secret",
            "signature_format",
            "slack_webhook_url",
            "support_email",
            "url",
        ]
    );
    let nothing = endpoints::list(
        &world.services,
        &world.system,
        world.project,
        EndpointQuery::default(),
    )
    .await;
    assert!(nothing.expect("listed").items.is_empty());
}

#[tokio::test]
async fn a_project_with_secure_endpoints_refuses_http() {
    let world = World::new().await;
    let secure = ProjectUpdate {
        config: Some(object(json!({"ssl": {"enforce_secure_endpoints": true}}))),
        ..ProjectUpdate::default()
    };
    services::projects::update(&world.services, &world.system, world.project, secure)
        .await
        .expect("ok");
    let result = endpoints::create(
        &world.services,
        &world.system,
        world.project,
        new("a", "http://example.com"),
    )
    .await;
    assert_eq!(refused_names(result), ["url"]);
    let made = endpoints::create(
        &world.services,
        &world.system,
        world.project,
        new("a", "https://example.com"),
    )
    .await;
    assert_eq!(made.expect("made").url, "https://example.com");
}

#[tokio::test]
async fn an_update_leaves_absent_keys_and_null_clears() {
    let world = World::new().await;
    let wanted = NewEndpoint {
        owner_id: Some("customer-1".to_owned()),
        rate_limit: Some(10),
        authentication: Some(basic("user", "hush")),
        ..new("a", "https://example.com")
    };
    let made = endpoints::create(&world.services, &world.system, world.project, wanted)
        .await
        .expect("made");
    assert_eq!((made.rate_limit, made.rate_limit_duration), (10, 60));

    let rename = EndpointUpdate {
        name: Some("b".to_owned()),
        ..EndpointUpdate::default()
    };
    let after = endpoints::update(&world.services, &world.system, world.project, made.id, rename)
        .await
        .expect("ok");
    assert_eq!(after.name, "b");
    assert_eq!(after.owner_id.as_deref(), Some("customer-1"));
    assert_eq!((after.rate_limit, after.rate_limit_duration), (10, 60));
    let redacted = Authentication::BasicAuth {
        username: "user".to_owned(),
        password: REDACTED.to_owned(),
    };
    assert!(after.authentication == Some(redacted));

    let clear = EndpointUpdate {
        owner_id: Patch::Null,
        authentication: Patch::Null,
        is_disabled: Some(true),
        ..EndpointUpdate::default()
    };
    let after = endpoints::update(&world.services, &world.system, world.project, made.id, clear)
        .await
        .expect("ok");
    assert!(after.owner_id.is_none() && after.authentication.is_none());
    assert_eq!(after.state, EndpointState::Inactive);
}

#[tokio::test]
async fn authentication_is_stored_encrypted_and_its_mask_keeps_what_is_stored() {
    let world = World::new().await;
    let wanted = NewEndpoint {
        authentication: Some(basic("user", "hush")),
        ..new("a", "https://example.com")
    };
    let made = endpoints::create(&world.services, &world.system, world.project, wanted)
        .await
        .expect("made");
    let row = db::endpoints::find(world.services.db.orm(), world.project.0, made.id.0)
        .await
        .expect("answers")
        .expect("there");
    let stored = row.authentication.expect("stored");
    assert!(!stored.windows(4).any(|window| window == b"hush"));

    let masked = EndpointUpdate {
        authentication: Patch::Value(basic("someone", REDACTED)),
        ..EndpointUpdate::default()
    };
    endpoints::update(&world.services, &world.system, world.project, made.id, masked)
        .await
        .expect("ok");
    let row = db::endpoints::find(world.services.db.orm(), world.project.0, made.id.0).await;
    let stored = row
        .expect("answers")
        .expect("there")
        .authentication
        .expect("stored");
    let clear = world.services.vault.open(&stored).expect("opens");
    let authentication: Authentication = serde_json::from_slice(&clear).expect("reads");
    assert_eq!(
        authentication.header(),
        ("authorization".to_owned(), "Basic c29tZW9uZTpodXNo".to_owned())
    );

    let other_kind = AuthenticationInput {
        kind: "api_key".to_owned(),
        api_key: Some(ApiKeyInput {
            header_name: "X-Key".to_owned(),
            header_value: REDACTED.to_owned(),
        }),
        ..AuthenticationInput::default()
    };
    let update = EndpointUpdate {
        authentication: Patch::Value(other_kind),
        ..EndpointUpdate::default()
    };
    let result = endpoints::update(&world.services, &world.system, world.project, made.id, update).await;
    assert_eq!(refused_names(result), ["authentication.api_key.header_value"]);
}

#[tokio::test]
async fn a_rotated_secret_signs_until_it_expires() {
    let world = World::new().await;
    let made = world.endpoint("a").await;
    let first = made.secrets[0].value.clone();
    let rotate = |expiration| {
        let rotation = Rotation {
            secret: None,
            expiration,
        };
        endpoints::rotate_secret(&world.services, &world.system, world.project, made.id, rotation)
    };
    let after = rotate(3600).await.expect("rotated");
    assert_eq!(after.secrets.len(), 2);
    assert_eq!(after.secrets[0].value, first);
    let expires = after.secrets[0].expires_at.expect("ends");
    assert_eq!((expires - world.clock.now()).num_minutes(), 59);
    assert!(after.secrets[1].expires_at.is_none());

    world.advance(TimeDelta::hours(2));
    let secrets = endpoints::reveal_secrets(&world.services, &world.system, world.project, made.id)
        .await
        .expect("ok");
    assert_eq!(
        secrets.iter().map(|s| s.value.as_str()).collect::<Vec<_>>(),
        [after.secrets[1].value.as_str()]
    );

    // At once, and not without end.
    assert_eq!(rotate(0).await.expect("rotated").secrets.len(), 1);
    for _ in 0..4 {
        rotate(3600).await.expect("rotated");
    }
    let fifth = rotate(3600).await;
    assert!(matches!(fifth, Err(Error::Conflict(_))), "{fifth:?}");
    assert_eq!(rotate(0).await.expect("rotated").secrets.len(), 1);
    let long = rotate(u32::MAX).await;
    assert_eq!(refused_names(long), ["expiration"]);
}

#[tokio::test]
async fn people_see_secrets_masked_until_they_ask_and_that_is_written_down() {
    let world = World::new().await;
    let made = world.endpoint("a").await;
    let clear = &made.secrets[0].value;
    let shown = endpoints::get(&world.services, &world.system, world.project, made.id)
        .await
        .expect("found");
    assert_ne!(&shown.secrets[0].value, clear);
    assert!(clear.ends_with(shown.secrets[0].value.trim_start_matches('•')));
    let to_client = endpoints::get(&world.services, &world.key_holder().await, world.project, made.id).await;
    assert_eq!(&to_client.expect("found").secrets[0].value, clear);
    let revealed = endpoints::reveal_secrets(&world.services, &world.system, world.project, made.id).await;
    assert_eq!(&revealed.expect("revealed")[0].value, clear);
    assert_eq!(
        world.actions().await.last().map(String::as_str),
        Some("endpoint.secrets_revealed")
    );
}

#[tokio::test]
async fn pause_toggles_and_activate_ends_both_pause_and_inactivity() {
    let world = World::new().await;
    let id = world.endpoint("a").await.id;
    let pause = || endpoints::toggle_pause(&world.services, &world.system, world.project, id);
    let activate = || endpoints::activate(&world.services, &world.system, world.project, id);
    assert_eq!(pause().await.expect("ok").state, EndpointState::Paused);
    assert_eq!(pause().await.expect("ok").state, EndpointState::Active);
    pause().await.expect("ok");
    assert_eq!(activate().await.expect("ok").state, EndpointState::Active);
    let off = EndpointUpdate {
        is_disabled: Some(true),
        ..EndpointUpdate::default()
    };
    endpoints::update(&world.services, &world.system, world.project, id, off)
        .await
        .expect("ok");
    let refused = pause().await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    let active = activate().await.expect("ok");
    assert!(active.state == EndpointState::Active && active.state_reason.is_none());
}

#[tokio::test]
async fn a_deleted_endpoint_takes_its_subscriptions_along_but_can_still_be_named() {
    let world = World::new().await;
    let subscription = world.subscription("all").await;
    let id = subscription.endpoint.id;
    endpoints::delete(&world.services, &world.system, world.project, id)
        .await
        .expect("deleted");
    let get = endpoints::get(&world.services, &world.system, world.project, id).await;
    assert!(matches!(get, Err(Error::NotFound("endpoint"))), "{get:?}");
    let get =
        services::subscriptions::get(&world.services, &world.system, world.project, subscription.id).await;
    assert!(matches!(get, Err(Error::NotFound("subscription"))), "{get:?}");
    let named = endpoints::by_ids(&world.services, &world.system, world.project, &[id])
        .await
        .expect("found");
    assert!(named[0].deleted_at.is_some());
}

#[tokio::test]
async fn lists_search_literally_and_page_both_ways() {
    let world = World::new().await;
    for name in ["alpha", "beta 100%", "gamma", "delta_1", "deltaX1"] {
        let wanted = NewEndpoint {
            owner_id: Some(name[..1].to_owned()),
            ..new(name, "https://example.com")
        };
        endpoints::create(&world.services, &world.system, world.project, wanted)
            .await
            .expect("made");
    }
    let search = async |q: &str, owner: &str| {
        let query = EndpointQuery {
            q: Some(q.to_owned()),
            owner_id: Some(owner.to_owned()),
            ..EndpointQuery::default()
        };
        let page = endpoints::list(&world.services, &world.system, world.project, query)
            .await
            .expect("listed");
        page.items.into_iter().map(|e| e.name).collect::<Vec<_>>()
    };
    assert_eq!(search("100%", "").await, ["beta 100%"]);
    assert_eq!(search("TA_1", "").await, ["delta_1"]);
    assert_eq!(search("", "d").await, ["deltaX1", "delta_1"]);

    let page = async |request: PageRequest| {
        let query = EndpointQuery {
            page: request,
            ..EndpointQuery::default()
        };
        endpoints::list(&world.services, &world.system, world.project, query)
            .await
            .expect("listed")
    };
    let names = |page: &services::page::Page<endpoints::Endpoint>| {
        page.items.iter().map(|e| e.name.clone()).collect::<Vec<_>>()
    };
    let first = page(PageRequest::first(2)).await;
    assert_eq!(names(&first), ["deltaX1", "delta_1"]);
    let second = page(PageRequest {
        cursor: first.next_cursor,
        ..PageRequest::first(2)
    })
    .await;
    assert_eq!(names(&second), ["gamma", "beta 100%"]);
    assert!(second.has_prev && second.has_next);
    let back = PageRequest {
        cursor: second.prev_cursor,
        direction: Direction::Prev,
        ..PageRequest::first(2)
    };
    assert_eq!(names(&page(back).await), names(&first));
    let last = page(PageRequest {
        cursor: second.next_cursor,
        ..PageRequest::first(2)
    })
    .await;
    assert_eq!((names(&last), last.has_next), (vec!["alpha".to_owned()], false));
}

#[tokio::test]
async fn another_projects_key_may_neither_look_nor_touch() {
    let world = World::new().await;
    let id = world.endpoint("a").await.id;
    let stranger = world.stranger().await;
    let (services, project) = (&world.services, world.project);
    let refusals = [
        endpoints::create(services, &stranger, project, new("x", "https://example.com"))
            .await
            .err(),
        endpoints::get(services, &stranger, project, id).await.err(),
        endpoints::list(services, &stranger, project, EndpointQuery::default())
            .await
            .err(),
        endpoints::by_ids(services, &stranger, project, &[id]).await.err(),
        endpoints::update(services, &stranger, project, id, EndpointUpdate::default())
            .await
            .err(),
        endpoints::delete(services, &stranger, project, id).await.err(),
        endpoints::rotate_secret(services, &stranger, project, id, Rotation::default())
            .await
            .err(),
        endpoints::toggle_pause(services, &stranger, project, id)
            .await
            .err(),
        endpoints::activate(services, &stranger, project, id).await.err(),
        endpoints::reveal_secrets(services, &stranger, project, id)
            .await
            .err(),
    ];
    for refusal in refusals {
        assert!(matches!(refusal, Some(Error::Forbidden(_))), "{refusal:?}");
    }
    // Nor by way of one's own project.
    let own = world.new_project("Third").await.0.id;
    let get = endpoints::get(services, &world.system, own, id).await;
    assert!(matches!(get, Err(Error::NotFound(_))), "{get:?}");
}

#[tokio::test]
async fn a_search_text_that_no_table_can_hold_is_refused_by_name() {
    let world = World::new().await;
    let query = EndpointQuery {
        q: Some("a\u{0}b".to_owned()),
        ..EndpointQuery::default()
    };
    let result = endpoints::list(&world.services, &world.system, world.project, query).await;
    assert_eq!(refused_names(result), ["q"]);
}

#[tokio::test]
async fn an_address_that_deliveries_would_be_refused_is_refused_when_it_is_saved() {
    let world = World::new().await;
    let (services, system) = (&world.services, &world.system);
    for url in [
        "http://127.0.0.1:9000/in",
        "http://169.254.169.254/",
        "http://[::1]/",
        "http://2130706433/",
    ] {
        let made = endpoints::create(services, system, world.project, new("inside", url)).await;
        let fields = refused(made);
        assert_eq!(fields.len(), 1, "{fields:?}");
        assert_eq!(fields[0].field, "url");
        assert!(
            fields[0].reason.contains("delivery.allow_addresses"),
            "{fields:?}"
        );
    }
    let outside = world.endpoint("outside").await;
    let update = EndpointUpdate {
        url: Some("http://0x7f.1/".to_owned()),
        ..EndpointUpdate::default()
    };
    let changed = endpoints::update(services, system, world.project, outside.id, update).await;
    assert_eq!(refused_names(changed), ["url"]);
    let kept = endpoints::get(services, system, world.project, outside.id)
        .await
        .expect("found");
    assert_eq!(kept.url, outside.url);
}

#[tokio::test]
async fn what_the_instance_allows_can_be_saved() {
    let mut options = Options::default();
    options.delivery.allow_addresses = vec!["10.1.0.0/16".to_owned()];
    options.delivery.deny_addresses = vec!["10.1.0.5/32".to_owned()];
    let world = World::with(options).await;
    let (services, system) = (&world.services, &world.system);
    let made = endpoints::create(services, system, world.project, new("in", "http://10.1.2.3/")).await;
    assert_eq!(made.expect("allowed").url, "http://10.1.2.3/");
    let denied = endpoints::create(services, system, world.project, new("no", "http://10.1.0.5/")).await;
    assert_eq!(refused_names(denied), ["url"]);
}
