//! Loading a page: one server function per page, its data in the first HTML.

use std::{future::Future, time::Duration};

use leptos::{prelude::*, server_fn::serde::de::DeserializeOwned};
use leptos_meta::Title;
use leptos_router::hooks::{use_location, use_params_map};
use serde::{Deserialize, Serialize};

use super::{
    bar::{Crumb, bar},
    blank::{failed, skeleton},
    browser,
    form::Failure,
    nav::{FrameDto, FrameResource},
};
use crate::error::UiError;

/// Which page is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Id of the project in the address; empty outside of projects.
    #[serde(default)]
    pub project: String,
    /// Id of the thing in the address; empty on lists.
    #[serde(default)]
    pub item: String,
    /// The query string, without the question mark.
    #[serde(default)]
    pub query: String,
}

/// Asks pages to load their data again.
#[derive(Clone, Copy)]
pub struct Refresh {
    count: RwSignal<u32>,
    live: RwSignal<bool>,
}

impl Refresh {
    /// Sets it up for everything below.
    pub fn provide() {
        provide_context(Self { count: RwSignal::new(0), live: RwSignal::new(true) });
    }

    /// Loads the data of the current page again.
    pub fn now(self) {
        let _ = self.count.try_update(|n| *n = n.wrapping_add(1));
    }

    /// How often it was asked; part of every page's key.
    pub fn count(self) -> u32 {
        self.count.get()
    }
}

/// How often live pages load again.
const LIVE_PERIOD: Duration = Duration::from_secs(5);

/// The button that turns live numbers on and off. They pause while the page is hidden, and while
/// rows are picked or a field has the focus.
pub fn live_switch() -> AnyView {
    let Some(refresh) = use_context::<Refresh>() else { return ().into_any() };
    Effect::new(move |_| {
        let timer = set_interval_with_handle(
            move || {
                if refresh.live.get_untracked() && !browser::is_hidden() && !browser::is_busy() {
                    refresh.now();
                }
            },
            LIVE_PERIOD,
        );
        on_cleanup(move || {
            if let Ok(timer) = timer {
                timer.clear();
            }
        });
    });
    let pressed = move || if refresh.live.get() { "true" } else { "false" };
    view! {
        <button class="btn needs-script" type="button" title="Updates every 5 s. Pauses while hidden." aria-pressed=pressed
            on:click=move |_| refresh.live.update(|on| *on = !*on)>
            <span class="live" data-paused=move || (!refresh.live.get()).then_some("")>"Live"</span>
        </button>
    }
    .into_any()
}

/// A page, ready to show.
pub struct Page {
    /// The window's title, state first: `4 need attention · Checkout`.
    pub title: String,
    /// What stands in the bar behind organisation and project.
    pub crumbs: Vec<Crumb>,
    /// Everything below the bar.
    pub body: AnyView,
}

impl Page {
    /// A page directly below its project, or below the instance.
    pub fn new(title: impl Into<String>, crumbs: Vec<Crumb>, body: AnyView) -> Self {
        Self { title: title.into(), crumbs, body }
    }
}

/// The page whose data `fetch` loads and `show` turns into a view.
///
/// The data is part of the first HTML. It is loaded again when the address changes, after a form
/// was sent, and on every beat of the live switch; meanwhile the old data stays.
pub fn load<T, Fut>(fetch: impl Fn(Place) -> Fut + Send + Sync + 'static, show: fn(T) -> Page) -> AnyView
where
    T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    Fut: Future<Output = Result<T, UiError>> + Send + 'static,
{
    let place = place();
    let refresh = expect_context::<Refresh>();
    let frame = expect_context::<FrameResource>();
    let failure = Failure::provide();
    let data = Resource::new_blocking(move || (place.get(), refresh.count()), move |(place, _)| fetch(place));
    view! {
        <Transition fallback=skeleton>
            {move || Suspend::new(async move {
                let frame = frame.get().await.ok();
                let page = match data.await {
                    Ok(data) => show(data),
                    Err(error) => error_page(&error),
                };
                render(frame, failure, page)
            })}
        </Transition>
    }
    .into_any()
}

fn place() -> Memo<Place> {
    let params = use_params_map();
    let location = use_location();
    Memo::new(move |_| {
        let params = params.read();
        Place {
            project: params.get("project").unwrap_or_default(),
            item: params.get("item").unwrap_or_default(),
            query: location.search.get().trim_start_matches('?').to_owned(),
        }
    })
}

/// The bar and the page below it.
pub fn render(frame: Option<FrameDto>, failure: Failure, page: Page) -> AnyView {
    view! {
        <Title text=page.title />
        {bar(frame, page.crumbs)}
        <main class="page" id="main" tabindex="-1">
            {failure.view()}
            {page.body}
        </main>
    }
    .into_any()
}

/// The page that says why there is no page.
pub fn error_page(error: &UiError) -> Page {
    let title = error.code.title();
    let actions = view! { <a class="btn" data-size="s" href="/">"All projects"</a> }.into_any();
    let body = view! {
        <h1 class="sr">{title}</h1>
        {failed(error, actions)}
    };
    Page::new(title, vec![Crumb::here(title)], body.into_any())
}
