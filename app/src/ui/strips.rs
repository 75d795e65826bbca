//! The strips of a table's days: shade for rows, a rail below for the backup.

use std::fmt::Write as _;

use super::html::{Html, escape};

/// Width of one day in the strip's own units.
const STEP: usize = 25;

/// One day of one table.
#[derive(Clone, Debug, Default)]
pub struct StripDay {
    /// Where it leads.
    pub href: String,
    /// Everything about it in words.
    pub label: String,
    /// Shade, 0 to 5; none for a day without rows of its own.
    pub level: Option<u8>,
    /// `ahead`, `legacy` or `dropped` for a day without a shade.
    pub mark: &'static str,
    /// `success` or `failure`; empty for no rail.
    pub rail: &'static str,
    /// The word below it; empty for none.
    pub word: String,
    /// Whether it is today.
    pub is_today: bool,
}

/// What a strip carries beside its days.
#[derive(Clone, Copy, Debug)]
pub struct StripParts {
    /// The words below the days: on the last strip.
    pub words: bool,
    /// The pattern of legacy days: once per page.
    pub hatch: bool,
}

/// Draws the days of `table`.
pub fn strip(table: &str, days: &[StripDay], parts: StripParts) -> Html {
    let (width, height) = (days.len() * STEP, if parts.words { 54 } else { 38 });
    let mut out = format!(
        "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"group\" aria-label=\"Days of {}\">",
        escape(table)
    );
    if parts.hatch {
        out.push_str(
            "<defs><pattern id=\"hatch\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
             <rect class=\"hatch-bg\" width=\"5\" height=\"5\"/><path class=\"hatch-line\" d=\"M0 0V5\"/></pattern></defs>",
        );
    }
    for (i, day) in days.iter().enumerate() {
        cell(&mut out, i * STEP, day);
    }
    for (i, day) in days
        .iter()
        .enumerate()
        .filter(|(_, day)| parts.words && !day.word.is_empty())
    {
        let strong = if day.is_today { " data-strong" } else { "" };
        let x = i * STEP + 2;
        let _ = write!(
            out,
            "<text class=\"heat-word\"{strong} x=\"{x}\" y=\"49\">{}</text>",
            escape(&day.word)
        );
    }
    out.push_str("</svg>");
    Html::trusted(out)
}

fn cell(out: &mut String, x: usize, day: &StripDay) {
    let label = escape(&day.label);
    let _ = write!(
        out,
        "<a href=\"{}\" aria-label=\"{label}\"><title>{label}</title>\
         <rect class=\"heat-hit\" x=\"{x}\" y=\"0\" width=\"25\" height=\"36\"/>",
        escape(&day.href)
    );
    let _ = match day.level {
        Some(level) => write!(
            out,
            "<rect class=\"heat-cell\" data-level=\"{level}\" x=\"{}\" y=\"2\" width=\"21\" height=\"24\" rx=\"3\"/>",
            x + 2
        ),
        // Outlines lie on the middle of their line.
        None => write!(
            out,
            "<rect class=\"heat-cell\" data-state=\"{}\" x=\"{x}.5\" y=\"2.5\" width=\"20\" height=\"23\" rx=\"3\" transform=\"translate(2)\"/>",
            day.mark
        ),
    };
    let _ = match day.rail {
        "failure" => write!(
            out,
            "<path class=\"heat-rail\" data-state=\"failure\" d=\"M{}.5 35h10l-5 -8z\"/>",
            x + 7
        ),
        "" => Ok(()),
        state => write!(
            out,
            "<rect class=\"heat-rail\" data-state=\"{state}\" x=\"{}\" y=\"30\" width=\"21\" height=\"3\"/>",
            x + 2
        ),
    };
    out.push_str("</a>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strip_has_a_link_per_day_and_says_in_words_what_it_shows() {
        let day = |level, rail| StripDay {
            href: "?q=<".to_owned(),
            label: "events, 21 Oct: 10 rows".to_owned(),
            level,
            mark: "ahead",
            rail,
            word: "21 Oct".to_owned(),
            is_today: false,
        };
        let days = [day(Some(3), "success"), day(Some(1), "failure"), day(None, "")];
        let parts = StripParts {
            words: true,
            hatch: false,
        };
        let html = strip("events", &days, parts).into_inner();
        assert_eq!(html.matches("<a href=\"?q=&lt;\"").count(), 3);
        assert_eq!(html.matches("aria-label=\"events, 21 Oct: 10 rows\"").count(), 3);
        assert_eq!(html.matches("class=\"heat-rail\"").count(), 2);
        assert!(
            html.contains("data-level=\"3\"") && html.contains("data-state=\"ahead\""),
            "{html}"
        );
        assert_eq!(html.matches("<text").count(), 3);
        assert!(!html.contains("hatch"));
    }
}
