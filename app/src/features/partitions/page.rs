//! Partitions: the days of each table, its leaves with what happens to them next, what left.

use domain::state::Look;
use leptos::prelude::*;

use super::{
    convert::{conversions, join_offer, split_offer, start},
    dto::{GoneRow, LeafRow, LeavesDto, PartitionsDto, StripDto, TwinRow},
    forecast::forecast,
    server_fns,
};
use crate::{
    format::Stamp,
    ui::{
        bar::Crumb,
        blank::{nothing_matches, nothing_yet},
        filter::filter_bar,
        form::Tone,
        load::{Page, live_switch, load},
        panel::{callout, more, nothing, page_head, plain_panel, section},
        pill::pill,
        table::{Cell, Col, Table, or_none, row_link, table},
        tabs::segments,
        time::{time, time_plain},
    },
};

/// Where the page is.
const HERE: &str = "/system/partitions";

/// `/system/partitions`
#[component]
pub fn PartitionsPage() -> impl IntoView {
    load::<server_fns::PartitionsPage, _>(view)
}

/// Tables, leaves and forecast.
pub fn view(dto: PartitionsDto) -> Page {
    let running = dto.conversions.iter().find(|one| one.state == "running");
    let title = match running {
        Some(one) => {
            let share = one.percent.map_or_else(String::new, |n| format!(", {n}\u{a0}%"));
            format!("Converting {}{share} · Partitions", one.table)
        }
        None if !dto.trouble.is_empty() => format!("{} · Partitions", dto.trouble),
        None => "Partitions".to_owned(),
    };
    let lead = view! { <p class="lead">"One partition per UTC day, one leaf in it per retention period. A leaf leaves as a whole. Rows are estimates."</p> };
    let live = if running.is_some() {
        live_switch()
    } else {
        nothing()
    };
    let deletes = dto.advice.is_empty();
    let actions = view! {
        {live}
        {start("keep_partitions_ahead", "Reconcile now", Tone::Plain)}
        {start("reclass", "Move rows now", Tone::Plain)}
        {start("backup", "Back up now", Tone::Plain)}
        {deletes.then(|| start("deletion", "Drop now", Tone::Plain))}
    };
    let join_offer = if dto.can_join && running.is_none() {
        join_offer()
    } else {
        nothing()
    };
    let body = view! {
        {page_head("Partitions".into_any(), lead.into_any(), actions.into_any())}
        {note(&dto)}
        {figures(dto.figures.clone(), dto.reconciled.clone())}
        <div class="tight stack-8">
            {days(dto.strips, &dto.span, dto.twin)}
            {conversions(&dto.conversions)}
            {split_offer(&dto.heaps)}
            {section("leaves", "Leaves".to_owned(), String::new(), order(&dto.list), leaves(dto.list))}
            {gone(dto.gone)}
            {forecast(dto.forecast)}
            {join_offer}
        </div>
    };
    Page::new(title, vec![Crumb::here("Partitions")], body.into_any())
}

fn note(dto: &PartitionsDto) -> AnyView {
    if !dto.trouble.is_empty() {
        let text = "What cannot leave keeps its disk space. The list says why, leaf by leaf.";
        let action = more(dto.trouble_href.clone(), "Show them".to_owned());
        return callout("failure", "failure", dto.trouble.clone(), text.into_any(), action);
    }
    if dto.advice.is_empty() {
        return nothing();
    }
    let title = "Nothing is deleted".to_owned();
    let action = more("/system/storage".to_owned(), "Storage".to_owned());
    callout("", "info", title, dto.advice.clone().into_any(), action)
}

fn figures(list: Vec<(String, String)>, reconciled: Stamp) -> AnyView {
    let figure =
        |(label, value): (String, String)| view! { <div><dt>{label}</dt><dd>{value}</dd></div> }.into_any();
    let last = if reconciled.text.is_empty() {
        "Never".into_any()
    } else {
        time(reconciled)
    };
    let list = list.into_iter().map(figure).collect::<Vec<_>>();
    view! { <dl class="kv-row tight">{list}<div><dt>"Reconciled"</dt><dd>{last}</dd></div></dl> }.into_any()
}

fn days(strips: Vec<StripDto>, span: &str, twin: Vec<TwinRow>) -> AnyView {
    let tables: Vec<String> = strips.iter().map(|strip| strip.table.clone()).collect();
    let strips = strips.into_iter().map(strip).collect::<Vec<_>>();
    let body = view! { <div class="strips">{strips}</div>{as_table(&tables, twin)} };
    let note = format!("{span}, all retention periods");
    section(
        "days",
        "Days per table".to_owned(),
        note,
        legend(),
        body.into_any(),
    )
}

fn strip(dto: StripDto) -> AnyView {
    let drawing = if dto.svg.is_empty() {
        view! { <p class="dim">"One heap: it has no days."</p> }.into_any()
    } else {
        view! { <div class="heat" data-from="start" inner_html=dto.svg.into_inner()></div> }.into_any()
    };
    view! {
        <div>
            <div class="strip-head"><h3><code>{dto.table}</code></h3><span>{dto.note}</span></div>
            {drawing}
        </div>
    }
    .into_any()
}

fn legend() -> AnyView {
    let outline = |state: &'static str| view! { <svg viewBox="0 0 12 12" aria-hidden="true"><rect class="heat-cell" data-state=state x=".5" y=".5" width="11" height="11" rx="3" /></svg> };
    view! {
        <ul class="legend end">
            <li><svg viewBox="0 0 12 12" aria-hidden="true"><rect class="heat-cell" data-level="4" width="12" height="12" rx="3" /></svg>"More rows"</li>
            <li data-state="success"><svg viewBox="0 0 12 12" aria-hidden="true"><rect class="heat-rail" y="5" width="12" height="3" /></svg>"Backed up"</li>
            <li data-state="failure"><svg viewBox="0 0 12 12" aria-hidden="true"><path class="heat-rail" d="M1 10h10l-5-8z" /></svg>"Failed"</li>
            <li>{outline("dropped")}"Gone or never there"</li>
            <li>{outline("ahead")}"Created ahead"</li>
        </ul>
    }
    .into_any()
}

/// The same days as a table, newest first, folded.
fn as_table(tables: &[String], rows: Vec<TwinRow>) -> AnyView {
    // Heads are words of this page; the tables are always these.
    let word = |name: &str| match name {
        "events" => "events",
        "event_deliveries" => "event_deliveries",
        "delivery_attempts" => "delivery_attempts",
        _ => "events_search",
    };
    let words: Vec<&'static str> = tables.iter().map(|name| word(name)).collect();
    let mut cols = vec![Col::text("Day"), Col::text("Backup")];
    cols.extend(words.iter().map(|word| Col::number(word)));
    let row = |row: TwinRow| {
        let mut cells = vec![
            Cell::title(row_link(row.href, row.day)),
            Cell::labelled("Backup", or_none(row.backup)),
        ];
        let counts = words.iter().zip(row.rows);
        cells.extend(counts.map(|(word, count)| Cell::number(word, or_none(count))));
        cells
    };
    let rows = rows.into_iter().map(row).collect();
    let body = table(Table {
        caption: "Rows per day and table, newest first".to_owned(),
        cols,
        rows,
        sticky: false,
    });
    view! {
        <details class="twin">
            <summary class="more">"As a table"</summary>
            {plain_panel(body)}
        </details>
    }
    .into_any()
}

fn order(list: &LeavesDto) -> AnyView {
    view! { <div class="end">{segments("Order", list.sorts.clone())}</div> }.into_any()
}

fn leaves(list: LeavesDto) -> AnyView {
    let filtered = !list.filter.chips.is_empty();
    let body = if !list.rows.is_empty() {
        view! { {plain_panel(leaf_table(list.rows))}{pager(list.note, list.back, list.next)} }.into_any()
    } else if filtered {
        nothing_matches("No leaf matches the filters.".to_owned(), HERE.to_owned())
    } else {
        let text = "The first ones are made as soon as a scheduler runs, or when you reconcile now.";
        nothing_yet("partitions", "No leaves yet", text, nothing())
    };
    view! { <div class="stack">{filter_bar(list.filter, "Filter leaves", "table:  day:  class:  state:")}{body}</div> }.into_any()
}

fn look(state: &str) -> Look {
    let (state, icon, word) = match state {
        "open" => ("active", "open", "Open"),
        "ahead" => ("dropped", "dropped", "Ahead"),
        "backed-up" => ("success", "backup", "Backed up"),
        "waiting" => ("neutral", "clock", "Waiting"),
        "failed" => ("failure", "failure", "Backup failed"),
        "held" => ("paused", "hold", "On hold"),
        "refused" => ("failure", "warn", "Refused"),
        "leaving" => ("dropped", "dropped", "Leaving"),
        "splitting" => ("retry", "split", "Splitting"),
        "homeless" => ("retry", "warn", "Without a day"),
        "spare" => ("neutral", "success", "Empty"),
        _ => ("neutral", "sealed", "Ended"),
    };
    Look { state, icon, word }
}

fn leaf_table(rows: Vec<LeafRow>) -> AnyView {
    let row = |leaf: LeafRow| {
        let name = if leaf.href.is_empty() {
            view! { <span class="mono">{leaf.name}</span> }.into_any()
        } else {
            view! { <a class="row-link mono" href=leaf.href>{leaf.name}</a> }.into_any()
        };
        let why =
            (!leaf.why.is_empty()).then(|| view! { <span class="table-sub wrap-any">{leaf.why}</span> });
        let next = if leaf.leaves {
            view! { <b class="strong">{leaf.next}</b> }.into_any()
        } else {
            or_none(leaf.next)
        };
        let at = if leaf.at.text.is_empty() {
            or_none(String::new())
        } else {
            time_plain(leaf.at)
        };
        let backup = if leaf.backup.is_empty() {
            Cell::wide_number(or_none(leaf.backup))
        } else {
            Cell::number("Backup", leaf.backup)
        };
        vec![
            Cell::title(view! { <div>{name}{why}</div> }),
            Cell::state(pill(look(&leaf.state))),
            // On a card the name tells it.
            Cell::wide(or_none(leaf.kept)),
            Cell::number("Rows", leaf.rows),
            Cell::number("Size", leaf.size),
            backup,
            Cell::labelled("Next", next),
            Cell::number("When, UTC", at),
        ]
    };
    table(Table {
        caption: "Leaves and what happens to them next".to_owned(),
        cols: vec![
            Col::text("Leaf"),
            Col::text("State"),
            Col::text("Kept"),
            Col::number("Rows"),
            Col::number("Size"),
            Col::number("Backup"),
            Col::text("Next"),
            Col::number("When, UTC"),
        ],
        rows: rows.into_iter().map(row).collect(),
        sticky: true,
    })
}

fn pager(note: String, back: String, next: String) -> AnyView {
    let end = |href: String, word: &'static str| {
        if href.is_empty() {
            view! { <button class="btn" data-size="s" type="button" disabled>{word}</button> }.into_any()
        } else {
            view! { <a class="btn" data-size="s" href=href>{word}</a> }.into_any()
        }
    };
    view! {
        <div class="pager tight">
            <span>{note}</span>
            <nav class="btn-set" aria-label="Pages">{end(back, "Back")}{end(next, "Next")}</nav>
        </div>
    }
    .into_any()
}

fn gone(rows: Vec<GoneRow>) -> AnyView {
    if rows.is_empty() {
        return nothing();
    }
    let row = |leaf: GoneRow| {
        vec![
            Cell::title(view! { <span class="mono">{leaf.name}</span> }),
            Cell::number("Rows", leaf.rows),
            Cell::number("Size", leaf.size),
            Cell::number("Locked", or_none(leaf.locked)),
            Cell::when(time_plain(leaf.at)),
        ]
    };
    let body = table(Table {
        caption: "Leaves that left, newest first".to_owned(),
        cols: vec![
            Col::text("Leaf"),
            Col::number("Rows"),
            Col::number("Size"),
            Col::number("Locked"),
            Col::number("Gone, UTC"),
        ],
        rows: rows.into_iter().map(row).collect(),
        sticky: false,
    });
    let note = "Newest first. Locked is how long writers could not use the table.".to_owned();
    section(
        "gone",
        "Gone lately".to_owned(),
        note,
        nothing(),
        plain_panel(body),
    )
}
