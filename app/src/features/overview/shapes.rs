//! From counts to shapes: spark lines, the success chart, shades of days.

use std::fmt::Write as _;

use crate::{
    format,
    ui::chart::{Chart, Spark},
};

/// Deliveries that ended or were tried again in one slice of the range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// Deliveries that succeeded.
    pub succeeded: i64,
    /// Deliveries that failed for good.
    pub failed: i64,
    /// Attempts that will be repeated.
    pub retried: i64,
}

impl Slice {
    /// Share of deliveries that succeeded; none where nothing ended.
    fn rate(&self) -> Option<f64> {
        let ended = self.succeeded + self.failed;
        (ended > 0).then(|| self.succeeded as f64 / ended as f64)
    }
}

/// The line through `values` in a box of 100 by 32, with 2 units of air above and below.
///
/// Equal values lie low when they are zero and in the middle otherwise.
pub fn spark(values: &[f64], state: &str) -> Spark {
    if values.len() < 2 {
        return Spark::default();
    }
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let step = 100.0 / (values.len() - 1) as f64;
    let mut line = String::new();
    for (i, value) in values.iter().enumerate() {
        let y = if high > low {
            29.5 - (value - low) / (high - low) * 27.5
        } else if high == 0.0 {
            29.5
        } else {
            16.0
        };
        let gap = if i == 0 { "" } else { " " };
        let _ = write!(line, "{gap}{:.1},{y:.1}", i as f64 * step);
    }
    Spark {
        line,
        state: state.to_owned(),
    }
}

/// The success chart. The upper axis starts at the highest of 94, 75, 50 and 0 percent that still
/// shows the whole line, which has a gap where nothing ended.
pub fn success(slices: &[Slice], x: Vec<String>) -> Chart {
    let rates: Vec<Option<f64>> = slices.iter().map(Slice::rate).collect();
    let lowest = rates.iter().flatten().copied().fold(1.0, f64::min);
    let floor = [0.94, 0.75, 0.5, 0.0]
        .into_iter()
        .find(|f| lowest >= *f)
        .unwrap_or(0.0);
    let slot = 960.0 / slices.len().max(1) as f64;
    let (line, area) = success_line(&rates, floor, slot);
    let most = slices.iter().map(|s| s.failed + s.retried).max().unwrap_or(0);
    let top = round_up(most.max(1));
    let (mut failed, mut retried) = (String::new(), String::new());
    for (i, slice) in slices.iter().enumerate() {
        let x = i as f64 * slot + slot * 0.1;
        let height = |n: i64| n as f64 / top as f64 * 48.0;
        let (low, high) = (height(slice.retried), height(slice.failed));
        bar(&mut retried, x, slot * 0.8, 48.0, low);
        bar(&mut failed, x, slot * 0.8, 48.0 - low, high);
    }
    let totals: (i64, i64) = slices
        .iter()
        .fold((0, 0), |t, s| (t.0 + s.failed, t.1 + s.retried));
    let words = |share: f64| format!("{:.0}", (floor + (1.0 - floor) * share) * 100.0);
    Chart {
        line,
        area,
        y: vec![
            format!("100{}%", format::NBSP),
            words(2.0 / 3.0),
            words(1.0 / 3.0),
            words(0.0),
        ],
        y_low: vec![format::count(top), "0".to_owned()],
        x,
        failed,
        retried,
        label: if rates.iter().any(Option::is_some) {
            format!(
                "Success rate, at least {} wherever deliveries ended.",
                format::percent(lowest)
            )
        } else {
            "Success rate, no delivery ended.".to_owned()
        },
        label_low: format!(
            "{} failed and {} retried deliveries.",
            format::count(totals.0),
            format::count(totals.1)
        ),
    }
}

/// Paths of the line through `rates` and of the area below it: one piece for each run of slices in
/// which something ended.
fn success_line(rates: &[Option<f64>], floor: f64, slot: f64) -> (String, String) {
    let (mut line, mut area) = (String::new(), String::new());
    let mut first = 0;
    for run in rates.chunk_by(|a, b| a.is_some() == b.is_some()) {
        let middle = |i: usize| ((first + i) as f64 + 0.5) * slot;
        let mut points: Vec<(f64, f64)> = run
            .iter()
            .enumerate()
            .filter_map(|(i, rate)| Some((middle(i), (1.0 - (*rate)?) / (1.0 - floor) * 100.0)))
            .collect();
        first += run.len();
        if let [(x, y)] = points[..] {
            // A line needs two ends, also when it stands alone between gaps.
            points = vec![(x - slot * 0.4, y), (x + slot * 0.4, y)];
        }
        let (Some((start, _)), Some((end, _))) = (points.first(), points.last()) else {
            continue;
        };
        let text: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let text = text.join("L");
        let _ = write!(line, "M{text}");
        let _ = write!(area, "M{start:.1},100L{text}L{end:.1},100Z");
    }
    (line, area)
}

fn bar(path: &mut String, x: f64, width: f64, bottom: f64, height: f64) {
    if height > 0.0 {
        let _ = write!(path, "M{x:.1} {bottom:.1}h{width:.1}v-{height:.1}h-{width:.1}z");
    }
}

/// The next of 1, 2, 5, 10, 20, 50 …
fn round_up(n: i64) -> i64 {
    let mut scale = 1;
    loop {
        for factor in [1, 2, 5] {
            if factor * scale >= n {
                return factor * scale;
            }
        }
        scale *= 10;
    }
}

/// The shade of a day with `events` events when the fullest day has `most`: 0 for none, else 1 to 5.
pub fn level(events: i64, most: i64) -> u8 {
    if events <= 0 || most <= 0 {
        return 0;
    }
    ((events * 5 + most - 1) / most).clamp(1, 5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spark_line_spans_its_box() {
        assert_eq!(spark(&[0.0, 10.0, 5.0], "").line, "0.0,29.5 50.0,2.0 100.0,15.8");
        assert_eq!(spark(&[0.0, 0.0], "").line, "0.0,29.5 100.0,29.5");
        assert_eq!(spark(&[3.0], "").line, "");
    }

    #[test]
    fn a_bad_slice_lowers_the_axis_and_an_empty_one_leaves_a_gap() {
        let good = Slice {
            succeeded: 100,
            ..Slice::default()
        };
        let bad = Slice {
            succeeded: 60,
            failed: 40,
            retried: 10,
        };
        let chart = success(&[good, bad, Slice::default(), good], Vec::new());
        assert_eq!(chart.y.last().map(String::as_str), Some("50"));
        assert_eq!(chart.line, "M120.0,0.0L360.0,80.0M744.0,0.0L936.0,0.0");
        assert_eq!(
            chart.area,
            "M120.0,100L120.0,0.0L360.0,80.0L360.0,100ZM744.0,100L744.0,0.0L936.0,0.0L936.0,100Z"
        );
        assert_eq!(chart.y_low, ["50", "0"]);
        assert_eq!(chart.failed.matches('M').count(), 1);
    }

    #[test]
    fn a_chart_without_anything_has_no_line() {
        let chart = success(&[Slice::default(); 2], Vec::new());
        assert!(chart.line.is_empty() && chart.area.is_empty());
        assert!(chart.failed.is_empty() && chart.retried.is_empty());
    }

    #[test]
    fn shades_follow_the_fullest_day() {
        assert_eq!(
            [level(0, 10), level(1, 10), level(5, 10), level(10, 10)],
            [0, 1, 3, 5]
        );
        assert_eq!(level(0, 0), 0);
    }
}
