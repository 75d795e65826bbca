//! The scenarios. Each starts from empty stores and answers one report.

mod archive;
mod backlog;
mod convert;
mod delayed;
mod hang;
mod history;
mod kill;
mod load;
mod outage;

use clap::ValueEnum;

use crate::Options;
use crate::bed::Bed;
use crate::report::Report;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// As fast as the connections go
    Burst,
    /// A low, fixed rate: latency without a queue
    Steady,
    /// A healthy endpoint beside one that hangs on every request, against the healthy one alone
    Hang,
    /// A worker that starts on a long queue, against one that starts on a short queue
    Backlog,
    /// Many deliveries due in the same second
    Delayed,
    /// Workers killed at random moments
    Kill,
    /// PostgreSQL away, Redis away, both away
    Outage,
    /// The burst with and without many old deliveries in the tables
    History,
    /// A table into day partitions and back while it is written to, killed at every step
    Convert,
    /// A day into the archive, out of PostgreSQL, and read from there
    Archive,
}

impl Scenario {
    /// The name on the command line and of the file of results.
    pub(crate) fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    /// Runs it.
    pub(crate) async fn run(self, bed: &Bed, options: &Options) -> anyhow::Result<Report> {
        match self {
            Self::Burst => load::burst(bed, options).await,
            Self::Steady => load::steady(bed, options).await,
            Self::Hang => hang::run(bed, options).await,
            Self::Backlog => backlog::run(bed, options).await,
            Self::Delayed => delayed::run(bed, options).await,
            Self::Kill => kill::run(bed, options).await,
            Self::Outage => outage::run(bed, options).await,
            Self::History => history::run(bed, options).await,
            Self::Convert => convert::run(bed, options).await,
            Self::Archive => archive::run(bed, options).await,
        }
    }
}

/// The middle one; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// How many times `base` fits into `value`; 0 when there is no base.
fn ratio(value: f64, base: f64) -> f64 {
    if base > 0.0 { value / base } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert!((median(vec![9.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median(Vec::new()).abs() < f64::EPSILON);
    }

    #[test]
    fn a_ratio_to_nothing_is_nothing() {
        assert!((ratio(3.0, 2.0) - 1.5).abs() < f64::EPSILON);
        assert!(ratio(3.0, 0.0).abs() < f64::EPSILON);
    }
}
