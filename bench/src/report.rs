//! Figures, what was wanted of them, and how they are printed.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

/// What is wanted of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wanted {
    /// Nothing: it is there to be read.
    Any,
    /// At least so much.
    AtLeast(f64),
    /// At most so much.
    AtMost(f64),
    /// Nothing else is right: the bench fails.
    Exactly(f64),
    /// More is wrong: the bench fails.
    NoMoreThan(f64),
}

impl Wanted {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::Any => true,
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) | Self::NoMoreThan(bound) => value <= bound,
            Self::Exactly(bound) => (value - bound).abs() < f64::EPSILON,
        }
    }

    /// Whether it says what is right, not what is fast.
    fn is_promise(self) -> bool {
        matches!(self, Self::Exactly(_) | Self::NoMoreThan(_))
    }

    fn text(self) -> String {
        match self {
            Self::Any => String::new(),
            Self::AtLeast(bound) => format!(">= {}", digits(bound)),
            Self::AtMost(bound) | Self::NoMoreThan(bound) => format!("<= {}", digits(bound)),
            Self::Exactly(bound) => digits(bound),
        }
    }
}

/// One measured number.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    wanted: Wanted,
}

impl Figure {
    fn is_met(&self) -> bool {
        self.wanted.is_met(self.value)
    }
}

/// The figures of one scenario.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    scenario: String,
    figures: Vec<Figure>,
}

impl Report {
    /// An empty one.
    pub(crate) fn new(scenario: &str) -> Self {
        Self {
            scenario: scenario.to_owned(),
            figures: Vec::new(),
        }
    }

    /// A figure that was added before.
    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        self.figures
            .iter()
            .find(|figure| figure.name == name)
            .map(|figure| figure.value)
    }

    /// Adds a figure that is there to be read.
    pub(crate) fn add(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.want(name, value, unit, Wanted::Any);
    }

    /// Adds a figure of which something is wanted.
    pub(crate) fn want(&mut self, name: impl Into<String>, value: f64, unit: &'static str, wanted: Wanted) {
        self.figures.push(Figure {
            name: name.into(),
            value,
            unit,
            wanted,
        });
    }

    /// Adds a count that must be nothing.
    pub(crate) fn want_none(&mut self, name: impl Into<String>, count: u64) {
        self.want(name, count as f64, "", Wanted::Exactly(0.0));
    }

    /// Adds the figures of another report, each under `group`.
    pub(crate) fn append(&mut self, group: &str, other: Self) {
        let renamed = |figure: Figure| Figure {
            name: format!("{group}: {}", figure.name),
            ..figure
        };
        self.figures.extend(other.figures.into_iter().map(renamed));
    }

    /// Whether every promise was kept: nothing lost, nothing stuck. Speed is not judged here.
    pub(crate) fn is_right(&self) -> bool {
        self.figures
            .iter()
            .all(|figure| !figure.wanted.is_promise() || figure.is_met())
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let width = self
            .figures
            .iter()
            .map(|figure| figure.name.chars().count())
            .max()
            .unwrap_or(0);
        let mut table = format!("{}\n", self.scenario);
        for figure in &self.figures {
            let mark = match (figure.wanted, figure.is_met()) {
                (Wanted::Any, _) => "",
                (_, true) => "met",
                (_, false) => "MISSED",
            };
            let value = digits(figure.value);
            let (name, unit, wanted) = (&figure.name, figure.unit, figure.wanted.text());
            let line = format!("  {name:<width$}  {value:>12} {unit:<9} {wanted:>12}  {mark}");
            let _ = writeln!(table, "{}", line.trim_end());
        }
        table
    }

    /// For programs.
    pub(crate) fn json(&self, machine: &Value) -> Value {
        let figures: Map<String, Value> = self
            .figures
            .iter()
            .map(|figure| {
                let mut object = json!({ "value": figure.value, "unit": figure.unit });
                if figure.wanted != Wanted::Any {
                    object["wanted"] = figure.wanted.text().into();
                    object["met"] = figure.is_met().into();
                }
                (figure.name.clone(), object)
            })
            .collect();
        json!({ "scenario": self.scenario, "machine": machine, "figures": figures })
    }

    /// Writes the JSON to `FOLDER/SCENARIO.json`.
    pub(crate) fn save(&self, machine: &Value, folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}.json", self.scenario));
        let text = serde_json::to_string_pretty(&self.json(machine))?;
        std::fs::write(&path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
    }
}

/// As many digits as mean something: 3 behind the point for small numbers, none for large ones.
fn digits(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 1000.0 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::new("burst");
        report.want("accepted", 9000.4, "/s", Wanted::AtLeast(8000.0));
        report.want("cpu", 0.2, "ms/event", Wanted::AtMost(0.15));
        report.want_none("lost", 0);
        report
    }

    #[test]
    fn the_table_says_what_was_met_and_what_was_missed() {
        let table = report().table();
        let lines: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines[1], ["accepted", "9000", "/s", ">=", "8000", "met"]);
        assert_eq!(lines[2], ["cpu", "0.200", "ms/event", "<=", "0.150", "MISSED"]);
        assert_eq!(lines[3], ["lost", "0", "0", "met"]);
    }

    #[test]
    fn a_slow_run_is_right_and_one_that_loses_is_not() {
        let mut slow = report();
        assert!(slow.is_right());
        slow.want_none("stuck", 1);
        assert!(!slow.is_right());
    }

    #[test]
    fn a_group_stands_before_the_names_of_its_figures() {
        let mut all = Report::new("outage");
        all.append("redis", report());
        let json = all.json(&Value::Null);
        assert_eq!(json["figures"]["redis: cpu"]["met"], false);
        assert_eq!(json["figures"]["redis: accepted"]["value"], 9000.4);
    }
}
