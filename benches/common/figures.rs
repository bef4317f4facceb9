//! Percentiles by nearest rank, and rows of Markdown tables.

use std::fmt::Display;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Measured values, sorted.
#[derive(Clone, Debug, Default)]
pub struct Sample(Vec<f64>);

impl Sample {
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// In milliseconds.
    pub fn milliseconds(durations: impl IntoIterator<Item = Duration>) -> Self {
        Self::of(durations.into_iter().map(|duration| duration.as_secs_f64() * 1e3))
    }

    /// In microseconds.
    pub fn microseconds(durations: impl IntoIterator<Item = Duration>) -> Self {
        Self::of(durations.into_iter().map(|duration| duration.as_secs_f64() * 1e6))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The smallest value that at least a share `of` of all values does not exceed; NaN without values.
    pub fn quantile(&self, of: f64) -> f64 {
        let rank = (of * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }
}

/// How often a thing is done.
#[derive(Clone, Copy)]
pub struct Effort {
    pub batches: usize,
    pub calls: usize,
}

/// Time of one call in microseconds: the mean within each of `number` batches of `calls`. `prepare` makes
/// one call's input, untimed; results are dropped untimed too.
pub async fn batches<I, O>(
    number: usize,
    calls: usize,
    mut prepare: impl FnMut() -> I,
    mut call: impl AsyncFnMut(I) -> anyhow::Result<O>,
) -> anyhow::Result<Sample> {
    let mut values = Vec::with_capacity(number);
    // The first batch warms up.
    for batch in 0..=number {
        let inputs: Vec<I> = (0..calls).map(|_| prepare()).collect();
        let mut outputs = Vec::with_capacity(calls);
        let began = Instant::now();
        for input in inputs {
            outputs.push(black_box(call(black_box(input)).await?));
        }
        let took = began.elapsed();
        if batch > 0 {
            values.push(took.as_secs_f64() * 1e6 / calls as f64);
        }
    }
    Ok(Sample::of(values))
}

/// The first line of a table and the one below it.
pub fn head(title: &str, columns: &[&str]) {
    println!("\n### {title}\n\n| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len()));
}

pub fn row(cells: &[&dyn Display]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.to_string()).collect();
    println!("| {} |", cells.join(" | "));
}

/// About three digits that mean something.
pub fn short(value: f64) -> String {
    match value.abs() {
        value if value.is_nan() => "–".into(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
