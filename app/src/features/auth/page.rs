//! The sign-in page.

use leptos::{prelude::*, server_fn::ServerFn};
use leptos_meta::Title;

use super::{
    dto::LoginDto,
    server_fns::{self, SetTheme, SignIn},
};
use crate::ui::{
    field::Field,
    form::{Failure, Form, hidden},
    icon::mark,
    load::{data, place},
    packed::unpack,
    theme::theme_switch,
};

/// `/login`
#[component]
pub fn LoginPage() -> impl IntoView {
    let failure = Failure::provide();
    let data = data::<server_fns::LoginPage, LoginDto>(place());
    view! {
        <Title text="Sign in" />
        <Suspense>
            {move || Suspend::new(async move { view(data.await.and_then(|text| unpack(&text)).unwrap_or_default(), failure) })}
        </Suspense>
    }
    .into_any()
}

/// The page around the form.
pub fn view(dto: LoginDto, failure: Failure) -> AnyView {
    let note = if dto.no_users {
        view! { <p class="gate-note">"There is no user yet. Run "<code>"longhaul bootstrap"</code>" on the server to create the first one."</p> }.into_any()
    } else {
        view! { <p class="gate-note">"No account or no access? Ask an instance admin. They can also run "<code>"longhaul bootstrap"</code>" on the server."</p> }.into_any()
    };
    view! {
        <main class="gate" id="main">
            <div class="gate-box">
                <div class="gate-brand">
                    {mark()}
                    <h1>"Sign in to Longhaul"</h1>
                </div>
                {failure.view()}
                {form(dto.next)}
                {note}
            </div>
            <footer class="gate-foot">
                <span>{format!("Longhaul {}", dto.version)}</span>
                <span><time datetime=dto.now.iso title=dto.now.abs>{dto.now.text}</time></span>
                {theme_switch(SetTheme::PATH)}
            </footer>
        </main>
    }
    .into_any()
}

fn form(next: String) -> AnyView {
    let form = Form::of::<SignIn>();
    let button =
        view! { <button class="btn" data-variant="primary" data-size="l" type="submit">"Sign in"</button> };
    let body = view! {
        {hidden("form[next]", next)}
        {Field::email(form, "email", "Email").autocomplete("username").required().view()}
        {Field::password(form, "password", "Password").autocomplete("current-password").required().view()}
        {button}
    };
    form.view("stack", body.into_any())
}
