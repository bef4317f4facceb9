//! Reads the plans that EXPLAIN (VERBOSE, FORMAT JSON) prints: where it reads a whole table to find some of its
//! rows, which index would spare that, and what the plan would cost with a cheaper way to them. Pure; asks no
//! database.

use serde_json::Value;

use super::condition::{Comparison, Condition, conditions, sort_column};

/// A key of more columns is rarely worth its writes.
const MOST_COLUMNS: usize = 4;

/// A table that a plan reads from one end to the other, though it looks for some of its rows.
pub(super) struct Scan<'plan> {
    /// From the root to the scan.
    nodes: Vec<&'plan Value>,
    schema: &'plan str,
    table: &'plan str,
    /// What the scan itself checks.
    filter: Vec<Condition>,
    /// The join above it.
    join: Option<Join<'plan>>,
    /// The order in which a sort above it puts the rows for a limit; empty without both.
    order: Vec<String>,
}

struct Join<'plan> {
    /// Its place among the nodes.
    at: usize,
    /// What it checks of the table.
    conditions: Vec<Condition>,
    /// Where the rows come from that look for theirs in the table.
    other: &'plan Value,
}

/// One column of a proposed index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// None: only for its order.
    pub(super) comparison: Option<Comparison>,
}

/// An index for one scan, not checked yet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Proposal {
    pub(super) schema: String,
    pub(super) table: String,
    pub(super) columns: Vec<Column>,
    /// How often the plan would look something up in it.
    pub(super) lookups: f64,
    /// Rows that the planner expects each lookup to find, or more.
    pub(super) at_least: f64,
    /// Whether the lookups are for the rows of a join's other side.
    joins: bool,
    /// Whether rows come in the order that the plan wants, which spares its sort.
    pub(super) ordered: bool,
}

impl Proposal {
    pub(super) fn column_names(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }
}

/// The node at the top of what EXPLAIN printed.
pub(super) fn root(explained: &Value) -> &Value {
    explained.get(0).unwrap_or(explained).get("Plan").unwrap_or(&Value::Null)
}

/// What the planner expects a node to cost until its last row.
pub(super) fn total_cost(node: &Value) -> f64 {
    number(node, "Total Cost")
}

/// Whether any node of the plan uses this index.
pub(super) fn uses_index(node: &Value, index: &str) -> bool {
    text(node, "Index Name") == Some(index) || children(node).iter().any(|child| uses_index(child, index))
}

/// All scans of whole tables that an index might spare.
pub(super) fn scans(root: &Value) -> Vec<Scan<'_>> {
    let mut found = Vec::new();
    walk(vec![root], &mut found);
    found
}

fn walk<'plan>(nodes: Vec<&'plan Value>, found: &mut Vec<Scan<'plan>>) {
    let Some(&node) = nodes.last() else { return };
    for child in children(node) {
        let mut below = nodes.clone();
        below.push(child);
        walk(below, found);
    }
    if text(node, "Node Type") == Some("Seq Scan") {
        found.extend(Scan::new(nodes));
    }
}

impl<'plan> Scan<'plan> {
    fn new(nodes: Vec<&'plan Value>) -> Option<Self> {
        let scan: &'plan Value = nodes.last()?;
        let (schema, table, alias) = (text(scan, "Schema")?, text(scan, "Relation Name")?, text(scan, "Alias")?);
        let filter = text(scan, "Filter").map(|filter| conditions(filter, alias)).unwrap_or_default();
        let join = Join::above(&nodes, alias);
        let order = order(&nodes, alias);
        Some(Self { schema, table, filter, join, order, nodes })
    }

    /// Indexes that might help, those for the scan's own conditions first.
    pub(super) fn proposals(&self) -> Vec<Proposal> {
        let mut proposals = Vec::new();
        let passed = self.nodes.last().map_or(0.0, |scan| number(scan, "Plan Rows"));
        let mut propose = |proposal: Proposal| {
            if (1..=MOST_COLUMNS).contains(&proposal.columns.len()) && !proposals.contains(&proposal) {
                proposals.push(proposal);
            }
        };
        // One lookup, for the scan's own conditions.
        let plain = |columns| Proposal {
            schema: self.schema.to_owned(),
            table: self.table.to_owned(),
            columns,
            lookups: 1.0,
            at_least: passed,
            joins: false,
            ordered: false,
        };
        let equal = distinct(self.filter.iter().filter(|condition| condition.comparison.is_equality()));
        let ranges = distinct(self.filter.iter().filter(|condition| !condition.comparison.is_equality()));
        let range = ranges.iter().find(|range| equal.iter().all(|column| column.name != range.name));
        propose(plain(equal.iter().chain(range).cloned().collect()));
        if !self.order.is_empty() && !equal.iter().any(|column| column.comparison == Some(Comparison::AnyEqual)) {
            let order = self.order.iter().filter(|name| equal.iter().all(|column| column.name != **name));
            let order = order.map(|name| Column {
                name: name.clone(),
                // A limit of the same column tells where to begin.
                comparison: ranges.iter().find(|range| range.name == *name).and_then(|range| range.comparison),
            });
            propose(Proposal { ordered: true, ..plain(equal.iter().cloned().chain(order).collect()) });
        }
        if let Some(join) = &self.join {
            let joined = join.conditions.iter().filter(|condition| condition.comparison == Comparison::Equal);
            let more =
                distinct(joined).into_iter().filter(|column| equal.iter().all(|known| known.name != column.name));
            let more: Vec<Column> = more.collect();
            if !more.is_empty() {
                let lookups = number(join.other, "Plan Rows").max(1.0);
                let columns = equal.iter().cloned().chain(more).collect();
                propose(Proposal { lookups, at_least: 0.0, joins: true, ..plain(columns) });
            }
        }
        proposals
    }

    /// How many conditions the plan checks for each row that it reads.
    pub(super) fn filters(&self) -> usize {
        self.filter.len()
    }

    /// What the whole plan would cost if all lookups of the proposal cost `cost` together. Above them, every node
    /// keeps what it adds; where a node stops early, it keeps the share of its child that it takes.
    pub(super) fn plan_cost_with(&self, proposal: &Proposal, cost: f64) -> f64 {
        let (mut after, begin) = match &self.join {
            // Instead of the join, a nested loop.
            Some(join) if proposal.joins => (total_cost(join.other) + cost, join.at),
            _ => (cost, self.nodes.len() - 1),
        };
        let mut streams = true;
        for pair in self.nodes[..=begin].windows(2).rev() {
            let [parent, child] = pair else { break };
            let (above, below) = (total_cost(parent), total_cost(child));
            match text(parent, "Node Type") {
                // The index has the order already.
                Some("Sort") if proposal.ordered => continue,
                Some("Limit") if streams => after *= share(number(parent, "Plan Rows"), number(child, "Plan Rows")),
                _ if above >= below => after += above - below,
                _ => after *= share(above, below),
            }
            streams &= !matches!(text(parent, "Node Type"), Some("Sort" | "Aggregate" | "Hash" | "Materialize"));
        }
        after
    }
}

impl<'plan> Join<'plan> {
    /// The nearest one that has conditions on the table.
    fn above(nodes: &[&'plan Value], alias: &str) -> Option<Self> {
        let parts = ["Hash Cond", "Merge Cond", "Join Filter"];
        for (at, pair) in nodes.windows(2).enumerate().rev() {
            let [join, side] = pair else { break };
            let found: Vec<Condition> =
                parts.iter().filter_map(|part| text(join, part)).flat_map(|part| conditions(part, alias)).collect();
            if !found.is_empty() {
                let other = children(join).iter().find(|child| !std::ptr::eq(*child, *side))?;
                return Some(Self { at, conditions: found, other });
            }
        }
        None
    }
}

/// The sort key, when the scan's rows go straight into a sort for a limit, and all of it is columns of the table in
/// one direction.
fn order(nodes: &[&Value], alias: &str) -> Vec<String> {
    let [.., limit, sort, _] = nodes else { return vec![] };
    if text(limit, "Node Type") != Some("Limit") || text(sort, "Node Type") != Some("Sort") {
        return vec![];
    }
    let keys = sort.get("Sort Key").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let columns: Option<Vec<(String, bool)>> =
        keys.iter().map(|key| key.as_str().and_then(|key| sort_column(key, alias))).collect();
    match columns {
        Some(columns) if columns.windows(2).all(|pair| pair[0].1 == pair[1].1) => {
            columns.into_iter().map(|(name, _)| name).collect()
        }
        _ => vec![],
    }
}

/// Each column once.
fn distinct<'plan>(conditions: impl Iterator<Item = &'plan Condition>) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for Condition { column, comparison } in conditions {
        if columns.iter().all(|known| known.name != *column) {
            columns.push(Column { name: column.clone(), comparison: Some(*comparison) });
        }
    }
    columns
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole).clamp(0.0, 1.0) } else { 1.0 }
}

fn children(node: &Value) -> &[Value] {
    node.get("Plans").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'plan>(node: &'plan Value, key: &str) -> Option<&'plan str> {
    node.get(key).and_then(Value::as_str)
}

fn number(node: &Value, key: &str) -> f64 {
    node.get(key).and_then(Value::as_f64).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use serde_json::json;

    use super::*;

    fn scan(filter: &str) -> Value {
        json!({
            "Node Type": "Seq Scan", "Schema": "public", "Relation Name": "docs", "Alias": "d",
            "Total Cost": 1000.0, "Plan Rows": 500.0, "Filter": filter,
        })
    }

    fn proposed(plan: &Value) -> Vec<(String, f64, bool)> {
        let proposals = scans(plan).iter().flat_map(Scan::proposals).collect::<Vec<_>>();
        proposals.iter().map(|found| (found.column_names().join(","), found.lookups, found.ordered)).collect()
    }

    #[test]
    fn equalities_come_before_a_range() {
        let plan = scan("((d.seq > $1) AND (d.path = $2) AND (d.size < 5) AND (d.root = ANY ($3)))");
        assert_eq!(proposed(&plan), [("path,root,seq".to_owned(), 1.0, false)]);
        assert_eq!(proposed(&scan("(d.path ~~ $1)")), []);
        assert_eq!(proposed(&json!(null)), []);
    }

    #[test]
    fn a_sort_for_a_limit_wants_an_order() {
        let sort = json!({"Node Type": "Sort", "Sort Key": ["d.seq"], "Total Cost": 1200.0, "Plan Rows": 500.0,
            "Plans": [scan("((d.seq > $1) AND (d.root = $2))")]});
        let plan = json!({"Node Type": "Limit", "Total Cost": 1150.0, "Plan Rows": 50.0, "Plans": [sort]});
        // Both have the same columns; only one counts on the order.
        let expected = [("root,seq".to_owned(), 1.0, false), ("root,seq".to_owned(), 1.0, true)];
        assert_eq!(proposed(&plan), expected);
        let scan = &scans(&plan)[0];
        let proposals = scan.proposals();
        // With order: a tenth of the 100 that all rows cost. Without: 100 + 200 for the sort, of which the limit
        // takes 1150 / 1200.
        assert_eq!(scan.plan_cost_with(&proposals[1], 100.0), 10.0);
        assert_eq!(scan.plan_cost_with(&proposals[0], 100.0), 287.5);
    }

    #[test]
    fn a_join_looks_up_once_for_each_partner() {
        let other = json!({"Node Type": "Function Scan", "Total Cost": 0.5, "Plan Rows": 10.0});
        let hash = json!({"Node Type": "Hash", "Total Cost": 1000.0, "Plan Rows": 500.0,
            "Plans": [scan("(d.live = $1)")]});
        let join = json!({"Node Type": "Hash Join", "Hash Cond": "((d.root = u.r) AND (d.path = u.p))",
            "Total Cost": 1530.0, "Plan Rows": 1.0, "Plans": [other, hash]});
        let plan = json!({"Node Type": "ModifyTable", "Total Cost": 1532.0, "Plan Rows": 0.0, "Plans": [join]});
        let expected = [("live".to_owned(), 1.0, false), ("live,root,path".to_owned(), 10.0, false)];
        assert_eq!(proposed(&plan), expected);
        let scan = &scans(&plan)[0];
        let proposals = scan.proposals();
        // Only the scan is replaced; the join and all above it by a nested loop.
        assert_eq!(scan.plan_cost_with(&proposals[0], 83.0), 615.0);
        assert_eq!(scan.plan_cost_with(&proposals[1], 83.0), 85.5);
    }
}
