//! A run as Markdown.

use super::compare::ratios;
use super::{Part, Report, Row, failures, percent, seed, short};

/// Heading and rows of a table.
pub struct Table {
    pub title: &'static str,
    pub columns: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

pub fn page(report: &Report, earlier: Option<&Report>) -> String {
    let mut page = format!("{}\n", introduction(report));
    for note in &report.notes {
        page += &format!("\n- {note}");
    }
    page += "\n";
    for table in tables(report, earlier).into_iter().filter(|table| !table.rows.is_empty()) {
        let columns = table.columns.len();
        page += &format!("\n### {}\n\n| {} |\n|{}\n", table.title, table.columns.join(" | "), "---|".repeat(columns));
        for row in table.rows {
            let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
            page += &format!("| {} |\n", cells.join(" | "));
        }
    }
    page += &format!("\n{}\n", seed::HOW_TO_READ);
    page
}

/// Machine, corpus, and whether the figures are any.
pub fn introduction(report: &Report) -> String {
    let (machine, corpus) = (&report.machine, &report.corpus);
    let mut text = format!(
        "{}, {} cores, {:.1} GB, Linux {}; client and server share it.",
        machine.processor, machine.cores, machine.memory_gb, machine.kernel
    );
    if corpus.files > 0 {
        text +=
            &format!(" Indexed: {} files, {} chunks, {} MB.", corpus.files, corpus.chunks, short(corpus.content_mb));
    }
    if report.quick {
        text += " **A quick run: its figures mean little.**";
    }
    text
}

pub fn tables(report: &Report, earlier: Option<&Report>) -> Vec<Table> {
    let mut tables = vec![against_the_seed(report), committed()];
    tables.extend(earlier.map(|earlier| comparison(report, earlier)));
    tables.push(micro(report));
    tables.push(measured(report, Part::Open, "Open loop: due at a fixed rate"));
    tables.push(measured(report, Part::Load, "Users who wait"));
    tables.push(measured(report, Part::Day, "A mixed day"));
    tables.push(measured(report, Part::Http, "Every endpoint, closed loop"));
    let absent = report.absent.iter().map(|name| vec![name.clone()]).collect();
    tables.push(Table { title: "Not in this server", columns: vec!["endpoint"], rows: absent });
    tables
}

fn measured(report: &Report, part: Part, title: &'static str) -> Table {
    let columns = vec![
        "what",
        "state",
        "load",
        "requests",
        "offered/s",
        "served/s",
        "p50, ms",
        "p95",
        "p99",
        "max",
        "hits, %",
        "errors",
        "server, cores",
        "MB",
        "network, MB/s",
    ];
    let rows = report.rows.iter().filter(|row| row.part == part).map(cells).collect();
    Table { title, columns, rows }
}

fn cells(row: &Row) -> Vec<String> {
    let latency =
        |of: fn(&crate::tally::Latency) -> f64| row.latency.as_ref().map_or("–".into(), |all| short(of(all)));
    let used = |of: fn(&crate::machine::Use) -> f64| row.server.as_ref().map_or("–".into(), |used| short(of(used)));
    vec![
        row.name.clone(),
        row.state.clone(),
        row.load.clone(),
        row.requests.to_string(),
        row.offered.map_or("–".into(), short),
        short(row.served),
        latency(|all| all.p50),
        latency(|all| all.p95),
        latency(|all| all.p99),
        latency(|all| all.max),
        percent(row.hit_rate),
        failures(row),
        used(|used| used.cores),
        used(|used| used.resident_mb),
        used(|used| used.network_mb_s),
    ]
}

/// Ours that come nearest to what is claimed: open loop at the claimed rate, and the same users.
fn against_the_seed(report: &Report) -> Table {
    let mut rows = Vec::new();
    for claim in &seed::CLAIMS {
        rows.push(vec![
            format!("{}: the original's claim", claim.name),
            format!("at most {} by its own load test", short(claim.offers)),
            format!("{}+", claim.rate),
            format!("< {}", claim.p95),
            claim.hits.map_or("–".into(), |hits| format!("{hits}+")),
            "no measurement of it is stored".into(),
        ]);
        let ours = report.rows.iter().filter(|row| {
            matches!(row.part, Part::Open | Part::Load)
                && row.server.is_some()
                && row.name.split(' ').next() == Some(claim.name)
        });
        rows.extend(ours.map(|row| {
            vec![
                format!("{}: ours, {}, {}", claim.name, row.load, row.state),
                row.offered.map_or("–".into(), short),
                short(row.served),
                row.latency.map_or("–".into(), |latency| short(latency.p95)),
                percent(row.hit_rate),
                failures(row),
            ]
        }));
    }
    let columns = vec!["suite", "offered/s", "served/s", "p95, ms", "hits, %", "errors"];
    let rows = if report.rows.is_empty() { vec![] } else { rows };
    Table { title: "Beside what the original claims", columns, rows }
}

fn committed() -> Table {
    let rows = seed::COMMITTED.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect();
    Table { title: "What the original measured", columns: seed::COMMITTED_HEAD.to_vec(), rows }
}

fn micro(report: &Report) -> Table {
    let microseconds = |nanoseconds: f64| short(nanoseconds / 1e3);
    let rows = report.micro.iter().map(|micro| {
        vec![micro.name.clone(), microseconds(micro.median), microseconds(micro.low), microseconds(micro.high)]
    });
    Table { title: "Layers", columns: vec!["what", "median, µs", "from", "to (95 %)"], rows: rows.collect() }
}

fn comparison(report: &Report, earlier: &Report) -> Table {
    let ratio = |value: Option<f64>| value.map_or("–".into(), |value| format!("{value:.3}"));
    let rows = ratios(report, earlier).into_iter().map(|row| {
        let worse = if row.is_worse() { "worse" } else { "" };
        let failed = format!("{} → {}", row.failed.0, row.failed.1);
        vec![row.name, ratio(row.p50), ratio(row.p95), ratio(row.served), failed, worse.into()]
    });
    let columns = vec!["ratio to the earlier run", "p50 or median", "p95", "served", "errors", "by more than 10 %"];
    Table { title: "Compared", columns, rows: rows.collect() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{report, row};
    use super::*;

    #[test]
    fn a_bar_in_a_name_does_not_end_a_cell() {
        let page = page(&report(vec![row("a|b", 1.0)]), None);
        assert!(page.contains("| a\\|b | cold | 5 clients | 2 |"), "{page}");
    }

    #[test]
    fn the_claims_stand_above_ours() {
        let mut ours = row("search mix", 40.0);
        (ours.part, ours.offered, ours.server) = (Part::Open, Some(500.0), Some(Default::default()));
        let page = page(&report(vec![ours]), None);
        let claim = page.find("search: the original's claim").unwrap();
        assert!(claim < page.find("search: ours").unwrap() && page.contains("| 36.02 |"), "{page}");
    }

    #[test]
    fn worse_rows_are_marked() {
        let page = page(&report(vec![row("a", 12.0)]), Some(&report(vec![row("a", 10.0)])));
        assert!(page.contains("| a, cold, 5 clients | 1.200 | 1.200 | 1.000 | 0 → 0 | worse |"), "{page}");
    }
}
