//! What a B-tree that does not exist would cost the planner, from its own statistics: for databases without hypopg.
//!
//! The formulas are those of PostgreSQL 15 for a plain index scan with unknown parameters, shortened where they
//! do not matter here: `cost_index` and `index_pages_fetched` in `optimizer/path/costsize.c`, `btcostestimate`,
//! `genericcostestimate` and `var_eq_non_const` in `utils/adt/selfuncs.c`. Repeated lookups are charged in full, as
//! if nothing stayed in the cache: an estimate that is too high costs an advice, one that is too low gives a wrong
//! one.

use super::condition::Comparison;

/// Share of rows that `column > $1` is taken to find (`DEFAULT_INEQ_SEL`).
const RANGE_SELECTIVITY: f64 = 1.0 / 3.0;

/// Values that `= ANY ($1)` is taken to hold (`estimate_array_length`).
const ARRAY_LENGTH: f64 = 10.0;

/// Different values of a column without statistics (`DEFAULT_NUM_DISTINCT`).
const DISTINCT_VALUES: f64 = 200.0;

/// Operators that reading one page of the index costs (`DEFAULT_PAGE_CPU_MULTIPLIER`).
const PAGE_OPERATORS: f64 = 50.0;

const PAGE_BYTES: f64 = 8192.0;

/// B-tree pages are filled this far.
const FILL: f64 = 0.9;

/// The planner's settings, by their names in the server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Prices {
    pub(super) seq_page_cost: f64,
    pub(super) random_page_cost: f64,
    pub(super) cpu_tuple_cost: f64,
    pub(super) cpu_index_tuple_cost: f64,
    pub(super) cpu_operator_cost: f64,
    /// In pages.
    pub(super) effective_cache_size: f64,
}

/// `reltuples` and `relpages` of `pg_class`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct TableSize {
    pub(super) rows: f64,
    pub(super) pages: f64,
}

/// A line of `pg_stats`; none of it for a column that was never analysed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ColumnStatistics {
    /// As there: negative is a share of the rows.
    pub(super) distinct: Option<f64>,
    pub(super) null_fraction: Option<f64>,
    pub(super) correlation: Option<f64>,
    /// Bytes.
    pub(super) width: Option<f64>,
}

/// A column of the index with how it is compared; none: only for its order.
pub(super) type IndexColumn = (ColumnStatistics, Option<Comparison>);

/// The planner's total cost of one scan of an index with these columns that fetches its rows from the table.
/// `filters` is how many conditions the table's scan checks now; those that the index does not answer remain.
/// `at_least` rows are known to pass all of them.
pub(super) fn index_scan_cost(
    prices: &Prices,
    table: TableSize,
    columns: &[IndexColumn],
    filters: usize,
    at_least: f64,
) -> f64 {
    let rows = table.rows.max(1.0);
    let selectivity = columns.iter().map(|(column, comparison)| selectivity(column, *comparison, rows)).product();
    let found = (rows * f64::max(selectivity, 0.0)).round().max(at_least).clamp(1.0, rows);
    let searches = columns
        .iter()
        .map(|(_, comparison)| if *comparison == Some(Comparison::AnyEqual) { ARRAY_LENGTH } else { 1.0 })
        .product::<f64>();
    let compared = columns.iter().filter(|(_, comparison)| comparison.is_some()).count();

    let entry = entry_bytes(columns);
    let index_pages = (rows * entry / (PAGE_BYTES * FILL)).ceil().max(1.0);
    let leaves = (found * index_pages / rows).ceil().max(searches.min(index_pages));
    let height = (index_pages.ln() / (PAGE_BYTES * FILL / entry).ln()).ceil().max(0.0);
    let descent = (rows.log2().ceil() + (height + 1.0) * PAGE_OPERATORS) * prices.cpu_operator_cost;
    let index = leaves * prices.random_page_cost
        + found * (prices.cpu_index_tuple_cost + compared as f64 * prices.cpu_operator_cost)
        + searches * descent;

    let most = pages_fetched(found, table.pages, prices.effective_cache_size) * prices.random_page_cost;
    let least_pages = (found / rows * table.pages).ceil().max(1.0);
    let least = prices.random_page_cost + (least_pages - 1.0) * prices.seq_page_cost;
    let correlation = columns.first().and_then(|(column, _)| column.correlation).unwrap_or(0.0);
    let correlation = if columns.len() > 1 { correlation * 0.75 } else { correlation };
    let pages = most + correlation * correlation * (least - most);
    let remaining = filters.saturating_sub(compared) as f64;
    index + pages + found * (prices.cpu_tuple_cost + remaining * prices.cpu_operator_cost)
}

fn selectivity(column: &ColumnStatistics, comparison: Option<Comparison>, rows: f64) -> f64 {
    let distinct = match column.distinct {
        Some(share) if share < 0.0 => -share * rows,
        Some(count) if count > 0.0 => count,
        _ => DISTINCT_VALUES.min(rows),
    };
    let one = (1.0 - column.null_fraction.unwrap_or(0.0)) / distinct.max(1.0);
    match comparison {
        None => 1.0,
        Some(Comparison::Equal) => one,
        Some(Comparison::AnyEqual) => (one * ARRAY_LENGTH).min(1.0),
        Some(Comparison::Range) => RANGE_SELECTIVITY,
    }
}

/// Bytes of one entry: header and values, aligned to eight, and the page's pointer to it.
fn entry_bytes(columns: &[IndexColumn]) -> f64 {
    let values: f64 = columns.iter().map(|(column, _)| column.width.unwrap_or(8.0)).sum();
    ((8.0 + values) / 8.0).ceil() * 8.0 + 4.0
}

/// Mackert and Lohman's approximation of how many different pages of `pages` hold `rows` rows in random places, with
/// a cache of `cache` pages (`index_pages_fetched`).
fn pages_fetched(rows: f64, pages: f64, cache: f64) -> f64 {
    let (pages, cache) = (pages.max(1.0), cache.max(1.0));
    let spread = 2.0 * pages * rows / (2.0 * pages + rows);
    if pages <= cache {
        return spread.min(pages).ceil();
    }
    let limit = 2.0 * pages * cache / (2.0 * pages - cache);
    if rows <= limit { spread.ceil() } else { (cache + (rows - limit) * (pages - cache) / pages).ceil() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const DEFAULTS: Prices = Prices {
        seq_page_cost: 1.0,
        random_page_cost: 4.0,
        cpu_tuple_cost: 0.01,
        cpu_index_tuple_cost: 0.005,
        cpu_operator_cost: 0.0025,
        effective_cache_size: 524_288.0,
    };

    fn unique(width: f64, correlation: f64) -> ColumnStatistics {
        ColumnStatistics {
            distinct: Some(-1.0),
            null_fraction: Some(0.0),
            correlation: Some(correlation),
            width: Some(width),
        }
    }

    /// PostgreSQL 15's own EXPLAIN says 8.31 for one row by the primary key of 50,000, a bigint.
    #[test]
    fn one_row_costs_what_the_planner_says() {
        let table = TableSize { rows: 50_000.0, pages: 368.0 };
        let cost = index_scan_cost(&DEFAULTS, table, &[(unique(8.0, 1.0), Some(Comparison::Equal))], 1, 0.0);
        assert!((cost - 8.31).abs() < 0.02, "{cost}");
    }

    #[test]
    fn more_rows_cost_more() {
        let table = TableSize { rows: 50_000.0, pages: 368.0 };
        let one = |distinct| {
            let column = ColumnStatistics { distinct: Some(distinct), ..unique(4.0, 0.0) };
            index_scan_cost(&DEFAULTS, table, &[(column, Some(Comparison::Equal))], 1, 0.0)
        };
        assert!(one(1000.0) < one(100.0) && one(100.0) < one(2.0));
        let unknown = [(ColumnStatistics::default(), Some(Comparison::Range))];
        assert!(index_scan_cost(&DEFAULTS, table, &unknown, 1, 0.0) > 16_667.0 * 0.01);
        // The planner knows from a histogram that all rows pass.
        assert!(index_scan_cost(&DEFAULTS, table, &unknown, 1, 50_000.0) > 50_000.0 * 0.01);
    }

    /// By hand: 2·100·50 / (200 + 50) = 40; never more than there are; beyond a cache of 50 pages the limit is
    /// 2·100·50 / (200 − 50) = 66.67 rows, and 50 + (200 − 66.67) · 50 / 100 = 116.67 pages.
    #[test]
    fn pages_follow_mackert_and_lohman() {
        assert_eq!(pages_fetched(50.0, 100.0, 1000.0), 40.0);
        assert_eq!(pages_fetched(1e9, 100.0, 1000.0), 100.0);
        assert_eq!(pages_fetched(200.0, 100.0, 50.0), 117.0);
    }
}
