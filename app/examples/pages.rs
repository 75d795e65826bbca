//! Writes every page with sample data as static HTML, to look at without a server:
//! `cargo run -p longhaul-app --features ssr --example pages -- OUT_DIR`.

use app::{
    features::{
        audit, auth,
        common::{Attention, NamedRef, ProjectRef, first_event_command},
        deliveries::{self, dto::{AttemptDto, DeliveriesDto, DeliveryDto, DeliveryRow}},
        endpoints::{self, dto::{EndpointDto, EndpointForm, EndpointFormDto, EndpointRow, EndpointsDto, SecretRow}},
        events::{self, dto::{EventDto, EventRow, EventsDto}},
        overview::{self, dto::{EndpointSummary, OverviewDto}, shapes},
        projects::{self, dto::{NewProjectDto, ProjectRow, ProjectsDto}},
        settings::{self, dto::{DangerDto, GeneralDto, GeneralForm, KeyRow, KeysDto, SignatureDto, VersionRow}},
        subscriptions::{self, dto::{SubscriptionDto, SubscriptionForm, SubscriptionRow, SubscriptionsDto, TestOutcome}},
    },
    format::{Stamp, count},
    ui::{
        code::Payload,
        filter::{Chip, FilterDto},
        form::Failure,
        heat::{HeatDay, Strip},
        html::json_tree,
        load::{Page, Refresh, render},
        nav::{FrameDto, ProjectItem, ViewerDto, nav},
        pager::Pager,
        stat::Stat,
        tabs::Tab,
        timeline::Step,
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use domain::state::{DeliveryState, EndpointState, EventState};
use leptos::prelude::*;
use leptos_router::{components::Router, location::RequestUrl};

const ID: &str = "01a1f7af-f8f6-7586-a2c6-893ff46a2a3f";

fn now() -> DateTime<Utc> {
    "2026-11-20T10:42:18.318Z".parse().expect("valid")
}

fn ago(seconds: i64) -> Stamp {
    Stamp::ago(now() - TimeDelta::seconds(seconds), now())
}

fn row_stamp(seconds: i64) -> Stamp {
    Stamp::row(now() - TimeDelta::seconds(seconds), now())
}

fn project() -> ProjectRef {
    ProjectRef { id: "p1".into(), name: "Checkout".into(), can_edit: true }
}

fn named(id: &str, name: &str) -> NamedRef {
    NamedRef { id: id.into(), name: name.into() }
}

fn frame() -> FrameDto {
    let item = |id: &str, name: &str, keep: &str| ProjectItem { id: id.into(), name: name.into(), keep: keep.into() };
    FrameDto {
        viewer: ViewerDto {
            email: "admin@harbour.example".into(),
            role: "Instance admin".into(),
            initials: "AD".into(),
            instance_admin: true,
        },
        organisation: "Harbour & Pine".into(),
        projects: vec![item("p1", "Checkout", "30 days"), item("p2", "Ledger", "for ever"), item("p3", "Parcel tracking", "7 days")],
        current: "p1".into(),
        paused_endpoints: 1,
        now: Stamp { text: "10:42:18 UTC, 20 Nov".into(), ..ago(0) },
        version: "0.1.0".into(),
    }
}

fn deliveries_rows() -> Vec<DeliveryRow> {
    use DeliveryState as S;
    let list = [
        ("order.paid", S::Processing, "Data lake", "", "", "1", ""),
        ("payment.captured", S::Success, "Data lake", "200", "", "1", "102 ms"),
        ("order.created", S::Retry, "Brightline", "429", "Rate limited", "3", "88 ms"),
        ("customer.updated", S::Failure, "Mailer", "422", "Endpoint refused the payload", "5", "131 ms"),
        ("invoice.issued", S::Scheduled, "ERP", "", "", "", ""),
        ("shipment.updated", S::Failure, "Data lake", "timeout", "No answer within 10 s", "5", "10.0 s"),
        ("order.refunded", S::Discarded, "Loyalty", "", "Endpoint was inactive", "", ""),
    ];
    (0..3)
        .flat_map(|_| list)
        .enumerate()
        .map(|(i, (event, state, endpoint, code, reason, attempts, took))| DeliveryRow {
            id: ID.into(),
            event_type: event.into(),
            state,
            endpoint: endpoint.into(),
            code: code.into(),
            reason: reason.into(),
            attempts: attempts.into(),
            took: took.into(),
            at: row_stamp(i as i64 * 7),
        })
        .collect()
}

fn attention() -> Vec<Attention> {
    let item = |state: &str, icon: &str, title: &str, text: &str, action: &str| Attention {
        state: state.into(),
        icon: icon.into(),
        title: title.into(),
        text: text.into(),
        since: ago(4 * 3600),
        action: action.into(),
        href: "#".into(),
    };
    vec![
        item("failure", "failure", "1 702 deliveries to Fraud scoring failed", "Between 05:10 and 07:05 UTC it answered 500. It has answered 200 since 07:06.", "See failures"),
        item("paused", "paused", "ERP is paused", "62 deliveries wait and keep their order.", "Open endpoint"),
        item("retry", "retry", "226 deliveries to Brightline are retrying", "The oldest has waited 4 h 12 min; the next attempt is in 38 s.", "See deliveries"),
    ]
}

fn stats() -> Vec<Stat> {
    let wave = |k: f64| (0..24).map(|i| 10.0 + k * ((i as f64) / 3.0).sin()).collect::<Vec<_>>();
    let stat = |label: &str, value: &str, unit: &str, delta: &str, note: &str, spark| Stat {
        label: label.into(),
        value: value.into(),
        unit: unit.into(),
        delta: delta.into(),
        delta_state: if delta.starts_with('−') { "failure".into() } else { String::new() },
        note: note.into(),
        spark,
    };
    vec![
        stat("Events accepted", "412 906", "", "+3.1 %", "on the day before", shapes::spark(&wave(4.0), "")),
        stat("Delivered", "99.69", "%", "−0.28 points", "1 846 failed of 684 213", shapes::spark(&wave(1.0), "")),
        stat("Accepted to delivered, p95", "412", "ms", "", "p50 96 ms, p99 1.84 s", shapes::spark(&wave(2.0), "")),
        stat("Waiting", "288", "", "", "226 retrying, oldest 4 h 50 min", shapes::spark(&[0., 0., 1., 2., 5., 9.], "retry")),
    ]
}

fn payload() -> Payload {
    let value = serde_json::json!({
        "event": "payment.captured", "id": "pay_01HXK7Q2M9",
        "order": { "id": "ord_2026_118204", "channel": "web", "lines": [{ "sku": "HP-2041", "qty": 2 }, { "sku": "HP-0088", "qty": 1 }] },
        "amount": { "value": 12990, "currency": "EUR" }, "three_ds": true, "note": null
    });
    Payload { tree: json_tree(&value, 500), raw: value.to_string(), size: "394 B".into(), cut: false }
}

fn headers() -> Vec<(String, String)> {
    [("content-type", "application/json"), ("user-agent", "Longhaul/0.1.0"), ("x-convoy-signature", "t=1795157403,v1=58c067b3c878992a5220403f746e14d0c65de94b15b4ec54bacfca51e90cf42e")]
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .to_vec()
}

fn filter() -> FilterDto {
    FilterDto {
        chips: vec![Chip { key: "endpoint".into(), value: "Mailer".into(), remove: "?".into() }],
        kept: vec![("state".into(), "failed".into())],
        range: "24h".into(),
        ranges: vec![("1h".into(), "Last hour".into()), ("24h".into(), "Last 24 h".into()), ("7d".into(), "Last 7 days".into())],
    }
}

fn pager() -> Pager {
    Pager { newer: String::new(), older: "?before=x".into(), note: "24 of 684 213. Kept 30 days.".into(), cost: "Query took 6 ms".into() }
}

fn overview_page(empty: bool) -> Page {
    let slices = (0..96)
        .map(|i| shapes::Slice { succeeded: 7000, failed: if (73..80).contains(&i) { 260 } else { 1 }, retried: 20 + i % 5 })
        .collect::<Vec<_>>();
    let days = (0..45)
        .map(|i| HeatDay {
            day: app::format::day((now() - TimeDelta::days(44 - i)).date_naive(), now()),
            events: count(300_000 + i * 1000),
            failed: count(i % 7),
            level: if empty && i < 44 { 0 } else { (i * 13 % 5 + 1) as u8 },
            marked: !empty && i % 11 == 5,
            href: "events?day=20261120".into(),
        })
        .collect();
    let range = |w: &str, c| Tab::new(w, format!("?range={w}"), c);
    let endpoint = |name: &str, state, failed: &str, waiting: &str, p95: &str| EndpointSummary {
        id: ID.into(), name: name.into(), state, failed: failed.into(), waiting: waiting.into(), p95: p95.into(),
    };
    overview::page::view(OverviewDto {
        project: project(),
        meta: vec!["7 endpoints".into(), "19 subscriptions".into(), "Kept 30 days".into()],
        ranges: vec![range("1 h", false), range("24 h", true), range("7 d", false), range("30 d", false)],
        range: "Last 24 hours".into(),
        attention: if empty { vec![] } else { attention() },
        stats: stats(),
        chart: shapes::success(&slices, ["11:00", "15:00", "19:00", "23:00", "03:00", "07:00", "11:00"].map(String::from).to_vec()),
        chart_note: "per 15 min, UTC".into(),
        endpoints: if empty { vec![] } else { vec![
            endpoint("Fraud scoring", EndpointState::Active, "1 702", "0", "188 ms"),
            endpoint("Brightline", EndpointState::Inactive, "11", "226", "94 ms"),
            endpoint("ERP", EndpointState::Paused, "0", "62", ""),
            endpoint("Warehouse Rotterdam", EndpointState::Active, "0", "0", "61 ms"),
        ] },
        days: Strip::new(days),
        days_note: "45 days in PostgreSQL, kept 30 days.".into(),
        failures: if empty { vec![] } else { deliveries_rows().into_iter().filter(|r| r.state == DeliveryState::Failure).collect() },
        failed: "1 846".into(),
        first_event: if empty { first_event_command("http://127.0.0.1:5005", "p1", ID) } else { String::new() },
    })
}

fn delivery_page() -> Page {
    let step = |s: i64, state: &str, icon: &str, title: &str, note: &str, meta: &str, text: &str, current| Step {
        at: Stamp::step(now() - TimeDelta::seconds(s)), state: state.into(), icon: icon.into(), title: title.into(), note: note.into(),
        meta: meta.into(), text: text.into(), href: if title.starts_with("Attempt") { "?attempt=1".into() } else { String::new() }, current,
    };
    deliveries::detail::view(DeliveryDto {
        project: project(), id: ID.into(), event: ID.into(), event_type: "payment.captured".into(), state: DeliveryState::Failure,
        endpoint: named("e1", "Fraud scoring"), subscription: named("s1", "Captured payments"), accepted: ago(4 * 3600),
        headline: "Ended after 5 attempts: the last answer was 500".into(),
        explanation: "Resending sends the same bytes with a fresh signature and counts as a new attempt.".into(),
        steps: vec![
            step(700, "neutral", "inbox", "Accepted", "", "", "REST", false),
            step(699, "neutral", "subscriptions", "Matched", "", "", "Captured payments", false),
            step(690, "failure", "failure", "Attempt 1", "500", "212 ms", "Internal Server Error", false),
            step(400, "failure", "failure", "Attempt 2", "timeout", "10.0 s", "No answer within 10 s", true),
            step(0, "failure", "open", "Ended: failed", "", "", "Retry limit of 5 reached. Kept until 20 Dec.", false),
        ],
        retry: "Exponential from 10 s, 5 attempts".into(), idempotency_key: "pay_01HXK7Q2M9".into(), partition: "20 Nov 2026, class k30".into(),
        attempt: Some(AttemptDto {
            number: 5, succeeded: false, code: "500".into(), took: "187 ms".into(), ip: "203.0.113.24".into(), method: "POST".into(),
            url: "https://score.riskyard.example/ingest".into(), request_headers: headers(), request: payload(), status: "500 Internal Server Error".into(),
            response_headers: headers(), response: payload(), error: String::new(), scheme: "Convoy, advanced (SHA-256, hex)".into(),
            signature: vec![headers()[2].clone()], at: ago(3600), older: "?attempt=4".into(), newer: String::new(),
        }),
        payload: payload(), can_resend: true,
    })
}

fn endpoint_page() -> Page {
    endpoints::page::detail_view(EndpointDto {
        project: project(), id: ID.into(), name: "Fraud scoring".into(), state: EndpointState::Paused,
        state_reason: "62 deliveries wait and keep their order. Activate it to send them.".into(),
        url: "https://score.riskyard.example/ingest".into(), description: String::new(), stats: stats(),
        settings: [("Signature", "Convoy, advanced"), ("Body", "JSON"), ("Timeout", "10 s"), ("Rate limit", "none"), ("Authentication", "none")]
            .map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec(),
        secrets: vec![
            SecretRow { id: ID.into(), text: "whsec_••••••••d41f".into(), whole: false, created: ago(86400), expires: Stamp::default() },
            SecretRow { id: ID.into(), text: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(), whole: true, created: ago(86400), expires: ago(-3600) },
        ],
        subscriptions: vec![named("s1", "Captured payments"), named("s2", "Refunds")],
        deliveries: deliveries_rows().into_iter().take(5).collect(), waiting: "62".into(),
    })
}

fn events_pages() -> Vec<(&'static str, Page)> {
    let row = |event: &str, state, outcome: &str, i: i64| EventRow {
        id: ID.into(), event_type: event.into(), state, outcome: outcome.into(), source: "REST".into(), size: "1.02 kB".into(), accepted: row_stamp(i * 30),
    };
    let list = events::page::list_view(EventsDto {
        project: project(), filter: filter(),
        rows: vec![
            row("order.paid", EventState::Success, "2 delivered", 0),
            row("order.created", EventState::Success, "1 delivered, 1 failed", 1),
            row("cart.abandoned", EventState::Failure, "", 2),
            row("invoice.issued", EventState::Pending, "", 3),
        ],
        pager: pager(), first_event: String::new(),
    });
    let detail = events::page::detail_view(EventDto {
        project: project(), id: ID.into(), event_type: "payment.captured".into(), state: EventState::Failure,
        failure: "No subscription matched this event.".into(), accepted: ago(4 * 3600), source: "REST".into(),
        idempotency_key: "pay_01HXK7Q2M9".into(), duplicate: true, partition: "20 Nov 2026, class k30".into(), keep: "until 20 Dec".into(),
        payload: payload(), headers: headers(), deliveries: deliveries_rows().into_iter().take(2).collect(),
    });
    let none = events::page::list_view(EventsDto { project: project(), filter: filter(), ..EventsDto::default() });
    vec![("events", list), ("event", detail), ("events-none", none)]
}

fn project_pages() -> Vec<(&'static str, Page)> {
    let row = |name: &str, failed: &str| ProjectRow {
        id: "p1".into(), name: name.into(), kind: "Outgoing".into(), endpoints: "7".into(), events: "412 906".into(), success: "99.69 %".into(),
        failed: failed.into(), waiting: "0".into(), keep: "30 days".into(),
    };
    let list = projects::page::projects_view(ProjectsDto {
        attention: attention(), stats: stats(), rows: vec![row("Checkout", "1 846"), row("Ledger", "0")], can_create: true,
    });
    vec![("projects", list), ("project-new", projects::page::new_project_view(NewProjectDto { organisation: "Harbour & Pine".into() }))]
}

fn settings_pages() -> Vec<(&'static str, Page)> {
    let key = |name: &str, used| KeyRow {
        id: ID.into(), name: name.into(), mask: "CO.Ab12".into(), role: "Project admin".into(), created: ago(86400 * 3), used, expires: Stamp::default(),
    };
    let form = GeneralForm { name: "Checkout".into(), strategy: "exponential".into(), duration: "10".into(), retry_count: "5".into(), id_headers: true, ..GeneralForm::default() };
    let version = |name: &str| VersionRow { name: name.into(), hash: "SHA-256".into(), encoding: "hex".into(), created: ago(86400) };
    vec![
        ("settings-general", settings::page::general_view(GeneralDto { project: project(), kind: "Outgoing".into(), version: 1, form })),
        ("settings-signature", settings::page::signature_view(SignatureDto { project: project(), version: 1, header: "X-Convoy-Signature".into(), request_id_header: "X-Convoy-Idempotency-Key".into(), versions: vec![version("v1"), version("v2")] })),
        ("settings-keys", settings::keys::view(KeysDto { project: project(), rows: vec![key("checkout-api", ago(30)), key("warehouse", Stamp::default())], created: "CO.Ab12.ZVQ8PqbV2bfrlc".into(), command: first_event_command("http://127.0.0.1:5005", "p1", ID) })),
        ("settings-danger", settings::page::danger_view(DangerDto { project: project(), endpoints: "7".into(), subscriptions: "19".into(), keys: "2".into(), events: "12.6 M".into(), waiting: "288".into() })),
    ]
}

fn subscription_pages() -> Vec<(&'static str, Page)> {
    let row = |name: &str, types: &str, filter: &str| SubscriptionRow {
        id: ID.into(), name: name.into(), endpoint: named("e1", "Mailer"), event_types: types.into(), filter: filter.into(), updated: ago(86400),
    };
    let form = SubscriptionForm { name: "Captured payments".into(), endpoint_id: "e1".into(), event_types: "payment.captured".into(), body: "{\"amount.value\": {\"$gte\": 100}}".into(), ..SubscriptionForm::default() };
    let outcome = TestOutcome { matched: false, scopes: vec![("body".into(), "does not pass".into()), ("headers".into(), "passes".into())] };
    vec![
        ("subscriptions", subscriptions::page::view(SubscriptionsDto { project: project(), rows: vec![row("Captured payments", "payment.captured", "body"), row("Everything", "every type", "")] })),
        ("subscription", subscriptions::form::view(SubscriptionDto { project: project(), id: ID.into(), name: "Captured payments".into(), form, endpoints: vec![named("e1", "Mailer"), named("e2", "ERP")], outcome: Some(outcome) })),
    ]
}

fn pages() -> Vec<(&'static str, Page)> {
    let tab = |word: &str, count: &str, state: &str, current| Tab { word: word.into(), href: "?".into(), current, count: count.into(), state: state.into() };
    let mut list = vec![
        ("overview", overview_page(false)),
        ("overview-empty", overview_page(true)),
        ("deliveries", deliveries::page::view(DeliveriesDto {
            project: project(),
            tabs: vec![tab("All", "684 213", "", true), tab("Delivered", "682 079", "", false), tab("Retrying", "226", "retry", false), tab("Failed", "1 846", "failure", false)],
            filter: filter(), rows: deliveries_rows(), pager: pager(), any: true, matching: "1 846 deliveries".into(), query: String::new(),
        })),
        ("delivery", delivery_page()),
        ("endpoints", endpoints::page::list_view(EndpointsDto {
            project: project(), any: true, search: String::new(),
            rows: vec![EndpointRow { id: ID.into(), name: "Mailer".into(), state: EndpointState::Active, url: "https://mail.example/hooks".into(), success: "99.99 %".into(), failed: "71".into(), waiting: "0".into(), subscriptions: "3".into() }],
        })),
        ("endpoint", endpoint_page()),
        ("endpoint-edit", endpoints::form::view(EndpointFormDto {
            project: project(), id: ID.into(), version: 3,
            form: EndpointForm { name: "Mailer".into(), url: "https://mail.example/hooks".into(), signature: "advanced".into(), content_type: "application/json".into(), http_timeout: "10".into(), rate_limit: "0".into(), rate_limit_duration: "60".into(), auth: "api_key".into(), ..EndpointForm::default() },
        })),
        ("audit", audit::page::view(audit::dto::AuditDto {
            filter: filter(), pager: pager(),
            rows: vec![audit::dto::AuditRow { id: ID.into(), action: "endpoint.pause".into(), actor: "admin@harbour.example".into(), target: "Endpoint Mailer".into(), project: "Checkout".into(), detail: "state: active to paused".into(), ip: "203.0.113.9".into(), at: row_stamp(60) }],
        })),
    ];
    list.extend(project_pages());
    list.extend(events_pages());
    list.extend(settings_pages());
    list.extend(subscription_pages());
    list
}

fn document(body: String) -> String {
    format!("<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\"><title>Page</title><link rel=\"stylesheet\" href=\"/main.css\"></head><body>{body}</body></html>")
}

fn in_router(view: impl FnOnce() -> AnyView + Send + 'static) -> String {
    let owner = Owner::new();
    owner.with(|| {
        provide_context(RequestUrl::new("/projects/p1"));
        leptos_meta::provide_meta_context();
        app::ui::toast::provide_announcer();
        Refresh::provide();
        view! { <Router>{view()}</Router> }.to_html()
    })
}

fn main() -> std::io::Result<()> {
    let out = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let names = Owner::new().with(|| {
        provide_context(RequestUrl::new("/projects/p1"));
        (0..30).collect::<Vec<usize>>()
    });
    let mut at = 0;
    for i in names {
        let html = in_router(move || {
            let mut list = pages();
            if i >= list.len() {
                return ().into_any();
            }
            let (name, page) = list.swap_remove(i);
            let path = Memo::new(|_| "/projects/p1".to_owned());
            let failure = Failure::provide();
            view! {
                <template id="name" class="sr">{name}</template>
                <a class="skip" href="#main">"Skip to content"</a>
                <div class="app">{nav(frame(), path)}<div class="main">{render(Some(frame()), failure, page)}</div></div>
            }
            .into_any()
        });
        let Some(name) = html.split("<template id=\"name\" class=\"sr\">").nth(1).and_then(|s| s.split('<').next()) else { break };
        std::fs::write(format!("{out}/{name}.html"), document(html.clone()))?;
        at += 1;
    }
    let login = in_router(|| {
        let failure = Failure::provide();
        auth::page::view(auth::dto::LoginDto { organisation: "Harbour & Pine".into(), version: "0.1.0".into(), now: Stamp { text: "10:42 UTC".into(), ..ago(0) }, ..Default::default() }, failure)
    });
    std::fs::write(format!("{out}/login.html"), document(login))?;
    println!("{} pages", at + 1);
    Ok(())
}
