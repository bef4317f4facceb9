//! A run as one page that needs nothing else: no script, no font, no network. Light and dark as the reader's system has
//! it.

use std::fmt::Write;

use super::markdown::{introduction, tables};
use super::svg::{Line, escaped, lines};
use super::{Part, Report, Row, seed};

const STYLE: &str = "
:root { color-scheme: light dark; --text: #1c1c1e; --back: #fdfdfc; --grid: #d5d5d2; --worse: #b3261e;
  --c0: #0b62a4; --c1: #b3541e; --c2: #2b7a3d; --c3: #7b3fa0; --c4: #8a6d00; --c5: #a02050; }
@media (prefers-color-scheme: dark) { :root { --text: #ececea; --back: #161618; --grid: #3a3a3d; --worse: #ff8a80;
  --c0: #6fb7f2; --c1: #f2a36b; --c2: #7fd08f; --c3: #c79be8; --c4: #e0c25a; --c5: #f08aae; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); margin: 2rem auto;
  max-width: 75rem; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { border-bottom: 1px solid var(--grid); padding: .2rem .6rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
tr.worse td { color: var(--worse); font-weight: 600; }
figure { margin: 1.5rem 0; max-width: 48rem; }
figcaption { font-weight: 600; }
svg text { fill: var(--text); font-size: 11px; }
svg .grid { stroke: var(--grid); }
svg polyline { fill: none; stroke-width: 2; }
svg .later { stroke-dasharray: 5 4; fill-opacity: .3; }
";

pub fn page(report: &Report, earlier: Option<&Report>) -> String {
    let mut colours = String::new();
    for number in 0..6 {
        // Writing to a text does not fail.
        let _ = write!(colours, "svg .c{number} {{ stroke: var(--c{number}); }} ");
        let _ = writeln!(colours, "svg circle.c{number}, svg rect.c{number} {{ fill: var(--c{number}); }}");
    }
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Corsac: benchmark</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}{colours}</style></head><body>\
         <h1>Corsac: benchmark</h1><p>{}</p>",
        escaped(&introduction(report)).replace("**", "")
    );
    if !report.notes.is_empty() {
        let notes: String = report.notes.iter().map(|note| format!("<li>{}</li>", escaped(note))).collect();
        let _ = write!(page, "<ul>{notes}</ul>");
    }
    page += &charts(report);
    for table in tables(report, earlier).into_iter().filter(|table| !table.rows.is_empty()) {
        let head: String = table.columns.iter().map(|column| format!("<th>{}</th>", escaped(column))).collect();
        let _ = write!(page, "<h2>{}</h2><div class=\"wide\"><table><tr>{head}</tr>", escaped(table.title));
        for row in table.rows {
            let worse = if row.last().is_some_and(|cell| cell == "worse") { " class=\"worse\"" } else { "" };
            let cells: String = row.iter().map(|cell| format!("<td>{}</td>", escaped(cell))).collect();
            let _ = write!(page, "<tr{worse}>{cells}</tr>");
        }
        page += "</table></div>";
    }
    let _ = write!(page, "<p>{}</p></body></html>", escaped(seed::HOW_TO_READ));
    page
}

/// Latency and throughput over the number of clients, for the endpoints that depend on a text.
fn charts(report: &Report) -> String {
    let mut charts = String::new();
    for state in ["cold", "warm"] {
        let rows: Vec<&Row> = report.rows.iter().filter(|row| row.part == Part::Http && row.state == state).collect();
        let title = |what: &str| format!("{what}, {state}, by clients");
        charts += &chart(&title("p95"), "ms", &rows, |row| Some(row.latency?.p95));
        charts += &chart(&title("Answers a second"), "/s", &rows, |row| Some(row.served));
        charts += &chart(&title("Processors that the server kept busy"), "", &rows, |row| Some(row.server?.cores));
    }
    charts
}

fn chart(title: &str, unit: &str, rows: &[&Row], value: fn(&Row) -> Option<f64>) -> String {
    let (mut loads, mut names): (Vec<String>, Vec<&str>) = (Vec::new(), Vec::new());
    for row in rows {
        if !loads.contains(&row.load) {
            loads.push(row.load.clone());
        }
        if !names.contains(&row.name.as_str()) {
            names.push(&row.name);
        }
    }
    let of = |name: &str, load: &String| rows.iter().find(|row| row.name == name && row.load == *load);
    let values = |name: &str| loads.iter().map(|load| of(name, load).and_then(|row| value(row))).collect();
    let all: Vec<Line> = names.iter().map(|name| Line { name: (*name).into(), values: values(name) }).collect();
    lines(title, unit, &loads, &all)
}
