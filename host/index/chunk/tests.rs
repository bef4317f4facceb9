#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

/// Every byte in exactly one chunk, line ranges in step with byte ranges.
fn check_tiling(content: &str, chunks: &[Chunk]) {
    assert!(!chunks.is_empty());
    assert_eq!((chunks[0].start, chunks[0].first_line), (0, 1));
    assert_eq!(chunks[chunks.len() - 1].end as usize, content.len());
    for pair in chunks.windows(2) {
        assert_eq!(pair[0].end, pair[1].start);
        assert_eq!(pair[0].last_line + 1, pair[1].first_line);
    }
    for chunk in chunks {
        let text = &content[chunk.start as usize..chunk.end as usize];
        let lines = text.matches('\n').count() + usize::from(!text.ends_with('\n'));
        assert_eq!((chunk.last_line - chunk.first_line + 1) as usize, lines.max(1), "{chunk:?}");
    }
}

fn cut_checked(language: &str, content: &str) -> Vec<Chunk> {
    let cut = cut(Some(language), content);
    check_tiling(content, &cut.chunks);
    cut.chunks
}

/// `parents/own` names of each chunk that has any.
fn names(chunks: &[Chunk]) -> Vec<String> {
    let own = |chunk: &Chunk| chunk.symbols.iter().map(|symbol| symbol.name.clone()).collect::<Vec<_>>().join(",");
    chunks
        .iter()
        .filter(|chunk| !chunk.symbols.is_empty())
        .map(|chunk| format!("{}/{}", chunk.parents.join("."), own(chunk)))
        .collect()
}

fn body(lines: usize, line: &str) -> String {
    format!("{line}\n").repeat(lines)
}

#[test]
fn rust_is_cut_at_functions_with_their_comments_and_attributes() {
    let filler = body(10, "    let _x = 1;");
    let content =
        format!("use std::io;\n\n/// Opens.\n#[inline]\npub fn open() {{\n{filler}}}\n\nfn close() {{\n{filler}}}\n");
    let chunks = cut_checked("rust", &content);
    assert_eq!(names(&chunks), ["/open", "/close"]);
    let open = chunks.iter().find(|chunk| chunk.symbols[..].iter().any(|symbol| symbol.name == "open")).unwrap();
    assert_eq!(open.symbols[0].line, 5);
    assert!(content[open.start as usize..open.end as usize].contains("/// Opens."));
}

#[test]
fn a_big_impl_is_cut_at_its_methods_and_a_small_one_stays_whole() {
    let filler = body(25, "        let _x = 1;");
    let big = format!(
        "struct Index;\n\nimpl<T> Index<T> {{\n    fn open() {{\n{filler}    }}\n\n    fn close() {{\n{filler}    }}\n}}\n"
    );
    assert_eq!(names(&cut_checked("rust", &big)), ["/Index", "Index/open", "Index/close"]);
    let small = "impl Index {\n    fn open() {}\n\n    fn close() {}\n}\n";
    assert_eq!(names(&cut_checked("rust", small)), ["Index/open,close"]);
}

#[test]
fn a_big_python_class_has_its_header_as_a_chunk() {
    let filler = body(25, "        x = 1");
    let content = format!(
        "@decorated\nclass Store(Base):\n    \"\"\"Keeps.\"\"\"\n    kind = 1\n\n    @property\n    def size(self):\n{filler}\n    def get(self):\n{filler}"
    );
    let chunks = cut_checked("python", &content);
    assert_eq!(names(&chunks), ["/Store", "Store/size", "Store/get"]);
    assert_eq!(chunks[0].first_line, 1);
    assert!(content[chunks[1].start as usize..].starts_with("    @property"));
}

#[test]
fn each_language_names_its_definitions() {
    let check = |language: &str, content: &str, expect: &[&str]| {
        let chunks = cut_checked(language, content);
        let found: Vec<String> = chunks.iter().flat_map(Chunk::names).collect();
        assert_eq!(found, expect, "{language}");
    };
    check(
        "javascript",
        "export const add = (a, b) => a + b;\nclass A { run() {} }\nexports.sub = function () {}\n",
        &["add", "A", "run", "sub"],
    );
    check(
        "typescript",
        "export interface Shape { area(): number }\ntype Id = string;\nenum Kind { A }\nabstract class B { go(): void {} }\n",
        &["Shape", "Id", "Kind", "B", "go"],
    );
    check("tsx", "export function App() { return <div/>; }\n", &["App"]);
    check(
        "go",
        "package a\n\ntype Server struct{}\n\nfunc (s *Server) Run() {}\n\nfunc Main() {}\n",
        &["Server", "Server", "Run", "Main"],
    );
    check("java", "class A {\n  A() {}\n  void run() {}\n}\ninterface B {}\n", &["A", "run", "B"]);
    check(
        "c",
        "#define LIMIT 3\nstruct point { int x; };\nstatic int *add(int a) { return 0; }\n",
        &["LIMIT", "point", "add"],
    );
    check(
        "cpp",
        "namespace n {\ntemplate <class T> class A { void f() {} };\n}\nint A::g() { return 1; }\n",
        &["n", "A", "f", "A", "g"],
    );
}

#[test]
fn an_oversize_function_is_split_at_lines() {
    let content = format!("fn long() {{\n{}}}\n", body(400, "    let _x = 1;"));
    let chunks = cut_checked("rust", &content);
    assert!(chunks.len() >= 4 && chunks.iter().all(|chunk| chunk.last_line - chunk.first_line < 120), "{chunks:?}");
    assert_eq!(names(&chunks), ["/long"]);
}

#[test]
fn many_one_line_definitions_share_chunks() {
    let content: String = (0..90).map(|number| format!("pub const C{number}: u8 = 1;\n")).collect();
    let chunks = cut_checked("rust", &content);
    assert!((2..=5).contains(&chunks.len()), "{}", chunks.len());
    assert_eq!(chunks.iter().map(|chunk| chunk.symbols.len()).sum::<usize>(), 90);
}

#[test]
fn markdown_is_cut_at_headings_outside_fences() {
    let long = body(12, "Words of prose that fill a line of the section, and then some more of them.");
    let content = format!("# Title #\n\n{long}\n## First\n\n{long}\n```\n# no heading\n```\n\n## Second\n\n{long}");
    let cut = cut(Some("markdown"), &content);
    check_tiling(&content, &cut.chunks);
    assert_eq!(cut.title.as_deref(), Some("Title"));
    let starts: Vec<&str> =
        cut.chunks.iter().map(|chunk| content[chunk.start as usize..].lines().next().unwrap()).collect();
    assert_eq!(starts, ["# Title #", "## First", "## Second"]);
}

#[test]
fn underlined_headings_are_titles() {
    assert_eq!(cut(Some("restructuredtext"), "=====\nGuide\n=====\n\nText.\n").title.as_deref(), Some("Guide"));
    assert_eq!(cut(Some("markdown"), "Guide\n=====\n\nText.\n").title.as_deref(), Some("Guide"));
    assert_eq!(cut(Some("markdown"), "a | b\n\n---\n\nText.\n").title, None);
}

#[test]
fn a_plain_abstract_is_one_chunk() {
    let content = "experimental investigation of the aerodynamics of a wing in a slipstream .\n".repeat(15);
    assert_eq!(cut_checked("text", &content).len(), 1);
}

#[test]
fn odd_texts_are_tiled_in_every_language() {
    let megabyte = "x".repeat(1 << 20);
    let deep = "(".repeat(20_000);
    let nested = "fn a() { ".repeat(3_000);
    let texts = [
        "",
        "\n",
        "\r\n\r\n",
        "a",
        "a\r\nb\r\n",
        "\0\0\0\n\0",
        "fn a() {}\r\nfn b() {}",
        "\u{feff}# BOM\n",
        "💡 fn ключ() { 漢字 }\n\n\n\n",
        "class A:\n\tdef b(self): pass\n  def c",
        "}}}}{{{{((((\n#if 0\n\"unterminated",
        "fn a(){} fn b(){} fn c(){}\nfn d(){}",
        "\u{2028}\u{85}\u{b}\u{c}\n",
        &megabyte,
        &deep,
        &nested,
    ];
    let languages = [
        "rust",
        "python",
        "javascript",
        "typescript",
        "tsx",
        "go",
        "java",
        "c",
        "cpp",
        "markdown",
        "restructuredtext",
        "text",
    ];
    for text in texts {
        for language in languages {
            cut_checked(language, text);
        }
        check_tiling(text, &cut(None, text).chunks);
    }
}
