//! Figures for people.

use crate::contender::Contender;

/// What the rounds say, in nanoseconds. The least comes closest to what it takes
/// on a core that nothing else uses; it is a best case, not what to expect.
#[derive(Clone, Copy)]
pub struct Figure {
    pub median: f64,
    pub least: f64,
}

impl Figure {
    /// Two figures made one: their difference, their ratio.
    pub fn with(self, other: Self, of: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            median: of(self.median, other.median),
            least: of(self.least, other.least),
        }
    }
}

/// Samples in short.
#[derive(Clone, Copy)]
pub struct Spread {
    /// A quarter of the samples lies below.
    pub low: f64,
    pub median: f64,
    /// A quarter of the samples lies above.
    pub high: f64,
}

impl Spread {
    pub fn of(samples: &[f64]) -> Self {
        let [low, median, high] = [0.25, 0.5, 0.75].map(|share| quantile(samples.to_vec(), share));
        Self { low, median, high }
    }
}

impl Figure {
    pub fn of(samples: &[f64]) -> Self {
        Self {
            median: quantile(samples.to_vec(), 0.5),
            least: quantile(samples.to_vec(), 0.0),
        }
    }
}

/// Samples of two contenders made one, round by round: what changes from round to
/// round does not count.
pub fn paired(ours: &[f64], theirs: &[f64], of: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let rounds = ours.iter().zip(theirs);
    rounds.map(|(ours, theirs)| of(*ours, *theirs)).collect()
}

/// The sample below which this share of them lies.
pub fn quantile(mut samples: Vec<f64>, share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[((samples.len() - 1) as f64 * share).round() as usize]
}

pub fn median(samples: Vec<f64>) -> f64 {
    quantile(samples, 0.5)
}

impl Contender {
    fn quantile(&self, share: f64) -> f64 {
        quantile(self.samples.clone(), share)
    }

    pub fn figure(&self) -> Figure {
        Figure {
            median: self.quantile(0.5),
            least: self.quantile(0.0),
        }
    }
}

/// The contender of that name.
pub fn named<'c>(contenders: &'c [Contender], name: &str) -> &'c Contender {
    contenders
        .iter()
        .find(|contender| contender.name == name)
        .unwrap_or_else(|| panic!("no contender is called {name}"))
}

/// What a contender costs beyond `base`: its *own* cost.
pub fn own(contenders: &[Contender], name: &str, base: &str) -> Figure {
    let base = named(contenders, base).figure();
    named(contenders, name).figure().with(base, |a, b| a - b)
}

/// Prints contenders with their own cost beyond `base`, and a ratio made of
/// both: median and own cost.
pub fn print(contenders: &[Contender], base: &str, ratio: &str, of: impl Fn(f64, f64) -> f64) {
    println!("| contender | median ns | quartiles | least | own ns | {ratio} |");
    println!("|---|---:|---:|---:|---:|---:|");
    for contender in contenders {
        let Figure { median, least } = contender.figure();
        let own = own(contenders, &contender.name, base).median;
        println!(
            "| {} | {median:.2} | {:.2} .. {:.2} | {least:.2} | {own:.2} | {:.2} |",
            contender.name,
            contender.quantile(0.25),
            contender.quantile(0.75),
            of(median, own),
        );
    }
    println!();
}

/// Prints a goal, what was found, and whether that is within it. The medians
/// decide; what the least samples say stands beside.
pub fn goal(goal: &str, found: Figure, limit: f64) {
    let Figure { median, least } = found;
    let verdict = if median <= limit { "met" } else { "**missed**" };
    println!("- {goal}, at most {limit}: {median:.2} (by the least samples {least:.2}): {verdict}");
}
