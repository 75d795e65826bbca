use domain::filter::FilterSpec;
use domain::project::RateLimitConfig;
use domain::retry::RetryPolicy;
use serde_json::json;
use services::Error;
use services::patch::Patch;
use services::projects::ProjectUpdate;
use services::subscriptions::{
    self, AlertConfig, DeliveryMode, FilterConfig, NewSubscription, RetryInput, SubscriptionQuery,
    SubscriptionUpdate,
};

use crate::world::{World, object, refused, refused_names};

fn body(conditions: serde_json::Value) -> FilterSpec {
    FilterSpec {
        body: Some(conditions),
        ..FilterSpec::default()
    }
}

fn taking(types: &[&str], filter: FilterSpec) -> FilterConfig {
    FilterConfig {
        event_types: types.iter().map(|&name| name.to_owned()).collect(),
        filter,
    }
}

async fn to_new_endpoint(world: &World, filter_config: Option<FilterConfig>) -> NewSubscription {
    NewSubscription {
        name: "s".to_owned(),
        endpoint_id: world.endpoint("e").await.id.to_string(),
        filter_config,
        ..NewSubscription::default()
    }
}

#[tokio::test]
async fn without_a_filter_it_takes_every_type() {
    let world = World::new().await;
    let made = world.subscription("all").await;
    assert_eq!(made.event_types, ["*"]);
    assert_eq!(made.filter, FilterSpec::default());
    assert_eq!(
        (made.enabled, made.delivery_mode),
        (true, DeliveryMode::AtLeastOnce)
    );
    let read = subscriptions::get(&world.services, &world.system, world.project, made.id)
        .await
        .expect("found");
    assert_eq!(
        serde_json::to_value(&read).expect("json"),
        serde_json::to_value(&made).expect("json")
    );
}

#[tokio::test]
async fn each_event_type_becomes_a_filter_and_an_event_type() {
    let world = World::new().await;
    let conditions = body(json!({"amount": {"$gt": 10}}));
    let config = taking(
        &["invoice.paid", "invoice.sent", "invoice.paid"],
        conditions.clone(),
    );
    let new = to_new_endpoint(&world, Some(config)).await;
    let made = subscriptions::create(&world.services, &world.system, world.project, new)
        .await
        .expect("made");
    assert_eq!(made.event_types, ["invoice.paid", "invoice.sent"]);
    assert_eq!(made.filter, conditions);
    assert!(
        made.filters
            .iter()
            .all(|filter| filter.spec == conditions && filter.enabled_at.is_some())
    );
    let types = services::event_types::list(&world.services, &world.system, world.project)
        .await
        .expect("listed");
    let names: Vec<&str> = types.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["*", "invoice.paid", "invoice.sent"]);
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let world = World::new().await;
    let new = NewSubscription {
        name: String::new(),
        endpoint_id: "nonsense".to_owned(),
        source_id: Some(uuid::Uuid::from_u128(5).to_string()),
        filter_config: Some(taking(
            &["ok", "", "two words"],
            body(json!({"a": {"b": {"$gt": "x"}}})),
        )),
        delivery_mode: Some("maybe".to_owned()),
        retry_config: Some(RetryInput {
            kind: "linear".to_owned(),
            duration: Some("soon".to_owned()),
            ..RetryInput::default()
        }),
        rate_limit_config: Some(RateLimitConfig {
            count: 5,
            duration: 0,
        }),
        alert_config: Some(AlertConfig {
            count: 1,
            threshold: "x".to_owned(),
        }),
        function: Some("function transform() {}".to_owned()),
    };
    let result = subscriptions::create(&world.services, &world.system, world.project, new).await;
    assert_eq!(
        refused_names(result),
        [
            "alert_config.threshold",
            "delivery_mode",
            "endpoint_id",
            "filter_config.event_types[1]",
            "filter_config.event_types[2]",
            "filter_config.filter.body.a.b.$gt",
            "function",
            "name",
            "rate_limit_config.duration",
            "retry_config.duration",
            "source_id",
        ]
    );
}

#[tokio::test]
async fn an_endpoint_of_another_project_is_not_there() {
    let world = World::new().await;
    let (other, _) = world.new_project("Other").await;
    let new = to_new_endpoint(&world, None).await;
    let result = subscriptions::create(&world.services, &world.system, other.id, new).await;
    assert_eq!(refused_names(result), ["endpoint_id"]);
}

#[tokio::test]
async fn a_second_subscription_of_an_endpoint_needs_the_projects_leave() {
    let world = World::new().await;
    let first = world.subscription("first").await;
    let second = || {
        let new = NewSubscription {
            name: "second".to_owned(),
            endpoint_id: first.endpoint.id.to_string(),
            ..NewSubscription::default()
        };
        subscriptions::create(&world.services, &world.system, world.project, new)
    };
    let fields = refused(second().await);
    assert_eq!(
        fields[0].reason,
        "a subscription for this endpoint already exists"
    );
    // The first itself may be changed.
    let same = SubscriptionUpdate {
        name: Some("renamed".to_owned()),
        ..SubscriptionUpdate::default()
    };
    subscriptions::update(&world.services, &world.system, world.project, first.id, same)
        .await
        .expect("ok");

    let allow = ProjectUpdate {
        config: Some(object(json!({"multiple_endpoint_subscriptions": true}))),
        ..ProjectUpdate::default()
    };
    services::projects::update(&world.services, &world.system, world.project, allow)
        .await
        .expect("ok");
    second().await.expect("allowed now");
}

#[tokio::test]
async fn of_subscriptions_made_at_the_same_time_for_one_endpoint_one_wins() {
    let world = World::new().await;
    let new = to_new_endpoint(&world, None).await;
    let tries: Vec<_> = (0..6)
        .map(|_| {
            let (services, new, project) = (world.services.clone(), new.clone(), world.project);
            tokio::spawn(async move {
                subscriptions::create(&services, &services::access::Actor::system(), project, new).await
            })
        })
        .collect();
    let mut made = 0;
    for attempt in tries {
        match attempt.await.expect("no panic") {
            Ok(_) => made += 1,
            other => assert_eq!(refused_names(other), ["endpoint_id"]),
        }
    }
    assert_eq!(made, 1);
}

#[tokio::test]
async fn an_incoming_project_wants_a_source() {
    let world = World::new().await;
    let new = services::projects::NewProject {
        kind: "incoming".to_owned(),
        ..world.project_called("In")
    };
    let project = services::projects::create(&world.services, &world.system, new)
        .await
        .expect("made")
        .project;
    let new = NewSubscription {
        name: "s".to_owned(),
        ..NewSubscription::default()
    };
    let result = subscriptions::create(&world.services, &world.system, project.id, new).await;
    assert_eq!(refused_names(result), ["endpoint_id", "source_id"]);
}

#[tokio::test]
async fn own_retries_and_limits_are_stored_and_null_removes_them() {
    let world = World::new().await;
    let new = NewSubscription {
        retry_config: Some(RetryInput {
            kind: "exponential".to_owned(),
            duration: Some("10s".to_owned()),
            retry_count: Some(5),
            ..RetryInput::default()
        }),
        rate_limit_config: Some(RateLimitConfig {
            count: 5,
            duration: 60,
        }),
        alert_config: Some(AlertConfig {
            count: 3,
            threshold: "1h".to_owned(),
        }),
        delivery_mode: Some("at_most_once".to_owned()),
        ..to_new_endpoint(&world, None).await
    };
    let made = subscriptions::create(&world.services, &world.system, world.project, new)
        .await
        .expect("made");
    let policy = RetryPolicy::Exponential {
        base_seconds: 10,
        limit: 5,
        max_seconds: 7200,
    };
    assert_eq!(made.retry, Some(policy));
    assert_eq!(made.rate_limit.as_ref().map(|limit| limit.count), Some(5));
    assert_eq!(made.delivery_mode, DeliveryMode::AtMostOnce);

    let absent = SubscriptionUpdate::default();
    let same = subscriptions::update(&world.services, &world.system, world.project, made.id, absent).await;
    assert_eq!(same.expect("ok").retry, made.retry);
    let clear = SubscriptionUpdate {
        retry_config: Patch::Null,
        rate_limit_config: Patch::Null,
        alert_config: Patch::Null,
        ..SubscriptionUpdate::default()
    };
    let bare = subscriptions::update(&world.services, &world.system, world.project, made.id, clear)
        .await
        .expect("ok");
    assert!(bare.retry.is_none() && bare.rate_limit.is_none() && bare.alert.is_none());
}

#[tokio::test]
async fn new_event_types_replace_old_ones_and_those_that_stay_keep_their_filter() {
    let world = World::new().await;
    let new = to_new_endpoint(&world, Some(taking(&["a", "b"], FilterSpec::default()))).await;
    let made = subscriptions::create(&world.services, &world.system, world.project, new)
        .await
        .expect("made");
    let off = services::filters::FilterUpdate {
        enabled_at: Patch::Null,
        ..services::filters::FilterUpdate::default()
    };
    let kept = made.filters[1].id;
    services::filters::update(&world.services, &world.system, world.project, made.id, kept, off)
        .await
        .expect("ok");

    let conditions = body(json!({"x": 1}));
    let update = SubscriptionUpdate {
        filter_config: Some(taking(&["b", "c"], conditions.clone())),
        ..SubscriptionUpdate::default()
    };
    let after = subscriptions::update(&world.services, &world.system, world.project, made.id, update)
        .await
        .expect("ok");
    assert_eq!(after.event_types, ["b", "c"]);
    assert_eq!(after.filters[0].id, kept);
    assert!(after.filters[0].enabled_at.is_none());
    assert_eq!(after.filter, conditions);
}

#[tokio::test]
async fn toggling_switches_off_and_on_and_deleting_ends_it() {
    let world = World::new().await;
    let id = world.subscription("all").await.id;
    let toggle = || subscriptions::toggle(&world.services, &world.system, world.project, id);
    assert!(!toggle().await.expect("ok").enabled);
    assert!(toggle().await.expect("ok").enabled);
    subscriptions::delete(&world.services, &world.system, world.project, id)
        .await
        .expect("deleted");
    let again = subscriptions::delete(&world.services, &world.system, world.project, id).await;
    assert!(matches!(again, Err(Error::NotFound("subscription"))), "{again:?}");
    let tail = world.actions().await;
    assert!(
        tail.ends_with(
            &[
                "subscription.toggled",
                "subscription.toggled",
                "subscription.deleted"
            ]
            .map(String::from)
        )
    );
}

#[tokio::test]
async fn lists_narrow_by_endpoint_and_name() {
    let world = World::new().await;
    let (one, two) = (world.subscription("one").await, world.subscription("two").await);
    let list = async |query: SubscriptionQuery| {
        let page = subscriptions::list(&world.services, &world.system, world.project, query)
            .await
            .expect("listed");
        page.items.into_iter().map(|s| s.name).collect::<Vec<_>>()
    };
    assert_eq!(list(SubscriptionQuery::default()).await, ["two", "one"]);
    let of_one = SubscriptionQuery {
        endpoints: vec![one.endpoint.id],
        ..SubscriptionQuery::default()
    };
    assert_eq!(list(of_one).await, ["one"]);
    let named = SubscriptionQuery {
        name: Some("TW".to_owned()),
        ..SubscriptionQuery::default()
    };
    assert_eq!(list(named).await, ["two"]);
    assert_eq!(two.endpoint.name, "two's endpoint");
}

#[tokio::test]
async fn another_projects_key_may_neither_look_nor_touch() {
    let world = World::new().await;
    let id = world.subscription("all").await.id;
    let stranger = world.stranger().await;
    let (services, project) = (&world.services, world.project);
    let refusals = [
        subscriptions::create(services, &stranger, project, NewSubscription::default())
            .await
            .err(),
        subscriptions::list(services, &stranger, project, SubscriptionQuery::default())
            .await
            .err(),
        subscriptions::get(services, &stranger, project, id).await.err(),
        subscriptions::update(services, &stranger, project, id, SubscriptionUpdate::default())
            .await
            .err(),
        subscriptions::toggle(services, &stranger, project, id)
            .await
            .err(),
        subscriptions::delete(services, &stranger, project, id)
            .await
            .err(),
    ];
    for refusal in refusals {
        assert!(matches!(refusal, Some(Error::Forbidden(_))), "{refusal:?}");
    }
}
