//! What a change of the retention would do, with the confirmation that it wants.

use leptos::prelude::*;

use super::dto::{FactRow, PreviewDto, PreviewRow};
use crate::{
    features::common::ProjectRef,
    ui::{
        confirm::confirm,
        form::Form,
        heat::heat,
        icon::icon,
        panel::{nothing, panel},
        table::{Cell, Col, Table, faint_zero, or_none, table},
        time::time,
    },
};

/// The preview, which ends in the confirmation when the change lets events leave earlier.
pub fn preview(form: Form, project: &ProjectRef, found: PreviewDto) -> AnyView {
    let end = view! {
        <span>"Computed "{time(found.computed)}" in "{found.took}</span>
        <button class="btn" data-size="s" type="submit" name="mode" value="preview" formnovalidate=true>{icon("retry")}"Compute again"</button>
    };
    let tables = if found.rows.is_empty() {
        nothing()
    } else {
        per_table(found.rows)
    };
    let facts = found.facts.into_iter().map(fact).collect::<Vec<_>>();
    let ask = if found.needs_confirmation && project.can_edit {
        let keep = (found.keep, project.at("settings/retention"));
        confirm(form, &project.name, found.button, keep)
    } else {
        nothing()
    };
    let body = view! {
        <div class="panel-body stack">
            <p class="preview-say"><b>{found.say}</b>{found.say_more}</p>
            {heat(found.svg)}
        </div>
        {tables}
        <div class="panel-body stack preview-end">
            <ul class="facts">{facts}</ul>
            {ask}
        </div>
    };
    panel("pv", found.title, String::new(), end.into_any(), body.into_any())
}

fn per_table(rows: Vec<PreviewRow>) -> AnyView {
    let rows = rows
        .into_iter()
        .map(|row| {
            let name = if row.table.is_empty() {
                view! { <b>"All"</b> }.into_any()
            } else {
                view! { <code>{row.table}</code> }.into_any()
            };
            vec![
                Cell::title(name),
                Cell::wide_number(faint_zero(row.leaves)),
                Cell::number("Rows that go", faint_zero(row.rows)),
                Cell::number("Size", row.size),
                Cell::number("On hold", faint_zero(row.held)),
                Cell::wide_number(or_none(row.oldest)),
                Cell::wide_number(or_none(row.newest)),
            ]
        })
        .collect();
    table(Table {
        caption: "What leaves, per table".to_owned(),
        cols: vec![
            Col::text("Table"),
            Col::number("Leaves"),
            Col::number("Rows that go"),
            Col::number("Size"),
            Col::number("On hold"),
            Col::number("Oldest"),
            Col::number("Newest"),
        ],
        rows,
        sticky: false,
    })
}

fn fact(row: FactRow) -> AnyView {
    view! { <li data-state=row.state>{icon(&row.icon)}<span><b>{row.title}</b>" "{row.text}</span></li> }
        .into_any()
}
