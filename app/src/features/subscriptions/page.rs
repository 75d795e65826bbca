//! The list of subscriptions.

use domain::state::EndpointState;
use leptos::prelude::*;

use super::{
    dto::{SubscriptionRow, SubscriptionsDto},
    server_fns,
};
use crate::{
    features::common::ProjectRef,
    ui::{
        bar::Crumb,
        blank::nothing_yet,
        load::{Page, load},
        panel::{link_button, nothing, page_head, plain_panel},
        pill::pill,
        table::{Cell, Col, Table, or_none, row_link, table},
        time::time_plain,
    },
};

/// `/projects/{project}/subscriptions`
#[component]
pub fn SubscriptionsPage() -> impl IntoView {
    load::<server_fns::SubscriptionsPage, _>(view)
}

/// The list.
pub fn view(dto: SubscriptionsDto) -> Page {
    let new = if dto.project.can_edit {
        link_button(
            dto.project.at("subscriptions/new"),
            "plus",
            "New subscription",
            true,
        )
    } else {
        nothing()
    };
    let list = if dto.rows.is_empty() {
        let text = "A subscription says which events an endpoint receives.";
        nothing_yet("subscriptions", "No subscriptions yet", text, nothing())
    } else {
        plain_panel(subscription_table(&dto.project, dto.rows))
    };
    let body = view! {
        {page_head("Subscriptions".into_any(), nothing(), new)}
        <div class="tight">{list}</div>
    };
    Page::new(
        format!("Subscriptions · {}", dto.project.name),
        vec![Crumb::here("Subscriptions")],
        body.into_any(),
    )
}

fn subscription_table(project: &ProjectRef, rows: Vec<SubscriptionRow>) -> AnyView {
    let rows = rows
        .into_iter()
        .map(|row| {
            let state = if row.enabled {
                EndpointState::Active
            } else {
                EndpointState::Inactive
            };
            let endpoint = project.at(&format!("endpoints/{}", row.endpoint.id));
            vec![
                Cell::title(row_link(
                    project.at(&format!("subscriptions/{}", row.id)),
                    row.name,
                )),
                Cell::state(pill(state.look())),
                Cell::sub(view! { <a href=endpoint>{row.endpoint.name}</a> }),
                Cell::labelled(
                    "Types",
                    view! { <span class="clip mono">{row.event_types}</span> },
                ),
                Cell::labelled("Filter", or_none(row.filter)),
                Cell::wide_number(time_plain(row.updated)),
            ]
        })
        .collect();
    table(Table {
        caption: "Subscriptions by name".to_owned(),
        cols: vec![
            Col::text("Subscription"),
            Col::text("State"),
            Col::text("Endpoint"),
            Col::text("Event types"),
            Col::text("Filter"),
            Col::number("Changed"),
        ],
        rows,
        sticky: true,
    })
}
