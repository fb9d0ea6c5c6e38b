//! The tables, and the targets beside the figures.

use crate::contestant::Contestant;
use crate::people;
use crate::race::Row;
use crate::stopwatch::{Sample, median, quantile};
use crate::unannotated::Unannotated;
use crate::uplinks::{Outcome, Samples, Uplink};
use crate::world::World;

/// What is remembered from table to table for the targets at the end.
#[derive(Debug, Default)]
pub struct Report {
    races: Vec<(usize, Vec<Row>)>,
    unannotated: Option<f64>,
    others: Vec<Target>,
}

fn wall(sample: &Sample) -> f64 {
    sample.wall_us
}

fn cpu(sample: &Sample) -> f64 {
    sample.cpu_us
}

fn rss(sample: &Sample) -> f64 {
    sample.rss_kib
}

/// The part of the samples that a machine with other things to do disturbs least.
const LOW: f64 = 0.25;

/// The most that a start may take beside many containers of its kind, of what it
/// takes beside one.
const UPLINK_GROWTH: f64 = 1.15;

impl Report {
    /// Prints and keeps the table of one race.
    pub fn race(&mut self, containers: usize, rows: Vec<Row>) {
        let rounds = rows.iter().flat_map(|row| &row.samples).map(Vec::len).max();
        println!(
            "\none attachment beside {containers} containers, {} rounds",
            rounds.unwrap_or(0)
        );
        headings("x floor");
        let floor = samples(&rows, Contestant::Floor);
        for row in &rows {
            match &row.samples {
                Ok(theirs) => line(row.contestant.title(), theirs, floor),
                Err(reason) => println!("  {:<32} {reason}", row.contestant.title()),
            }
        }
        self.races.push((containers, rows));
    }

    /// Prints and keeps the table of the container that asks for nothing.
    pub fn unannotated(&mut self, samples: Unannotated) {
        let Unannotated {
            nothing,
            hook,
            wrapper,
        } = samples;
        println!("\nan unannotated container, {} runs each", nothing.len());
        headings("x true");
        line("true (C, static)", &nothing, &nothing);
        match hook {
            Some(hook) => {
                line("pipework hook", &hook, &nothing);
                self.unannotated = ratio(&hook, &nothing);
            }
            None => println!("  {:<32} absent", "pipework hook"),
        }
        match wrapper {
            Some(wrapper) => {
                line("pipework runtime, then true", &wrapper, &nothing);
                let adds = median(&wrapper, wall) - median(&nothing, wall);
                let what = "the runtime wrapper adds, ms".to_owned();
                self.others.push(Target::new(what, 1.0, Some(adds / 1e3)));
            }
            None => println!("  {:<32} absent", "pipework runtime"),
        }
    }

    /// Prints and keeps how long people wait.
    pub fn people(&mut self, commands: Vec<(&'static str, Vec<Sample>)>) {
        println!("\nbeside {} containers", people::CONTAINERS);
        headings("x list");
        let list = commands.first().map(|(_, samples)| samples.clone());
        for (command, samples) in commands {
            line(command, &samples, list.as_deref().unwrap_or_default());
            let what = format!("{command} beside {}, seconds", people::CONTAINERS);
            let here = Some(median(&samples, wall) / 1e6);
            self.others.push(Target::new(what, 0.5, here));
        }
    }

    /// Prints the figures of another uplink, and keeps its targets.
    pub fn uplink(&mut self, uplink: &Uplink, outcome: Outcome) {
        let rows = match outcome {
            Ok(rows) => rows,
            Err(reason) => return println!("\n{}: {reason}", uplink.title),
        };
        println!("\n{}", uplink.title);
        headings("x floor");
        for (size, Samples { floor, hook }) in &rows {
            line(&format!("floor, beside {size}"), floor, floor);
            line(&format!("pipework hook, beside {size}"), hook, floor);
            let what = format!("{}, beside {size}, x floor", uplink.title);
            self.others
                .push(Target::new(what, 1.5, quiet_ratio(hook, floor)));
        }
        if let [(_, few), .., (size, many)] = rows.as_slice() {
            let floor = quiet_ratio(&many.floor, &few.floor);
            let ours = quiet_ratio(&many.hook, &few.hook);
            let what = format!("{}, {size}, x own alone", uplink.title);
            self.others
                .push(Target::new(what, UPLINK_GROWTH, ours).with_floor(floor));
            let beyond = ours.zip(floor).map(|(ours, floor)| ours / floor);
            let what = format!("{}, {size}, x floor's growth", uplink.title);
            self.others.push(Target::new(what, UPLINK_GROWTH, beyond));
        }
    }

    /// Prints the targets; whether one was missed that can be met.
    pub fn targets(&self, world: &World) -> bool {
        println!("\ntargets                                        limit     here");
        let binary = world.ours.as_ref().and_then(|path| path.metadata().ok());
        let mut targets: Vec<Target> = self.races.iter().flat_map(beside).collect();
        targets.extend(self.growth_targets());
        targets.extend_from_slice(&self.others);
        targets.push(Target::new("unannotated, x true", 1.3, self.unannotated));
        targets.push(Target::new("peak memory, KiB", 4096.0, self.peak_memory()));
        targets.push(Target::new(
            "size of the binary, MB",
            3.0,
            binary.map(|data| data.len() as f64 / 1e6),
        ));
        targets.iter().for_each(Target::print);
        targets.iter().any(Target::missed)
    }

    /// Enslaving visits every port of the bridge (net/bridge/br_if.c,
    /// br_features_recompute among others), and an announcement is flooded to
    /// all of them, so the floor grows too; the second line is what is ours.
    fn growth_targets(&self) -> [Target; 2] {
        let ours = self.growth(Contestant::Pipework);
        let floor = self.growth(Contestant::Floor);
        let beyond = ours.zip(floor).map(|(ours, floor)| ours / floor);
        [
            Target::new("1000 containers, x own empty host", 1.1, ours).with_floor(floor),
            Target::new("1000 containers, x the floor's growth", 1.1, beyond),
        ]
    }

    fn growth(&self, contestant: Contestant) -> Option<f64> {
        let at = |size| {
            let (_, rows) = self
                .races
                .iter()
                .find(|(containers, _)| *containers == size)?;
            Some(samples(rows, contestant))
        };
        ratio(at(1000)?, at(0)?)
    }

    fn peak_memory(&self) -> Option<f64> {
        let peaks = self
            .races
            .iter()
            .flat_map(|(_, rows)| samples(rows, Contestant::Pipework));
        peaks.map(rss).reduce(f64::max)
    }
}

/// The targets of one race.
fn beside((containers, rows): &(usize, Vec<Row>)) -> [Target; 2] {
    let of = |contestant| samples(rows, contestant);
    let (ours, floor) = (of(Contestant::Pipework), of(Contestant::Floor));
    let netavark = of(Contestant::Netavark);
    let name = |unit| format!("beside {containers}, x {unit}");
    [
        Target::new(name("floor"), 1.3, ratio(ours, floor)),
        Target::new(name("netavark"), 0.5, ratio(ours, netavark))
            .with_floor(ratio(floor, netavark)),
    ]
}

fn samples(rows: &[Row], contestant: Contestant) -> &[Sample] {
    rows.iter()
        .find(|row| row.contestant == contestant)
        .and_then(|row| row.samples.as_deref().ok())
        .unwrap_or_default()
}

/// The ratio of the median wall times, where both were measured.
fn ratio(ours: &[Sample], theirs: &[Sample]) -> Option<f64> {
    let measured = !ours.is_empty() && !theirs.is_empty();
    measured.then(|| median(ours, wall) / median(theirs, wall))
}

/// The ratio of the lower quartiles: what else the machine does only ever adds, and
/// not to both alike.
fn quiet_ratio(ours: &[Sample], theirs: &[Sample]) -> Option<f64> {
    let measured = !ours.is_empty() && !theirs.is_empty();
    measured.then(|| quantile(ours, wall, LOW) / quantile(theirs, wall, LOW))
}

fn headings(unit: &str) {
    println!(
        "  {:<32} {:>8} {:>8} {:>8} {:>8} {unit:>8} {:>8} {:>8}",
        "medians", "wall ms", "p25 ms", "p90 ms", "cpu ms", "x cpu", "KiB"
    );
}

fn line(title: &str, theirs: &[Sample], unit: &[Sample]) {
    println!(
        "  {title:<32} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>8.0}",
        median(theirs, wall) / 1000.0,
        quantile(theirs, wall, LOW) / 1000.0,
        quantile(theirs, wall, 0.9) / 1000.0,
        median(theirs, cpu) / 1000.0,
        median(theirs, wall) / median(unit, wall),
        median(theirs, cpu) / median(unit, cpu),
        median(theirs, rss),
    );
}

/// A figure with the limit that it should keep.
#[derive(Clone, Debug)]
struct Target {
    what: String,
    limit: f64,
    here: Option<f64>,
    floor: Option<f64>,
}

impl Target {
    fn new(what: impl Into<String>, limit: f64, here: Option<f64>) -> Self {
        Self {
            what: what.into(),
            limit,
            here,
            floor: None,
        }
    }

    /// With the floor's own figure: a limit below it cannot be met by anybody.
    fn with_floor(self, floor: Option<f64>) -> Self {
        Self { floor, ..self }
    }

    fn out_of_reach(&self) -> Option<f64> {
        self.floor.filter(|floor| *floor > self.limit)
    }

    fn missed(&self) -> bool {
        self.out_of_reach().is_none() && self.here.is_some_and(|here| here > self.limit)
    }

    fn print(&self) {
        let Self { what, limit, .. } = self;
        let here = self.here.map_or("-".into(), |here| format!("{here:.2}"));
        let verdict = match (self.here, self.out_of_reach()) {
            (None, _) => "not measured".into(),
            (Some(here), _) if here <= self.limit => "ok".into(),
            (Some(_), Some(floor)) => format!("MISSED, out of reach: the floor has {floor:.2}"),
            (Some(_), None) => "MISSED".into(),
        };
        println!("  {what:<42} {limit:>8.2} {here:>8}  {verdict}");
    }
}
