//! The panel that tells when the disk is full and what the archive costs.

use leptos::prelude::*;

use super::{dto::ForecastDto, server_fns::SaveForecast};
use crate::ui::{
    field::Field,
    form::{Form, Tone, submit},
    icon::icon,
    panel::{facts, nothing, panel},
    table::or_none,
};

/// The panel.
pub fn forecast(dto: ForecastDto) -> AnyView {
    let full = if dto.is_soon {
        view! { <span class="with-state" data-state="failure">{icon("warn")}{dto.full.clone()}</span> }
            .into_any()
    } else {
        or_none(dto.full.clone())
    };
    let hot = facts(vec![
        ("Database", dto.database.clone().into_any()),
        ("A day adds", or_none(dto.per_day.clone())),
        ("Leaves settle at", or_none(dto.settles.clone())),
        ("Disk", or_none(dto.disk.clone())),
        ("Disk is full", full),
    ]);
    let archive = facts(vec![
        ("Archive", dto.archive.clone().into_any()),
        ("A day adds", or_none(dto.archive_per_day.clone())),
        ("Costs per month", or_none(dto.cost.clone())),
    ]);
    let body = view! {
        <div class="panel-body cols cols-2">
            {hot}
            <div class="stack">{archive}{form(dto)}</div>
        </div>
    };
    let note = "At the pace of the last days".to_owned();
    panel(
        "forecast",
        "Storage forecast".to_owned(),
        note,
        nothing(),
        body.into_any(),
    )
}

fn form(dto: ForecastDto) -> AnyView {
    let form = Form::of::<SaveForecast>();
    let disk = (!dto.is_measured).then(|| {
        Field::text(form, "disk_gb", "Size of PostgreSQL’s disk")
            .optional()
            .suffix("GB")
            .width("w-num")
            .value(dto.disk_gb)
            .help("It cannot be measured from here.")
            .view()
    });
    let fields = view! {
        <div class="fields">
            {Field::text(form, "price", "Price of the archive").optional().suffix("per GB and month").width("w-num").value(dto.price).help("In any currency, such as 0.023.").view()}
            {disk}
        </div>
        <div class="row">{submit(Tone::Plain, "", "Save")}</div>
    };
    form.view("stack", fields.into_any())
}
