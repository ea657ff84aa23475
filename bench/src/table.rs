//! Medians, spread, ratios and goals, and the tables that show them.

use crate::contender::Contender;

/// The median and the minimum of the rounds, in nanoseconds. The minimum is closest to
/// the cost on an otherwise idle core: a best case, not what to expect.
#[derive(Clone, Copy)]
pub struct Figure {
    pub median: f64,
    pub minimum: f64,
}

impl Figure {
    /// Combines two figures, for example to their difference or their ratio.
    pub fn with(self, other: Self, of: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            median: of(self.median, other.median),
            minimum: of(self.minimum, other.minimum),
        }
    }
}

/// The median and the quartiles of samples.
#[derive(Clone, Copy)]
pub struct Spread {
    /// A quarter of the samples is below.
    pub low: f64,
    pub median: f64,
    /// A quarter of the samples is above.
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
            minimum: quantile(samples.to_vec(), 0.0),
        }
    }
}

/// Combines the samples of two contenders round by round, so that a change from round to
/// round affects both alike.
pub fn paired(ours: &[f64], theirs: &[f64], of: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let rounds = ours.iter().zip(theirs);
    rounds.map(|(ours, theirs)| of(*ours, *theirs)).collect()
}

/// Returns the sample below which this share of the samples is.
pub fn quantile(mut samples: Vec<f64>, share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[((samples.len() - 1) as f64 * share).round() as usize]
}

/// Returns the median of samples.
pub fn median(samples: Vec<f64>) -> f64 {
    quantile(samples, 0.5)
}

impl Contender {
    fn quantile(&self, share: f64) -> f64 {
        quantile(self.samples.clone(), share)
    }

    /// Returns the median and the minimum of its samples.
    pub fn figure(&self) -> Figure {
        Figure {
            median: self.quantile(0.5),
            minimum: self.quantile(0.0),
        }
    }
}

/// Returns the contender of that name.
///
/// # Panics
///
/// If there is none.
pub fn named<'c>(contenders: &'c [Contender], name: &str) -> &'c Contender {
    contenders
        .iter()
        .find(|contender| contender.name == name)
        .unwrap_or_else(|| panic!("no contender is called {name}"))
}

/// Returns what a contender costs beyond `base`: its *own* cost.
pub fn own(contenders: &[Contender], name: &str, base: &str) -> Figure {
    let base = named(contenders, base).figure();
    named(contenders, name).figure().with(base, |a, b| a - b)
}

/// Prints a table of contenders with their own cost beyond `base`, and a ratio that `of`
/// makes of the median and the own cost.
pub fn print(contenders: &[Contender], base: &str, ratio: &str, of: impl Fn(f64, f64) -> f64) {
    println!("| contender | median ns | quartiles | minimum | own ns | {ratio} |");
    println!("|---|---:|---:|---:|---:|---:|");
    for contender in contenders {
        let Figure { median, minimum } = contender.figure();
        let own = own(contenders, &contender.name, base).median;
        println!(
            "| {} | {median:.2} | {:.2} .. {:.2} | {minimum:.2} | {own:.2} | {:.2} |",
            contender.name,
            contender.quantile(0.25),
            contender.quantile(0.75),
            of(median, own),
        );
    }
    println!();
}

/// Prints a goal, the figure and whether it is within the limit. The median decides; the
/// minimum is printed for comparison.
pub fn goal(goal: &str, found: Figure, limit: f64) {
    let Figure { median, minimum } = found;
    let verdict = if median <= limit { "met" } else { "**missed**" };
    println!("- {goal}, at most {limit}: {median:.2} (by the minimum {minimum:.2}): {verdict}");
}
