//! The dashboard: pages, the kit they are made of, and their server functions.
//!
//! Built twice: with `ssr` into the server, with `hydrate` for the browser.
//!
//! May import: `domain`, and with `ssr` also `services`.

#![recursion_limit = "256"]

#[cfg(feature = "ssr")]
pub mod context;
pub mod error;
pub mod features;
pub mod format;
mod shell;
pub mod ui;

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{ParentRoute, Route, Router, Routes},
    path,
};

#[cfg(feature = "ssr")]
pub use shell::shell;

use features::{
    audit::page::AuditPage,
    auth::page::LoginPage,
    deliveries::{detail::DeliveryPage, page::DeliveriesPage},
    endpoints::{
        form::EndpointFormPage,
        page::{EndpointPage, EndpointsPage},
    },
    events::page::{EventPage, EventsPage},
    jobs::{detail::RunPage, page::JobsPage},
    overview::page::OverviewPage,
    partitions::page::PartitionsPage,
    projects::page::{JumpPage, NewProjectPage, ProjectsPage},
    retention::page::RetentionPage,
    settings::{
        keys::KeysPage,
        page::{DangerPage, GeneralPage, SignaturePage},
    },
    storage::page::{OwnStoragePage, StoragePage},
    subscriptions::{form::SubscriptionPage, page::SubscriptionsPage},
};
use ui::{load::Refresh, nav::Frame, toast::provide_announcer};

/// The whole dashboard with its route table.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    provide_announcer();
    Refresh::provide();
    view! {
        <Title formatter=|text: String| if text.is_empty() { "Longhaul".to_owned() } else { format!("{text} · Longhaul") } />
        <Router>
            <Routes fallback=shell::not_found>
                <Route path=path!("/login") view=LoginPage ssr=SsrMode::Async />
                <ParentRoute path=path!("") view=Frame ssr=SsrMode::Async>
                    <Route path=path!("") view=ProjectsPage />
                    <Route path=path!("jump") view=JumpPage />
                    <Route path=path!("projects/new") view=NewProjectPage />
                    <Route path=path!("projects/:project") view=OverviewPage />
                    <Route path=path!("projects/:project/events") view=EventsPage />
                    <Route path=path!("projects/:project/events/:item") view=EventPage />
                    <Route path=path!("projects/:project/deliveries") view=DeliveriesPage />
                    <Route path=path!("projects/:project/deliveries/:item") view=DeliveryPage />
                    <Route path=path!("projects/:project/endpoints") view=EndpointsPage />
                    <Route path=path!("projects/:project/endpoints/new") view=EndpointFormPage />
                    <Route path=path!("projects/:project/endpoints/:item") view=EndpointPage />
                    <Route path=path!("projects/:project/endpoints/:item/edit") view=EndpointFormPage />
                    <Route path=path!("projects/:project/subscriptions") view=SubscriptionsPage />
                    <Route path=path!("projects/:project/subscriptions/new") view=SubscriptionPage />
                    <Route path=path!("projects/:project/subscriptions/:item") view=SubscriptionPage />
                    <Route path=path!("projects/:project/settings/general") view=GeneralPage />
                    <Route path=path!("projects/:project/settings/retention") view=RetentionPage />
                    <Route path=path!("projects/:project/settings/storage") view=OwnStoragePage />
                    <Route path=path!("projects/:project/settings/signature") view=SignaturePage />
                    <Route path=path!("projects/:project/settings/keys") view=KeysPage />
                    <Route path=path!("projects/:project/settings/danger") view=DangerPage />
                    <Route path=path!("system/audit") view=AuditPage />
                    <Route path=path!("system/partitions") view=PartitionsPage />
                    <Route path=path!("system/jobs") view=JobsPage />
                    <Route path=path!("system/jobs/:item") view=RunPage />
                    <Route path=path!("system/storage") view=StoragePage />
                </ParentRoute>
            </Routes>
        </Router>
    }
}
