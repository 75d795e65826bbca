//! The bar above a page: menu button, bread crumbs, search, theme, account.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;

use super::{
    form::{Form, button_form},
    icon::icon,
    nav::FrameDto,
    theme::theme_switch,
};
use crate::features::auth::server_fns::{SetTheme, SignOut};

/// One step of the way to a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crumb {
    word: String,
    href: String,
    mono: bool,
}

impl Crumb {
    /// A page on the way.
    pub fn link(word: impl Into<String>, href: impl Into<String>) -> Self {
        Self {
            word: word.into(),
            href: href.into(),
            mono: false,
        }
    }

    /// The page itself.
    pub fn here(word: impl Into<String>) -> Self {
        Self::link(word, "")
    }

    /// The page itself, named by an id.
    pub fn id(id: &str) -> Self {
        Self {
            mono: true,
            ..Self::here(super::id::short_id(id))
        }
    }
}

/// The bar. Without a frame (the viewer could not be loaded) it shows the page's own crumbs only.
pub fn bar(frame: Option<FrameDto>, page: Vec<Crumb>) -> AnyView {
    let mut crumbs = Vec::new();
    let mut account = None;
    if let Some(frame) = frame {
        crumbs.push(Crumb::link(frame.organisation.clone(), "/"));
        if let Some(project) = frame.current_project() {
            crumbs.push(Crumb::link(
                project.name.clone(),
                format!("/projects/{}", project.id),
            ));
        }
        account = Some(account_menu(&frame));
    }
    crumbs.extend(page);
    view! {
        <header class="bar">
            <button class="btn bar-menu" type="button" data-variant="ghost" data-icon="" popovertarget="nav" aria-label="Open menu">{icon("menu")}</button>
            <nav class="crumbs" aria-label="Breadcrumb"><ol>{crumbs.into_iter().map(crumb).collect::<Vec<_>>()}</ol></nav>
            <div class="bar-end">
                <button class="jump" type="button" popovertarget="palette">{icon("search")}<span>"Search or jump to"</span></button>
                {theme_switch(SetTheme::PATH)}
                {account}
            </div>
        </header>
    }
    .into_any()
}

fn crumb(crumb: Crumb) -> AnyView {
    let class = if crumb.mono { "mono" } else { "" };
    if crumb.href.is_empty() {
        view! { <li><span aria-current="page" class=class>{crumb.word}</span></li> }.into_any()
    } else {
        view! { <li><a href=crumb.href>{crumb.word}</a></li> }.into_any()
    }
}

fn account_menu(frame: &FrameDto) -> AnyView {
    let sign_out = view! { <button type="submit">{icon("logout")}"Sign out"</button> }.into_any();
    view! {
        <details class="menu">
            <summary class="btn" data-variant="ghost" data-icon="">
                <span class="avatar" data-round="" aria-hidden="true">{frame.viewer.initials.clone()}</span>
                <span class="sr">{format!("Account of {}", frame.viewer.email)}</span>
            </summary>
            <div class="menu-body">
                <p class="menu-note">{frame.viewer.email.clone()}<br />{frame.viewer.role.clone()}</p>
                <ul><li>{button_form(Form::of::<SignOut>(), Vec::new(), sign_out)}</li></ul>
            </div>
        </details>
    }
    .into_any()
}
