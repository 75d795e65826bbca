//! Loading a page: one server function per page, its data in the first HTML.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use leptos::{prelude::*, server_fn::ServerFn};
use leptos_meta::Title;
use leptos_router::hooks::{use_location, use_params_map};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    bar::{Crumb, bar},
    blank::{failed, skeleton},
    browser,
    form::Failure,
    nav::{FrameData, FrameDto},
    packed::{Packed, unpack},
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
    page: RwSignal<u32>,
    frame: RwSignal<u32>,
    live: RwSignal<bool>,
}

impl Refresh {
    /// Sets it up for everything below.
    pub fn provide() {
        provide_context(Self {
            page: RwSignal::new(0),
            frame: RwSignal::new(0),
            live: RwSignal::new(true),
        });
    }

    /// Loads the data of the current page and of the frame again.
    pub fn now(self) {
        let _ = self.page.try_update(|n| *n = n.wrapping_add(1));
        self.frame();
    }

    /// Loads the data of the frame again: the page is about to be another one.
    pub fn frame(self) {
        let _ = self.frame.try_update(|n| *n = n.wrapping_add(1));
    }
}

/// How often live pages load again.
const LIVE_PERIOD: Duration = Duration::from_secs(5);

/// The button that turns live numbers on and off. They pause while the page is hidden, and while
/// rows are picked or a field has the focus.
pub fn live_switch() -> AnyView {
    let Some(refresh) = use_context::<Refresh>() else {
        return ().into_any();
    };
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
        Self {
            title: title.into(),
            crumbs,
            body,
        }
    }
}

/// Packed data of a page or of the frame, or why there is none.
pub type Data = Resource<Result<String, UiError>>;

/// Turns packed data into a page.
type Opener = Arc<dyn Fn(&str) -> Result<Page, UiError> + Send + Sync>;

/// Gets the packed data of a place.
type Fetch =
    Box<dyn Fn(Place) -> Pin<Box<dyn Future<Output = Result<String, UiError>> + Send>> + Send + Sync>;

/// The data that server function `S` gives for `place`: part of the first HTML, and loaded again
/// when the place changes, after a form was sent, and on every beat of the live switch.
pub fn data<S, T>(place: Memo<Place>) -> Data
where
    S: ServerFn<Output = Packed<T>, Error = UiError> + From<Place> + 'static,
{
    resource(place, expect_context::<Refresh>().page, fetch::<S, T>())
}

/// The data of the frame: like that of a page, but it stays while pages change.
pub fn frame_data<S, T>(place: Memo<Place>) -> Data
where
    S: ServerFn<Output = Packed<T>, Error = UiError> + From<Place> + 'static,
{
    resource(place, expect_context::<Refresh>().frame, fetch::<S, T>())
}

fn resource(place: Memo<Place>, again: RwSignal<u32>, fetch: Fetch) -> Data {
    Resource::new_blocking(move || (place.get(), again.get()), move |(place, _)| fetch(place))
}

#[cfg(feature = "ssr")]
fn fetch<S, T>() -> Fetch
where
    S: ServerFn<Output = Packed<T>, Error = UiError> + From<Place> + 'static,
{
    Box::new(|place| Box::pin(async move { S::run_body(S::from(place)).await.map(Packed::into_text) }))
}

#[cfg(not(feature = "ssr"))]
fn fetch<S, T>() -> Fetch
where
    S: ServerFn<Output = Packed<T>, Error = UiError> + From<Place> + 'static,
{
    Box::new(|place| Box::pin(send_wrapper::SendWrapper::new(browser::fetch(S::PATH, place))))
}

/// The page whose data server function `S` loads and `show` turns into a view. While it loads
/// again, the old data stays.
pub fn load<S, T>(show: fn(T) -> Page) -> AnyView
where
    S: ServerFn<Output = Packed<T>, Error = UiError> + From<Place> + 'static,
    T: DeserializeOwned + 'static,
{
    page(
        data::<S, T>(place()),
        Arc::new(move |text| unpack(text).map(show)),
    )
}

fn page(data: Data, show: Opener) -> AnyView {
    let frame = expect_context::<FrameData>();
    let failure = Failure::provide();
    let body = move || {
        let show = Arc::clone(&show);
        Suspend::new(async move {
            let frame = frame.get().await.ok();
            let page = data
                .await
                .and_then(|text| show(&text))
                .unwrap_or_else(|error| error_page(&error));
            render(frame, failure, page)
        })
    };
    view! { <Transition fallback=skeleton>{body}</Transition> }.into_any()
}

/// The place of the page in the address.
pub fn place() -> Memo<Place> {
    let params = use_params_map();
    let location = use_location();
    let own = StoredValue::new(None);
    Memo::new(move |last: Option<&Place>| {
        let params = params.read();
        let place = Place {
            project: params.get("project").unwrap_or_default(),
            item: params.get("item").unwrap_or_default(),
            query: location.search.get().trim_start_matches('?').to_owned(),
        };
        // The address changes a moment before the page does. The page that is about to go must
        // not load again with an address that is not its own.
        let shape = shape(&location.pathname.get(), &place);
        match (own.get_value(), last) {
            (Some(own), Some(last)) if own != shape => last.clone(),
            _ => {
                own.set_value(Some(shape));
                place
            }
        }
    })
}

/// A path with its ids taken out: the same for all places of one page.
fn shape(path: &str, place: &Place) -> String {
    let part = |part: &str| {
        if part.is_empty() || (part != place.project && part != place.item) {
            part.to_owned()
        } else {
            ":".to_owned()
        }
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
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

#[cfg(test)]
mod tests {
    use super::{Place, shape};

    #[test]
    fn places_of_one_page_have_one_shape() {
        let place = |item: &str| Place {
            project: "p1".to_owned(),
            item: item.to_owned(),
            query: String::new(),
        };
        assert_eq!(
            shape("/projects/p1/events/a", &place("a")),
            shape("/projects/p1/events/b", &place("b"))
        );
        assert_ne!(
            shape("/projects/p1/events/a", &place("a")),
            shape("/projects/p1/deliveries/a", &place("a"))
        );
        assert_ne!(
            shape("/projects/p1/events/b", &place("a")),
            shape("/projects/p1/events/a", &place("a"))
        );
    }
}
