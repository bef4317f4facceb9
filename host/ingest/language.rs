//! The language of a file, by its name. Owns the names that documents carry; what an index does with a
//! language is its own business.

/// Lower-case name of the language, none when the name does not tell.
pub(super) fn language_of(path: &str) -> Option<&'static str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name {
        "Dockerfile" | "Containerfile" => return Some("dockerfile"),
        "Makefile" | "makefile" | "GNUmakefile" => return Some("make"),
        "CMakeLists.txt" => return Some("cmake"),
        _ => {}
    }
    let (stem, extension) = name.rsplit_once('.')?;
    if stem.is_empty() {
        return None;
    }
    Some(match extension.to_ascii_lowercase().as_str() {
        "rs" => "rust",
        "py" | "pyi" | "pyw" => "python",
        "js" | "jsx" | "mjs" | "cjs" => "javascript",
        "ts" | "mts" | "cts" => "typescript",
        "tsx" => "tsx",
        "go" => "go",
        "java" => "java",
        "c" | "h" => "c",
        "cc" | "cpp" | "cxx" | "c++" | "hh" | "hpp" | "hxx" | "h++" | "inl" | "ipp" => "cpp",
        "md" | "markdown" | "mdx" => "markdown",
        "rst" => "restructuredtext",
        "txt" | "text" => "text",
        "cs" => "csharp",
        "rb" => "ruby",
        "php" => "php",
        "swift" => "swift",
        "kt" | "kts" => "kotlin",
        "scala" => "scala",
        "lua" => "lua",
        "pl" | "pm" => "perl",
        "r" => "r",
        "jl" => "julia",
        "hs" => "haskell",
        "ml" | "mli" => "ocaml",
        "ex" | "exs" => "elixir",
        "erl" | "hrl" => "erlang",
        "clj" | "cljs" | "cljc" => "clojure",
        "dart" => "dart",
        "zig" => "zig",
        "nim" => "nim",
        "sh" | "bash" | "zsh" => "shell",
        "ps1" => "powershell",
        "sql" => "sql",
        "html" | "htm" => "html",
        "css" => "css",
        "scss" | "sass" | "less" => "scss",
        "vue" => "vue",
        "svelte" => "svelte",
        "json" | "jsonl" => "json",
        "yaml" | "yml" => "yaml",
        "toml" => "toml",
        "xml" | "xsd" | "xsl" => "xml",
        "ini" | "cfg" | "conf" => "ini",
        "proto" => "protobuf",
        "graphql" | "gql" => "graphql",
        "wit" => "wit",
        "wat" => "wat",
        "tex" => "latex",
        "tf" => "terraform",
        "cmake" => "cmake",
        "mk" => "make",
        "asm" | "s" => "assembly",
        "cu" | "cuh" => "cuda",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::language_of;

    #[test]
    fn names_tell_languages() {
        for (path, language) in [
            ("host/lib.rs", Some("rust")),
            ("A.PY", Some("python")),
            ("web/app.tsx", Some("tsx")),
            ("include/list.h", Some("c")),
            ("deep/er/Makefile", Some("make")),
            ("README.md", Some("markdown")),
            ("archive.tar.unknown", None),
            ("LICENSE", None),
            (".py", None),
            ("folder.rs/file", None),
        ] {
            assert_eq!(language_of(path), language, "{path}");
        }
    }
}
