//! The document around the app, its security headers, and the page for addresses that do not exist.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::{
    error::{Code, UiError},
    ui::load::error_page,
};

/// The page for addresses that do not exist.
pub(crate) fn not_found() -> AnyView {
    #[cfg(feature = "ssr")]
    crate::context::set_status(Code::NotFound.status());
    let page = error_page(&UiError::new(Code::NotFound));
    view! { <Title text=page.title /><main class="page" id="main">{page.body}</main> }.into_any()
}

/// The HTML document. Renders on the server only; the browser hydrates what is in its body.
#[cfg(feature = "ssr")]
pub fn shell(options: LeptosOptions) -> impl IntoView {
    use leptos_meta::MetaTags;

    crate::context::set_security_headers(options.env == leptos::config::Env::DEV);
    let theme = match crate::ui::theme::current() {
        "system" => None,
        theme => Some(theme),
    };
    let own = crate::context::is_own_request().then_some("");
    let style = format!("/{}/{}.css", options.site_pkg_dir, options.output_name);
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme data-own=own>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <link rel="preload" href="/fonts/inter-latin-wght.woff2" r#as="font" r#type="font/woff2" crossorigin="" />
                <link id="leptos" rel="stylesheet" href=style />
                <AutoReload options=options.clone() />
                <HydrationScripts options />
                <MetaTags />
            </head>
            <body>
                <crate::App />
            </body>
        </html>
    }
}
