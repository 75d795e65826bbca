//! CPU time and memory of processes, as the kernel counts them.

use std::collections::{HashMap, HashSet};
use std::fs;

/// One line of `/proc/PID/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    pid: u32,
    parent: u32,
    /// Clock ticks in user and kernel mode, of the process and of the children it has waited for.
    ticks: u64,
}

impl Stat {
    fn parse(line: &str) -> Option<Self> {
        // The name stands in parentheses and may hold anything.
        let (head, rest) = line.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks = fields
            .get(11..15)?
            .iter()
            .map(|field| field.parse::<u64>().ok())
            .sum::<Option<u64>>()?;
        Some(Self {
            pid: head.split_whitespace().next()?.parse().ok()?,
            parent: fields.get(1)?.parse().ok()?,
            ticks,
        })
    }

    /// All processes of the machine.
    fn all() -> Vec<Self> {
        let Ok(folder) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        folder
            .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("stat")).ok())
            .filter_map(|line| Self::parse(&line))
            .collect()
    }
}

/// The processes below `root` and itself, parents first.
fn tree(all: &[Stat], root: u32) -> Vec<Stat> {
    let mut children: HashMap<u32, Vec<Stat>> = HashMap::new();
    for stat in all {
        children.entry(stat.parent).or_default().push(*stat);
    }
    let mut found: Vec<Stat> = all.iter().copied().filter(|stat| stat.pid == root).collect();
    let mut seen: HashSet<u32> = HashSet::from([root]);
    let mut next = 0;
    while let Some(stat) = found.get(next).copied() {
        let below = children
            .get(&stat.pid)
            .into_iter()
            .flatten()
            .filter(|child| seen.insert(child.pid));
        found.extend(below);
        next += 1;
    }
    found
}

/// Ids of the processes below `root` and its own, parents first.
pub(crate) fn process_tree(root: u32) -> Vec<u32> {
    tree(&Stat::all(), root).iter().map(|stat| stat.pid).collect()
}

/// Milliseconds of CPU that `root`, its children, and the children that have ended used so far.
///
/// A process that ends moves its time to its parent's account, so the sum never goes back.
fn cpu_ms(all: &[Stat], root: u32) -> f64 {
    let ticks: u64 = tree(all, root).iter().map(|stat| stat.ticks).sum();
    ticks as f64 * 1000.0 / rustix::param::clock_ticks_per_second() as f64
}

/// Whose time is counted.
#[derive(Clone, Debug)]
pub(crate) struct Parties {
    /// Processes of the gateway.
    pub(crate) gateway: Vec<u32>,
    /// The first process of the PostgreSQL server.
    pub(crate) postgres: u32,
    /// The Redis server.
    pub(crate) redis: u32,
}

/// Milliseconds of CPU.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuTimes {
    /// All processes of the gateway.
    pub(crate) gateway: f64,
    /// All processes of the PostgreSQL server.
    pub(crate) postgres: f64,
    /// The Redis server.
    pub(crate) redis: f64,
    /// This process: driver and receiver.
    pub(crate) bench: f64,
}

impl CpuTimes {
    /// What each party used so far.
    pub(crate) fn now(parties: &Parties) -> Self {
        let all = Stat::all();
        Self {
            gateway: parties.gateway.iter().map(|pid| cpu_ms(&all, *pid)).sum(),
            postgres: cpu_ms(&all, parties.postgres),
            redis: cpu_ms(&all, parties.redis),
            bench: own_ms(&all),
        }
    }

    /// What each party used since `start`, for each of `events`.
    pub(crate) fn per_event_since(&self, start: &Self, events: u64) -> Self {
        let each = |now: f64, then: f64| (now - then) / events.max(1) as f64;
        Self {
            gateway: each(self.gateway, start.gateway),
            postgres: each(self.postgres, start.postgres),
            redis: each(self.redis, start.redis),
            bench: each(self.bench, start.bench),
        }
    }

    /// What the product and its stores use together.
    pub(crate) fn product(&self) -> f64 {
        self.gateway + self.postgres + self.redis
    }
}

/// Without the children: they are the gateway.
fn own_ms(all: &[Stat]) -> f64 {
    let own = std::process::id();
    let alone: Vec<Stat> = all.iter().copied().filter(|stat| stat.pid == own).collect();
    cpu_ms(&alone, own)
}

/// The most memory that a process ever held, in MiB; 0 when it is gone.
pub(crate) fn peak_mib(pid: u32) -> f64 {
    fs::read_to_string(format!("/proc/{pid}/status"))
        .ok()
        .and_then(|text| high_water_kib(&text))
        .unwrap_or(0.0)
        / 1024.0
}

fn high_water_kib(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_whatever_the_name_holds() {
        let line = "42 (a) b (c)) S 7 42 42 0 -1 4194304 100 0 0 0 11 22 33 44 20 0 1 0 5 6 7";
        assert_eq!(
            Stat::parse(line),
            Some(Stat {
                pid: 42,
                parent: 7,
                ticks: 110
            })
        );
        assert_eq!(Stat::parse("42 (short) S 7"), None);
    }

    #[test]
    fn the_time_of_a_tree_is_that_of_all_below_its_root_and_of_nobody_else() {
        let stat = |pid, parent, ticks| Stat { pid, parent, ticks };
        let all = [
            stat(4, 3, 1000),
            stat(1, 0, 1),
            stat(2, 1, 10),
            stat(3, 2, 100),
            stat(5, 1, 7),
        ];
        let found: Vec<u32> = tree(&all, 2).iter().map(|stat| stat.pid).collect();
        assert_eq!(found, [2, 3, 4]);
        let per_tick = 1000.0 / rustix::param::clock_ticks_per_second() as f64;
        assert!((cpu_ms(&all, 2) - 1110.0 * per_tick).abs() < 1e-6);
        assert!(tree(&all, 99).is_empty());
    }

    #[test]
    fn the_peak_of_this_process_is_known() {
        assert!(peak_mib(std::process::id()) > 1.0);
        assert_eq!(
            high_water_kib("VmPeak:\t 9 kB\nVmHWM:\t    2048 kB\n"),
            Some(2048.0)
        );
    }
}
