//! The strip of days that would go and days that stay.

use std::fmt::Write as _;

use super::html::{Html, escape};

/// Width of one day in the strip's own units.
const STEP: usize = 25;

/// One UTC day.
#[derive(Clone, Debug, Default)]
pub struct GoingDay {
    /// `21 Oct`.
    pub day: String,
    /// Everything about it in words.
    pub label: String,
    /// Where it leads.
    pub href: String,
    /// Shade of a day that stays, 0 to 5.
    pub level: u8,
    /// Whether it would go.
    pub goes: bool,
    /// Whether it has left already.
    pub has_left: bool,
    /// Whether a verified copy of it exists.
    pub is_covered: bool,
}

/// Draws `days`, oldest first, with `word` above the first that would go.
pub fn going(days: &[GoingDay], word: &str) -> Html {
    let width = days.len() * STEP;
    let mut out = format!(
        "<svg width=\"{width}\" height=\"78\" viewBox=\"0 0 {width} 78\" role=\"group\" \
         aria-label=\"Days that would go and days that stay\">"
    );
    let first = days.iter().position(|day| day.goes);
    if let Some(first) = first {
        // The words may be longer than the days below them: then they end where the strip ends.
        let x = first * STEP;
        let (x, anchor) = if width.saturating_sub(x) < word.len() * 7 {
            (width.saturating_sub(2), "end")
        } else {
            (x + 4, "start")
        };
        let _ = write!(
            out,
            "<text class=\"heat-word\" data-zone x=\"{x}\" y=\"11\" text-anchor=\"{anchor}\">{}</text>",
            escape(word)
        );
    }
    out.push_str("<g transform=\"translate(0 18)\">");
    for (i, day) in days.iter().enumerate() {
        cell(&mut out, i * STEP, day);
        if i > 0 && days[i - 1].goes != day.goes {
            let _ = write!(out, "<path class=\"heat-edge\" d=\"M{}.5 -4V42\"/>", i * STEP);
        }
    }
    for (i, day) in days
        .iter()
        .enumerate()
        .filter(|(i, _)| i % 7 == 0 && i + 4 < days.len())
    {
        let x = i * STEP + 2;
        let _ = write!(
            out,
            "<text class=\"heat-word\" x=\"{x}\" y=\"55\">{}</text>",
            escape(&day.day)
        );
    }
    let _ = write!(
        out,
        "<text class=\"heat-word\" data-strong x=\"{}\" y=\"55\" text-anchor=\"end\">Today</text></g></svg>",
        width.saturating_sub(2)
    );
    Html::trusted(out)
}

fn cell(out: &mut String, x: usize, day: &GoingDay) {
    let label = escape(&day.label);
    let _ = write!(
        out,
        "<a href=\"{}\" aria-label=\"{label}\"><title>{label}</title>\
         <rect class=\"heat-hit\" x=\"{x}\" y=\"0\" width=\"25\" height=\"42\"/>",
        escape(&day.href)
    );
    let left = x + 2;
    let _ = if day.goes {
        let cross = x + 9;
        write!(
            out,
            "<rect class=\"heat-cell\" data-state=\"going\" x=\"{left}.5\" y=\"2.5\" width=\"20\" height=\"29\" rx=\"3\"/>\
             <path class=\"heat-going\" d=\"M{cross} 13.5l7 7m0 -7l-7 7\"/>"
        )
    } else if day.has_left {
        write!(
            out,
            "<rect class=\"heat-cell\" data-state=\"dropped\" x=\"{left}.5\" y=\"17.5\" width=\"20\" height=\"14\" rx=\"3\"/>"
        )
    } else {
        write!(
            out,
            "<rect class=\"heat-cell\" data-level=\"{}\" x=\"{left}\" y=\"2\" width=\"21\" height=\"30\" rx=\"3\"/>",
            day.level
        )
    };
    if day.is_covered {
        let _ = write!(
            out,
            "<rect class=\"heat-rail\" data-state=\"success\" x=\"{left}\" y=\"36\" width=\"21\" height=\"3\"/>"
        );
    }
    out.push_str("</a>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_go_are_crossed_and_every_day_is_a_labelled_link() {
        let day = |goes| GoingDay {
            day: "21 Oct".to_owned(),
            label: "21 Oct: 10 events <".to_owned(),
            href: "?q=day:20261021&x=<".to_owned(),
            level: 3,
            goes,
            has_left: false,
            is_covered: goes,
        };
        let html = going(&[day(true), day(true), day(false)], "Go: 2 days").into_inner();
        assert_eq!(html.matches("class=\"heat-going\"").count(), 2);
        assert_eq!(html.matches("class=\"heat-rail\"").count(), 2);
        assert_eq!(html.matches("aria-label=\"21 Oct: 10 events &lt;\"").count(), 3);
        assert_eq!(html.matches("class=\"heat-edge\"").count(), 1);
        assert!(html.contains("Go: 2 days") && html.contains("x=&lt;"), "{html}");
    }
}
