//! The frame around every signed-in page: navigation, project switch, search.
//!
//! The navigation names only pages that exist.

use leptos::prelude::*;
use leptos_router::{components::Outlet, hooks::use_location};
use serde::{Deserialize, Serialize};

use super::{
    browser,
    icon::{icon, mark},
    load::{Data, Place, frame_data},
    packed::unpack,
    palette::palette,
    toast::Toasts,
};
use crate::{error::UiError, features::projects::server_fns::LoadFrame, format::Stamp};

/// The signed-in person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewerDto {
    /// Email address.
    pub email: String,
    /// Role in words.
    pub role: String,
    /// Two letters.
    pub initials: String,
    /// Whether instance pages are shown.
    pub instance_admin: bool,
}

/// A project in the switch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectItem {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
}

/// What the frame shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameDto {
    /// The signed-in person.
    pub viewer: ViewerDto,
    /// Name of the organisation.
    pub organisation: String,
    /// Projects the viewer may see.
    pub projects: Vec<ProjectItem>,
    /// Id of the project in the address; empty outside of projects.
    pub current: String,
    /// Paused endpoints of that project.
    pub paused_endpoints: u32,
    /// The server's time.
    pub now: Stamp,
    /// Version of Longhaul.
    pub version: String,
}

impl FrameDto {
    /// The project in the address.
    pub fn current_project(&self) -> Option<&ProjectItem> {
        self.projects.iter().find(|p| p.id == self.current)
    }
}

/// The frame's data, shared with the bar of each page.
#[derive(Clone, Copy)]
pub struct FrameData(Data);

impl FrameData {
    /// The frame, once it is loaded.
    pub async fn get(self) -> Result<FrameDto, UiError> {
        unpack(&self.0.await?)
    }
}

/// The frame; the page comes where the outlet is.
#[component]
pub fn Frame() -> impl IntoView {
    let path = use_location().pathname;
    let project = Memo::new(move |_| project_of(&path.get()));
    let place = Memo::new(move |_| Place {
        project: project.get(),
        ..Place::default()
    });
    let frame = FrameData(frame_data::<LoadFrame, FrameDto>(place));
    provide_context(frame);
    Effect::new(move |last: Option<String>| {
        let now = path.get();
        if last.is_some_and(|last| last != now) {
            browser::settle_after_navigation();
        }
        now
    });
    view! {
        <a class="skip" href="#main" rel="external">"Skip to content"</a>
        <div class="app">
            <Transition fallback=|| view! { <div class="nav"></div> }>
                {move || Suspend::new(async move { nav(frame.get().await.unwrap_or_default(), path) })}
            </Transition>
            <div class="main"><Outlet /></div>
        </div>
        {palette(project)}
        <Toasts />
    }
}

/// The id after `/projects/`, unless it is the page for a new one.
fn project_of(path: &str) -> String {
    let id = path
        .strip_prefix("/projects/")
        .and_then(|rest| rest.split('/').next())
        .unwrap_or_default();
    if id == "new" { String::new() } else { id.to_owned() }
}

/// The navigation.
pub fn nav(frame: FrameDto, path: Memo<String>) -> AnyView {
    let project = frame.current_project().cloned();
    let pages = project
        .as_ref()
        .map(|p| project_pages(&p.id, frame.paused_endpoints, path));
    let instance = frame.viewer.instance_admin.then(|| {
        view! {
            <div class="nav-group">
                <p class="nav-label" id="nav-instance">"Instance"</p>
                <ul class="nav-list" aria-labelledby="nav-instance">
                    {item("/system/partitions".to_owned(), "partitions", "Partitions", None, path)}
                    {item("/system/jobs".to_owned(), "jobs", "Jobs", None, path)}
                    {item("/system/storage".to_owned(), "storage", "Storage", None, path)}
                    {item("/system/audit".to_owned(), "audit", "Audit", None, path)}
                </ul>
            </div>
        }
    });
    view! {
        <nav class="nav" id="nav" popover="" aria-label="Main">
            <div class="nav-top">
                <a class="brand" href="/">{mark()}"Longhaul"</a>
                <button class="btn nav-close" type="button" data-variant="ghost" data-icon="" popovertarget="nav" popovertargetaction="hide" aria-label="Close menu">{icon("x")}</button>
            </div>
            {switcher(&frame, project.as_ref())}
            <div class="nav-scroll">
                {pages}
                {instance}
            </div>
            <div class="nav-foot">
                <span><time class="time" datetime=frame.now.iso title=frame.now.abs>{frame.now.text}</time></span>
                <span>{format!("Longhaul {}", frame.version)}</span>
            </div>
        </nav>
    }
    .into_any()
}

fn project_pages(id: &str, paused: u32, path: Memo<String>) -> AnyView {
    let at = |page: &str| format!("/projects/{id}{page}");
    let count = (paused > 0).then(|| {
        view! { <span class="count" data-state="paused">{icon("paused")}{paused}<span class="sr">" paused"</span></span> }.into_any()
    });
    view! {
        <div class="nav-group">
            <ul class="nav-list">
                {item(at(""), "overview", "Overview", None, path)}
                {item(at("/events"), "events", "Events", None, path)}
                {item(at("/deliveries"), "deliveries", "Deliveries", None, path)}
                {item(at("/endpoints"), "endpoints", "Endpoints", count, path)}
                {item(at("/subscriptions"), "subscriptions", "Subscriptions", None, path)}
                {item(at("/settings"), "settings", "Settings", None, path)}
            </ul>
        </div>
    }
    .into_any()
}

fn item(
    href: String,
    mark: &'static str,
    word: &'static str,
    count: Option<AnyView>,
    path: Memo<String>,
) -> AnyView {
    // The overview is the project's root: every page lies below it, so it is current only exactly.
    let root = word == "Overview";
    let target = href.clone();
    let current = move || {
        let path = path.get();
        let path = path.trim_end_matches('/');
        (path == target || (!root && path.starts_with(&format!("{target}/")))).then_some("page")
    };
    // A settings page has no page of its own at its root.
    let href = if word == "Settings" {
        format!("{href}/general")
    } else {
        href
    };
    view! { <li><a href=href aria-current=current>{icon(mark)}<span>{word}</span>{count}</a></li> }.into_any()
}

fn switcher(frame: &FrameDto, project: Option<&ProjectItem>) -> AnyView {
    let name = project.map_or_else(|| "All projects".to_owned(), |p| p.name.clone());
    let letter = project
        .and_then(|p| p.name.chars().next())
        .map_or_else(|| "·".to_owned(), |c| c.to_uppercase().to_string());
    let items = frame
        .projects
        .iter()
        .map(|p| {
            let current = (p.id == frame.current).then_some("true");
            view! { <li><a href=format!("/projects/{}", p.id) aria-current=current>{p.name.clone()}</a></li> }
                .into_any()
        })
        .collect::<Vec<_>>();
    let new = frame
        .viewer
        .instance_admin
        .then(|| view! { <li><a href="/projects/new">{icon("plus")}"New project"</a></li> });
    view! {
        <details class="menu switcher" data-align="start">
            <summary>
                <span class="avatar" aria-hidden="true">{letter}</span>
                <span><span class="sr">"Project "</span><b>{name}</b><small>{frame.organisation.clone()}</small></span>
                {icon("updown")}
            </summary>
            <div class="menu-body">
                <p class="menu-note">{frame.organisation.clone()}</p>
                <ul>{items}</ul>
                <ul>
                    <li><a href="/">{icon("overview")}"All projects"</a></li>
                    {new}
                </ul>
            </div>
        </details>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::project_of;

    #[test]
    fn the_project_is_the_part_behind_projects() {
        assert_eq!(project_of("/projects/42/events/7"), "42");
        assert_eq!(project_of("/projects/new"), "");
        assert_eq!(project_of("/system/audit"), "");
    }
}
