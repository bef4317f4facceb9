//! Cuts source code at its definitions, with what stands directly above them: comments, attributes,
//! decorators. Works on whole lines, so that two definitions on one line share a chunk.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use tree_sitter::{Node, ParseOptions, ParseState, Parser, Tree};

use super::Symbol;
use super::grammar::Grammar;
use super::lines::Lines;
use super::pack::{Kind, Segment};

/// A text that takes longer is cut as prose. Generous: a megabyte of code parses in about a second.
const PARSE_LIMIT: Duration = Duration::from_secs(5);
/// Longer texts are data or generated code, where definitions are not worth a second of parsing.
const MAX_BYTES: usize = 4 << 20;
/// Definitions nested deeper than this many syntax nodes are left to the one that encloses them.
const MAX_DEPTH: usize = 64;
/// A longer name is not one.
const MAX_NAME: usize = 256;

struct Definition {
    /// Lines `first..end` from 0, attached comments included.
    first: usize,
    end: usize,
    /// Names between the enclosing definition and this one (the receiver of a method, a C++ scope).
    scope: Option<String>,
    name: Option<Symbol>,
    /// Adds to what is inside without defining the name itself.
    extends: bool,
    members: Vec<Definition>,
}

/// Segments that tile the document; none when it cannot be parsed or holds no definition.
pub(super) fn segments(grammar: &'static Grammar, content: &str, lines: &Lines) -> Option<Vec<Segment>> {
    let tree = parse(grammar, content)?;
    let collector = Collector { grammar, content, lines };
    let mut definitions = Vec::new();
    collector.members(tree.root_node(), None, 0, &mut definitions);
    if definitions.is_empty() {
        return None;
    }
    let mut segments = Vec::new();
    tile(0, lines.count(), definitions, &[], None, lines, &mut segments);
    Some(segments)
}

fn parse(grammar: &Grammar, content: &str) -> Option<Tree> {
    if content.len() > MAX_BYTES {
        return None;
    }
    let mut parser = Parser::new();
    parser.set_language(&(grammar.language)()).ok()?;
    let deadline = Instant::now() + PARSE_LIMIT;
    let mut progress = |_: &ParseState| match Instant::now() > deadline {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let bytes = content.as_bytes();
    let mut read = |offset: usize, _| bytes.get(offset..).unwrap_or_default();
    parser.parse_with_options(&mut read, None, Some(ParseOptions::new().progress_callback(&mut progress)))
}

struct Collector<'content> {
    grammar: &'static Grammar,
    content: &'content str,
    lines: &'content Lines,
}

impl<'content> Collector<'content> {
    /// `outer` is the wrapper whose extent belongs to a definition directly inside.
    fn collect<'tree>(&self, node: Node<'tree>, outer: Option<Node<'tree>>, depth: usize, into: &mut Vec<Definition>) {
        if depth > MAX_DEPTH {
            return;
        }
        let kind = node.kind();
        let container = self.grammar.containers.contains(&kind) || self.grammar.extensions.contains(&kind);
        let definition = container || self.grammar.leaves.contains(&kind) || binds_function(node);
        if definition && node.is_named() && has_body(node) {
            into.extend(self.definition(node, outer.unwrap_or(node), depth));
            return;
        }
        let wrapper = self.grammar.wrappers.contains(&kind) || kind == "expression_statement";
        if !wrapper && node.start_position().row == node.end_position().row && !holds_members(kind) {
            return;
        }
        let outer = if wrapper { outer.or(Some(node)) } else { None };
        self.members(node, outer, depth, into);
    }

    fn members<'tree>(&self, node: Node<'tree>, outer: Option<Node<'tree>>, depth: usize, into: &mut Vec<Definition>) {
        let mut cursor = node.walk();
        for child in node.named_children(&mut cursor) {
            self.collect(child, outer, depth + 1, into);
        }
    }

    fn definition(&self, node: Node<'_>, extent: Node<'_>, depth: usize) -> Option<Definition> {
        let first = self.first_line(extent);
        let end = last_row(extent) + 1;
        let kind = node.kind();
        let container = self.grammar.containers.contains(&kind) || self.grammar.extensions.contains(&kind);
        let mut members = Vec::new();
        // Members of small containers matter for their names; the inside of a function only when it must be cut.
        if container || Segment::is_oversize(first, end, self.lines) {
            self.members(node, None, depth, &mut members);
        }
        let (scope, name) = self.name(node);
        let line = node.start_position().row as u32 + 1;
        let extends = self.grammar.extensions.contains(&kind);
        if name.is_none() && members.is_empty() && extends {
            return None;
        }
        let name = name.map(|name| Symbol { name, line });
        Some(Definition { first, end, scope, name, extends, members })
    }

    /// The first line of a definition or of what is attached directly above it.
    fn first_line(&self, node: Node<'_>) -> usize {
        let mut first = node.start_position().row;
        let mut above = node.prev_sibling();
        while let Some(node) = above {
            let alone = {
                let start = node.start_byte();
                let line = self.lines.start(node.start_position().row);
                self.content.get(line..start).is_some_and(|before| before.trim().is_empty())
            };
            if !self.grammar.attached.contains(&node.kind()) || !alone || last_row(node) + 1 < first {
                break;
            }
            first = node.start_position().row;
            above = node.prev_sibling();
        }
        first
    }

    /// What encloses the name by its own spelling, and the name.
    fn name(&self, node: Node<'_>) -> (Option<String>, Option<String>) {
        if let Some(name) = node.child_by_field_name("name") {
            let receiver = node.child_by_field_name("receiver").and_then(|receiver| self.receiver(receiver));
            return (receiver, self.plain(name));
        }
        if let Some(target) = node.child_by_field_name("type").filter(|_| node.kind() == "impl_item") {
            return (None, self.plain(target));
        }
        if let Some(left) = node.child_by_field_name("left") {
            let property = left.child_by_field_name("property").unwrap_or(left);
            return (None, self.plain(property));
        }
        if let Some(property) = node.child_by_field_name("property") {
            return (None, self.plain(property));
        }
        let mut declarator = node;
        while let Some(inner) = inner_declarator(declarator) {
            declarator = inner;
        }
        if declarator == node {
            return (None, None);
        }
        let mut scope = None;
        while let ("qualified_identifier", Some(name)) = (declarator.kind(), declarator.child_by_field_name("name")) {
            scope = declarator.child_by_field_name("scope").and_then(|scope| self.plain(scope)).or(scope);
            declarator = name;
        }
        (scope, self.plain(declarator))
    }

    /// The type's name in `(s *Server[T])`.
    fn receiver(&self, node: Node<'_>) -> Option<String> {
        let text = self.content.get(node.byte_range())?.trim_matches(['(', ')']);
        let text = text.split('[').next()?.trim_end();
        let name = text.rsplit([' ', '*', '\t']).next()?;
        (!name.is_empty()).then(|| name.to_owned())
    }

    /// A name without its generic arguments.
    fn plain(&self, node: Node<'_>) -> Option<String> {
        let text = self.content.get(node.byte_range())?;
        let operator = text.starts_with("operator");
        let text = if operator { text } else { text.split(['<', '(']).next()? };
        let text = text.trim_start_matches(['&', '*', '\'', '"']).trim_end_matches(['\'', '"']).trim();
        (!text.is_empty() && text.len() <= MAX_NAME && !text.contains('\n')).then(|| text.to_owned())
    }
}

/// `name = function`, in the forms that JavaScript and TypeScript have for it.
fn binds_function(node: Node<'_>) -> bool {
    let field = match node.kind() {
        "variable_declarator" | "field_definition" | "public_field_definition" => "value",
        "assignment_expression" => "right",
        _ => return false,
    };
    let kinds = ["arrow_function", "function_expression", "generator_function", "class"];
    node.child_by_field_name(field).is_some_and(|value| kinds.contains(&value.kind()))
}

/// Whether a node on one line is worth a look inside: expressions are not, and there are many of them.
fn holds_members(kind: &str) -> bool {
    kind.ends_with("_body") || kind.ends_with("_list") || kind.ends_with("block") || kind.ends_with("_declarations")
}

/// A mention of a C type (`struct point p`) is no definition of it.
fn has_body(node: Node<'_>) -> bool {
    !node.kind().ends_with("_specifier") || node.child_by_field_name("body").is_some()
}

fn inner_declarator(node: Node<'_>) -> Option<Node<'_>> {
    let wraps = matches!(node.kind(), "reference_declarator" | "parenthesized_declarator" | "attributed_declarator");
    node.child_by_field_name("declarator").or_else(|| node.named_child(0).filter(|_| wraps))
}

/// The last row that a node has text on: a node that ends with a line end does not reach the next row.
fn last_row(node: Node<'_>) -> usize {
    let (start, end) = (node.start_position().row, node.end_position());
    if end.column == 0 && end.row > start { end.row - 1 } else { end.row }
}

/// Covers the lines `first..end` with the definitions and what is between them. `owner` is the name
/// that the first segment defines when these are the members of a container.
fn tile(
    first: usize,
    end: usize,
    mut definitions: Vec<Definition>,
    parents: &[String],
    mut owner: Option<Symbol>,
    lines: &Lines,
    segments: &mut Vec<Segment>,
) {
    let begin = segments.len();
    definitions.sort_by_key(|definition| (definition.first, std::cmp::Reverse(definition.end)));
    let mut at = first;
    for definition in definitions {
        let stop = definition.end.min(end);
        let start = definition.first.max(at);
        if start >= stop {
            // It shares its only line with the one before.
            if let Some(last) = segments[begin..].last_mut() {
                last.symbols.extend(definition.name.filter(|_| !definition.extends));
            }
            continue;
        }
        if at < start {
            segments.push(between(at, start, parents, owner.take()));
        }
        let mut enclosing = parents.to_vec();
        enclosing.extend(definition.scope);
        let cut = !definition.members.is_empty() && Segment::is_big(start, stop, lines);
        if cut || definition.extends {
            enclosing.extend(definition.name.iter().map(|symbol| symbol.name.clone()));
        }
        if cut {
            let owner = definition.name.filter(|_| !definition.extends);
            tile(start, stop, definition.members, &enclosing, owner, lines, segments);
        } else {
            let mut symbols: Vec<Symbol> = definition.name.filter(|_| !definition.extends).into_iter().collect();
            names_inside(definition.members, &mut symbols);
            segments.push(Segment { first: start, end: stop, parents: enclosing, symbols, kind: Kind::Definition });
        }
        if let (Some(owner), Some(first)) = (owner.take(), segments.get_mut(begin)) {
            first.symbols.insert(0, owner);
        }
        at = stop;
    }
    if at < end {
        segments.push(between(at, end, parents, owner.take()));
    }
}

/// What is between definitions; the first such piece of a container is its header and defines its name.
fn between(first: usize, end: usize, parents: &[String], owner: Option<Symbol>) -> Segment {
    let depth = parents.len() - usize::from(owner.is_some());
    let parents = parents[..depth.min(parents.len())].to_vec();
    Segment { first, end, parents, symbols: owner.into_iter().collect(), kind: Kind::Loose }
}

fn names_inside(members: Vec<Definition>, symbols: &mut Vec<Symbol>) {
    for member in members {
        symbols.extend(member.name.filter(|_| !member.extends));
        names_inside(member.members, symbols);
    }
}
