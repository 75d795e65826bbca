//! The filter language by example, and properties that hold for any JSON.

use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;

fn body_filter(filter: Value) -> Result<Filter, FilterError> {
    Filter::compile(&FilterSpec {
        body: Some(filter),
        ..FilterSpec::default()
    })
}

fn of_body(body: &Value) -> FilterInput<'_> {
    FilterInput {
        headers: &Value::Null,
        body,
        query: &Value::Null,
        path: &Value::Null,
    }
}

#[track_caller]
fn holds(filter: Value, body: &Value) -> bool {
    body_filter(filter)
        .expect("a filter that compiles")
        .matches(&of_body(body))
}

#[track_caller]
fn refused(filter: Value) -> (String, FilterErrorCode) {
    let error = body_filter(filter).expect_err("a filter that is refused");
    assert_eq!(error.scope, Scope::Body);
    (error.path, error.code)
}

#[test]
fn operators_compare_the_value_at_their_key() {
    let body = json!({"n": 5, "f": 5.0, "text": "order.paid", "flag": true, "none": null, "tags": ["a", "b"], "o": {"deep": 1}});
    for (filter, expected) in [
        (json!({"n": 5}), true),
        (json!({"n": 5.0}), true),
        (json!({"f": 5}), true),
        (json!({"n": "5"}), false),
        (json!({"flag": true}), true),
        (json!({"none": null}), true),
        (json!({"tags": "b"}), true),
        (json!({"tags": ["a", "b"]}), true),
        (json!({"tags": ["b", "a"]}), false),
        (json!({"n": {"$eq": 5}}), true),
        (json!({"n": {"$neq": 5}}), false),
        (json!({"tags": {"$neq": "a"}}), false),
        (json!({"n": {"$gt": 4, "$lt": 6}}), true),
        (json!({"n": {"$gt": 5}}), false),
        (json!({"n": {"$gte": 5}}), true),
        (json!({"n": {"$lte": 4.9}}), false),
        (json!({"text": {"$gt": 1}}), false),
        (json!({"n": {"$in": [1, 5]}}), true),
        (json!({"n": {"$nin": [1, 5]}}), false),
        (json!({"tags": {"$in": ["x", "b"]}}), true),
        (json!({"tags": {"$nin": ["x", "b"]}}), false),
        (json!({"n": {"$in": []}}), false),
        (json!({"none": {"$exist": true}}), true),
        (json!({"lost": {"$exist": false}}), true),
        (json!({"n": {"$exist": false}}), false),
        (json!({"text": {"$regex": "^order\\."}}), true),
        (json!({"n": {"$regex": "5"}}), false),
        (json!({"o": {"deep": 1}}), true),
        (json!({"o.deep": {"$lt": 1}}), false),
    ] {
        assert_eq!(holds(filter.clone(), &body), expected, "{filter}");
    }
}

#[test]
fn and_or_nest_and_may_stand_below_a_key() {
    let body = json!({"age": 12, "city": "London", "person": {"age": 11}});
    for (filter, expected) in [
        (json!({"$or": [{"age": 1}, {"city": "London"}]}), true),
        (json!({"$and": [{"age": 12}, {"city": "Paris"}]}), false),
        (
            json!({"$or": [{"$and": [{"age": 12}, {"city": "Paris"}]}, {"person.age": {"$gt": 10}}]}),
            true,
        ),
        (
            json!({"person": {"$or": [{"age": 10}, {"age": {"$in": [11]}}]}}),
            true,
        ),
        (json!({"age": {"$or": [{"$gt": 100}, {"$lt": 13}]}}), true),
        (json!({"city": "Paris", "$or": [{"age": 12}]}), false),
    ] {
        assert_eq!(holds(filter.clone(), &body), expected, "{filter}");
    }
}

#[test]
fn arrays_are_reached_by_position_and_by_wildcard() {
    let body = json!({"items": [{"name": "a", "n": [{"x": 1}]}, {"name": "b", "n": [{"x": 2}, {"x": 3}]}]});
    for (filter, expected) in [
        (json!({"items.$.name": "b"}), true),
        (json!({"items.$.name": "c"}), false),
        (json!({"items": {"$": {"name": "a"}}}), true),
        (json!({"items.0.name": "b"}), false),
        (json!({"items.1.name": "b"}), true),
        (json!({"items.$.n.$.x": {"$gt": 2}}), true),
        (json!({"items.$.lost": {"$exist": false}}), true),
        (json!({"items.name": "a"}), false),
    ] {
        assert_eq!(holds(filter.clone(), &body), expected, "{filter}");
    }
    let root = json!([{"name": "a"}, {"name": "b"}]);
    assert!(holds(json!({"$.name": "b"}), &root));
    assert!(holds(json!({"1.name": "b"}), &root));
    assert!(!holds(json!({"name": "b"}), &root));
}

#[test]
fn a_missing_key_is_left_out_as_long_as_another_condition_was_judged() {
    let body = json!({"a": 1});
    assert!(holds(json!({"a": 1, "b": 2}), &body));
    assert!(!holds(json!({"b": 2}), &body));
    assert!(!holds(json!({"b": {"$neq": 2}}), &body));
    assert!(!holds(json!({"$or": [{"b": 2}, {"c": 3}]}), &body));
    let strict = body_filter(json!({"a": 1, "b": 2}))
        .expect("compiles")
        .with_missing_keys(MissingKeys::Fail);
    assert!(!strict.matches(&of_body(&body)));
}

#[test]
fn without_conditions_everything_matches() {
    for filter in [json!({}), Value::Null] {
        let filter = body_filter(filter).expect("compiles");
        assert!(filter.is_empty() && !filter.looks_at(Scope::Body));
        for body in [json!({}), json!("text"), Value::Null] {
            assert!(filter.matches(&of_body(&body)));
        }
    }
    for body in [json!("text"), json!(1), Value::Null] {
        assert!(!holds(json!({"lost": {"$exist": false}}), &body));
    }
}

#[test]
fn every_scope_must_hold_and_header_names_have_no_case() {
    let spec = FilterSpec {
        headers: Some(json!({"X-Tenant": "acme", "x-retry": {"$gt": 2}})),
        query: Some(json!({"tag": {"$in": ["b"]}, "page": 3})),
        path: Some(json!({"version": "v2"})),
        body: Some(json!({"ok": true})),
    };
    let filter = Filter::compile(&spec).expect("compiles");
    let headers = json!({"x-tenant": ["acme"], "X-RETRY": ["3"]});
    let (query, path, body) = (
        json!({"tag": ["a", "b"], "page": "3"}),
        json!({"version": "v2"}),
        json!({"ok": true}),
    );
    let input = FilterInput {
        headers: &headers,
        body: &body,
        query: &query,
        path: &path,
    };
    assert!(filter.matches(&input));
    let other = json!({"x-tenant": ["other"], "X-RETRY": ["3"]});
    assert!(!filter.matches(&FilterInput {
        headers: &other,
        ..input
    }));
    assert!(!filter.matches(&FilterInput {
        path: &Value::Null,
        ..input
    }));
}

#[test]
fn wildcards_outside_of_the_body_never_hold() {
    let filter = Filter::compile(&FilterSpec {
        query: Some(json!({"tag.$.x": 1})),
        ..FilterSpec::default()
    })
    .expect("compiles");
    let query = json!({"tag": [{"x": 1}]});
    let input = FilterInput {
        query: &query,
        ..of_body(&Value::Null)
    };
    assert!(!filter.matches(&input));
}

#[test]
fn whole_numbers_are_compared_exactly() {
    let body = json!({"id": 9_007_199_254_740_993_u64});
    assert!(!holds(json!({"id": 9_007_199_254_740_992_u64}), &body));
    assert!(holds(json!({"id": {"$gt": 9_007_199_254_740_992_u64}}), &body));
}

#[test]
fn a_wrong_filter_is_refused_with_its_place() {
    use FilterErrorCode as Code;
    let list: Vec<_> = (0..=MAX_LIST).collect();
    let many: Map<_, _> = (0..=MAX_CONDITIONS)
        .map(|n| (format!("k{n}"), json!(1)))
        .collect();
    let deep = (0..=MAX_DEPTH).fold(json!({"$gt": 1}), |inner, _| json!({ "a": inner }));
    for (filter, path, code) in [
        (json!([]), "", Code::NotAnObject),
        (json!("text"), "", Code::NotAnObject),
        (json!({"a": {"$near": 1}}), "a.$near", Code::UnknownOperator),
        (json!({"$gt": 1}), "$gt", Code::OperatorWithoutKey),
        (json!({"$or": [{"$gt": 1}]}), "$gt", Code::OperatorWithoutKey),
        (json!({"a": {"b": {"$gt": "1"}}}), "a.b.$gt", Code::NumberExpected),
        (json!({"a": {"$in": 1}}), "a.$in", Code::ListExpected),
        (json!({"a": {"$nin": list}}), "a.$nin", Code::TooManyValues),
        (json!({"$or": {}}), "$or", Code::ListExpected),
        (json!({"$or": []}), "$or", Code::EmptyList),
        (json!({"$or": [{}, 1]}), "$or.1", Code::NotAnObject),
        (json!({"a": {"$exist": "yes"}}), "a.$exist", Code::BooleanExpected),
        (json!({"a": {"$regex": 1}}), "a.$regex", Code::TextExpected),
        (json!({"a": {"$regex": "("}}), "a.$regex", Code::BadPattern),
        (
            json!({"a": {"$regex": "a".repeat(MAX_PATTERN_BYTES + 1)}}),
            "a.$regex",
            Code::PatternTooLarge,
        ),
        (
            json!({"a": {"$regex": "(a{1000}){1000}"}}),
            "a.$regex",
            Code::PatternTooLarge,
        ),
        (json!({"items.$": 1}), "items.$", Code::TrailingWildcard),
        (json!({"$": 1}), "$", Code::TrailingWildcard),
        (
            json!({"a.$.b.$.c.$.d.$.e": 1}),
            "a.$.b.$.c.$.d.$.e",
            Code::TooManyWildcards,
        ),
        (json!({"": 1}), "", Code::EmptyKey),
        (json!({"a.b": 1, "a": {"b": 2}}), "a.b", Code::RepeatedPath),
    ] {
        assert_eq!(refused(filter.clone()), (path.to_owned(), code), "{filter}");
    }
    assert_eq!(refused(deep).1, Code::TooDeep);
    assert_eq!(refused(Value::Object(many)).1, Code::TooManyConditions);
    let error = body_filter(json!({"a": {"$regex": "("}})).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "body.a.$regex: is not a pattern that can be used"
    );
}

#[test]
fn flattening_joins_keys_and_keeps_operators_together() {
    assert_eq!(
        flatten(&json!({"a": {"b": 1, "c": {"$gt": 2, "$lt": 9}}, "$or": [{"x": {"y": 1}}], "e": {}})),
        json!({"a.b": 1, "a.c": {"$gt": 2, "$lt": 9}, "$or": [{"x.y": 1}], "e": {}})
    );
}

#[test]
fn event_types_match_by_name_or_star() {
    assert!(event_type_matches("*", "order.paid"));
    assert!(event_type_matches("order.paid", "order.paid"));
    assert!(!event_type_matches("order", "order.paid"));
    assert!(!event_type_matches("order.*", "order.paid"));
}

/// Any JSON, with keys and texts that filters find interesting.
fn any_json() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(vec![
        "a", "b", "a.b", "$", "$.a", "a.$", "", ".", "$and", "$or", "$in", "$nin", "$gt", "$regex", "$exist",
        "$eq", "0",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..3).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec!["a", "b", "1", "(", "^a"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A body whose keys hold no dots, so that nested and dotted paths are unambiguous.
fn plain_body() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (-2_i64..2).prop_map(Value::from),
        Just(json!("a")),
        Just(json!([1, "a"]))
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop::collection::btree_map("[ab]", inner, 0..3)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
    })
}

proptest! {
    #[test]
    fn no_filter_and_no_input_make_it_panic(filter in any_json(), input in any_json()) {
        let flat = flatten(&filter);
        for written in [filter, flat] {
            let spec = FilterSpec {
                headers: Some(written.clone()), body: Some(written.clone()), query: Some(written.clone()), path: None,
            };
            if let Ok(filter) = Filter::compile(&spec) {
                filter.matches(&FilterInput { headers: &input, body: &input, query: &input, path: &input });
            }
        }
    }

    #[test]
    fn a_flattened_filter_means_the_same(filter in any_json(), body in any_json()) {
        if let Ok(nested) = body_filter(filter.clone()) {
            let flat = body_filter(flatten(&filter)).expect("flattening keeps a filter valid");
            prop_assert_eq!(nested.matches(&of_body(&body)), flat.matches(&of_body(&body)));
        }
    }

    #[test]
    fn nin_is_the_negation_of_in_when_the_key_exists(
        value in any_json(), list in prop::collection::vec(any_json(), 0..5),
    ) {
        let body = json!({"key": value});
        let inside = holds(json!({"key": {"$in": list}}), &body);
        let outside = holds(json!({"key": {"$nin": list}}), &body);
        prop_assert_ne!(inside, outside);
    }

    #[test]
    fn a_body_matches_the_filter_made_of_it(body in plain_body()) {
        if body.as_object().is_some_and(|object| !object.is_empty()) {
            prop_assert!(holds(body.clone(), &body));
            prop_assert!(holds(flatten(&body), &body));
        }
    }
}
