//! The table: dense rows, numbers right, cards on phones.
//!
//! Roles are restated because the card mode changes `display`, which would take them away.

use leptos::prelude::*;

/// Head of one column.
#[derive(Clone, Copy)]
pub struct Col {
    /// The word in the head; read out only when `hidden`.
    pub word: &'static str,
    number: bool,
    hidden: bool,
    pick: bool,
}

impl Col {
    /// A column of words.
    pub const fn text(word: &'static str) -> Self {
        Self {
            word,
            number: false,
            hidden: false,
            pick: false,
        }
    }

    /// A column of numbers or times: right and tabular.
    pub const fn number(word: &'static str) -> Self {
        Self {
            number: true,
            ..Self::text(word)
        }
    }

    /// A column of buttons, whose head is only read out.
    pub const fn action(word: &'static str) -> Self {
        Self {
            hidden: true,
            ..Self::text(word)
        }
    }

    /// The column of check boxes.
    pub const fn pick() -> Self {
        Self {
            hidden: true,
            pick: true,
            ..Self::text("Select")
        }
    }
}

/// Where a cell goes when the row is a card.
#[derive(Clone, Copy)]
enum Place {
    Title,
    State,
    Sub,
    When,
    Hide,
    Labelled(&'static str),
    Pick,
    Go,
}

/// One cell.
pub struct Cell {
    place: Place,
    number: bool,
    body: AnyView,
}

impl Cell {
    fn new(place: Place, number: bool, body: impl IntoAny) -> Self {
        Self {
            place,
            number,
            body: body.into_any(),
        }
    }

    /// The first cell, which names the row and carries its link.
    pub fn title(body: impl IntoAny) -> Self {
        Self::new(Place::Title, false, body)
    }

    /// The state, top right on a card.
    pub fn state(body: impl IntoAny) -> Self {
        Self::new(Place::State, false, body)
    }

    /// The second line of a card.
    pub fn sub(body: impl IntoAny) -> Self {
        Self::new(Place::Sub, false, body)
    }

    /// The time, right on the second line of a card.
    pub fn when(body: impl IntoAny) -> Self {
        Self::new(Place::When, true, body)
    }

    /// Words that are left out on a card.
    pub fn wide(body: impl IntoAny) -> Self {
        Self::new(Place::Hide, false, body)
    }

    /// A number that is left out on a card.
    pub fn wide_number(body: impl IntoAny) -> Self {
        Self::new(Place::Hide, true, body)
    }

    /// Words that stand beside their column's word on a card.
    pub fn labelled(word: &'static str, body: impl IntoAny) -> Self {
        Self::new(Place::Labelled(word), false, body)
    }

    /// A number that stands beside its column's word on a card.
    pub fn number(word: &'static str, body: impl IntoAny) -> Self {
        Self::new(Place::Labelled(word), true, body)
    }

    /// Buttons at the end of a row.
    pub fn go(body: impl IntoAny) -> Self {
        Self::new(Place::Go, false, body)
    }

    /// A check box that picks the row for a bulk action.
    pub fn pick(name: &'static str, value: String, label: String) -> Self {
        let body = view! { <input type="checkbox" name=name value=value aria-label=label /> };
        Self::new(Place::Pick, false, body)
    }

    fn render(self) -> AnyView {
        let (cell, label, mut class) = match self.place {
            Place::Title => (Some("title"), None, ""),
            Place::State => (Some("state"), None, ""),
            Place::Sub => (Some("sub"), None, ""),
            Place::When => (Some("when"), None, ""),
            Place::Hide => (Some("hide"), None, ""),
            Place::Labelled(word) => (None, Some(word), ""),
            Place::Pick => (None, None, "pick"),
            Place::Go => (None, None, "go"),
        };
        if self.number {
            class = "n";
        }
        if matches!(self.place, Place::Title) {
            view! { <th role="rowheader" scope="row" data-cell=cell>{self.body}</th> }.into_any()
        } else {
            view! { <td role="cell" class=class data-cell=cell data-label=label>{self.body}</td> }.into_any()
        }
    }
}

/// What [`table`] shows.
pub struct Table {
    /// Says what the table holds and in which order.
    pub caption: String,
    /// The heads.
    pub cols: Vec<Col>,
    /// The rows, each with one cell per column.
    pub rows: Vec<Vec<Cell>>,
    /// Whether the head stays under the bar while scrolling.
    pub sticky: bool,
}

/// A table inside its scrolling wrap; put it into a panel.
pub fn table(table: Table) -> AnyView {
    let heads = table.cols.into_iter().map(head).collect::<Vec<_>>();
    let rows = table
        .rows
        .into_iter()
        .map(|cells| {
            view! { <tr role="row">{cells.into_iter().map(Cell::render).collect::<Vec<_>>()}</tr> }.into_any()
        })
        .collect::<Vec<_>>();
    view! {
        <div class="table-wrap" data-sticky=table.sticky.then_some("")>
            <table class="table" role="table" data-cards="" data-dense="">
                <caption class="sr">{table.caption}</caption>
                <thead role="rowgroup"><tr role="row">{heads}</tr></thead>
                <tbody role="rowgroup">{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn head(col: Col) -> AnyView {
    let class = if col.pick {
        "pick"
    } else if col.number {
        "n"
    } else {
        ""
    };
    let word = if col.hidden {
        view! { <span class="sr">{col.word}</span> }.into_any()
    } else {
        col.word.into_any()
    };
    view! { <th role="columnheader" scope="col" class=class>{word}</th> }.into_any()
}

/// The link in the first cell of a row.
pub fn row_link(href: String, text: String) -> AnyView {
    view! { <a class="row-link" href=href>{text}</a> }.into_any()
}

/// A number, or a faint dash when there is none.
pub fn or_none(text: String) -> AnyView {
    if text.is_empty() {
        view! { <span class="faint">"—"</span> }.into_any()
    } else {
        text.into_any()
    }
}

/// A count whose zero is faint.
pub fn faint_zero(text: String) -> AnyView {
    if text == "0" {
        view! { <span class="faint">"0"</span> }.into_any()
    } else {
        text.into_any()
    }
}
