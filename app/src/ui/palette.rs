//! Search or jump to: paste an id, or go to a page.

use leptos::prelude::*;

use super::icon::icon;

/// The popover that the search button of the bar opens.
pub fn palette(project: Memo<String>) -> AnyView {
    let pages = move || {
        let id = project.get();
        if id.is_empty() {
            return ().into_any();
        }
        let links = [
            ("deliveries?state=Failure", "failure", "Failed deliveries"),
            ("deliveries?state=Retry", "retry", "Retrying deliveries"),
            ("endpoints/new", "plus", "New endpoint"),
            ("subscriptions/new", "plus", "New subscription"),
            ("settings/keys", "key", "API keys"),
        ];
        let links = links
            .into_iter()
            .map(|(page, mark, word)| {
                view! { <a href=format!("/projects/{id}/{page}")>{icon(mark)}{word}</a> }.into_any()
            })
            .collect::<Vec<_>>();
        view! { <div class="palette-list"><h2>"Go to"</h2>{links}</div> }.into_any()
    };
    view! {
        <div class="palette" id="palette" popover="" role="dialog" aria-label="Search or jump to">
            <form class="palette-input" role="search" action="/jump" method="get">
                {icon("search")}
                <label class="sr" for="jump-to">"Id of an event, delivery, endpoint or subscription"</label>
                <input id="jump-to" type="search" name="q" autocomplete="off" placeholder="Paste an id" autofocus="" />
            </form>
            {pages}
        </div>
    }
    .into_any()
}
