//! What the pages of several features show.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    format::Stamp,
    ui::{icon::icon, panel::panel, time::time_plain},
};

/// The project a page belongs to, and what the viewer may do there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectRef {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Whether the viewer may change things.
    pub can_edit: bool,
}

impl ProjectRef {
    /// The address of a page of the project: `at("events")`.
    pub fn at(&self, page: &str) -> String {
        if page.is_empty() {
            format!("/projects/{}", self.id)
        } else {
            format!("/projects/{}/{page}", self.id)
        }
    }
}

/// Something with a name and an id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedRef {
    /// Id; empty when the thing is gone.
    pub id: String,
    /// Name.
    pub name: String,
}

/// Something that wants a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attention {
    /// Value of `data-state`.
    pub state: String,
    /// Icon.
    pub icon: String,
    /// What: `226 deliveries to Brightline are retrying`.
    pub title: String,
    /// What it means.
    pub text: String,
    /// Since when; empty when it is not known.
    pub since: Stamp,
    /// Word of the link.
    pub action: String,
    /// Where it leads.
    pub href: String,
}

/// The list of what wants a person, or that nothing does.
pub fn attention(list: Vec<Attention>) -> AnyView {
    let count = if list.is_empty() {
        String::new()
    } else {
        list.len().to_string()
    };
    let body = if list.is_empty() {
        view! { <p class="panel-body row" data-state="success"><span class="calm">{icon("success")}</span>"Nothing needs you"</p> }.into_any()
    } else {
        let items = list.into_iter().map(item).collect::<Vec<_>>();
        view! { <ul class="attn">{items}</ul> }.into_any()
    };
    view! { <div class="tight">{panel("attention", "Needs attention".to_owned(), count, ().into_any(), body)}</div> }.into_any()
}

fn item(item: Attention) -> AnyView {
    view! {
        <li data-state=item.state>
            {icon(&item.icon)}
            <div class="attn-text"><b>{item.title}</b><span>{item.text}</span></div>
            <span class="when">{(!item.since.text.is_empty()).then(|| time_plain(item.since))}</span>
            <a class="btn" data-size="s" href=item.href>{item.action}</a>
        </li>
    }
    .into_any()
}

/// The help below a list when it is empty because the project is new.
pub fn first_event_command(base: &str, project: &str, endpoint: &str) -> String {
    let body = format!(
        "{{\"endpoint_id\": \"{endpoint}\", \"event_type\": \"order.created\", \"data\": {{\"order\": 42}}}}"
    );
    format!(
        "curl {base}/api/v1/projects/{project}/events \\\n  -H \"Authorization: Bearer $API_KEY\" \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"
    )
}
