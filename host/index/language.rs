//! Which language a path is written in, and which file types a language has. Knows names only: whether
//! a language can be cut at its definitions is the chunker's business.

/// Language name, its file extensions, and file names that are written in it.
type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

const LANGUAGES: &[Row] = &[
    ("rust", &["rs"], &[]),
    ("python", &["py", "pyi", "pyw"], &["sconstruct", "sconscript", "wscript"]),
    ("javascript", &["js", "jsx", "mjs", "cjs"], &[]),
    ("typescript", &["ts", "mts", "cts"], &[]),
    ("tsx", &["tsx"], &[]),
    ("go", &["go"], &[]),
    ("java", &["java"], &[]),
    ("c", &["c", "h"], &[]),
    ("cpp", &["cc", "cpp", "cxx", "c++", "hh", "hpp", "hxx", "h++", "ipp", "inl", "cu", "cuh"], &[]),
    ("csharp", &["cs"], &[]),
    ("kotlin", &["kt", "kts"], &[]),
    ("scala", &["scala", "sc"], &[]),
    ("swift", &["swift"], &[]),
    ("ruby", &["rb", "rake", "gemspec"], &["rakefile", "gemfile", "vagrantfile"]),
    ("php", &["php"], &[]),
    ("perl", &["pl", "pm"], &[]),
    ("lua", &["lua"], &[]),
    ("haskell", &["hs", "lhs"], &[]),
    ("ocaml", &["ml", "mli"], &[]),
    ("elixir", &["ex", "exs"], &[]),
    ("erlang", &["erl", "hrl"], &[]),
    ("clojure", &["clj", "cljs", "cljc", "edn"], &[]),
    ("r", &["r"], &[]),
    ("julia", &["jl"], &[]),
    ("zig", &["zig"], &[]),
    ("dart", &["dart"], &[]),
    ("shell", &["sh", "bash", "zsh", "fish", "ksh"], &[".bashrc", ".profile", ".zshrc"]),
    ("powershell", &["ps1", "psm1"], &[]),
    ("sql", &["sql"], &[]),
    ("wit", &["wit"], &[]),
    ("wat", &["wat", "wast"], &[]),
    ("assembly", &["s", "asm"], &[]),
    ("html", &["html", "htm", "xhtml"], &[]),
    ("css", &["css", "scss", "sass", "less"], &[]),
    ("xml", &["xml", "xsd", "xsl", "svg"], &[]),
    ("json", &["json", "jsonl", "ndjson", "json5"], &[]),
    ("yaml", &["yaml", "yml"], &[]),
    ("toml", &["toml"], &["cargo.lock"]),
    ("ini", &["ini", "cfg", "conf", "properties"], &[".gitconfig", ".editorconfig"]),
    ("protobuf", &["proto"], &[]),
    ("make", &["mk", "mak"], &["makefile", "gnumakefile"]),
    ("cmake", &["cmake"], &["cmakelists.txt"]),
    ("dockerfile", &["dockerfile"], &["dockerfile", "containerfile"]),
    ("markdown", &["md", "markdown", "mdx", "mkd"], &[]),
    ("restructuredtext", &["rst", "rest"], &[]),
    ("asciidoc", &["adoc", "asciidoc"], &[]),
    ("latex", &["tex", "sty", "cls"], &[]),
    ("text", &["txt", "text"], &["license", "readme", "notice", "authors", "changelog", "copying"]),
];

/// The last part of a path with `/` between parts.
pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The extension of a path, lower case, without its dot. A leading dot starts a name, not an extension.
pub fn extension(path: &str) -> Option<String> {
    match file_name(path).rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && !extension.is_empty() => Some(extension.to_lowercase()),
        _ => None,
    }
}

/// The language that a path is written in by its file name or extension, in lower case.
pub fn language_of(path: &str) -> Option<&'static str> {
    let name = file_name(path).to_lowercase();
    let by_name = LANGUAGES.iter().find(|(_, _, names)| names.contains(&name.as_str()));
    if let Some((language, _, _)) = by_name {
        return Some(language);
    }
    let extension = extension(path)?;
    LANGUAGES
        .iter()
        .find(|(_, extensions, _)| extensions.contains(&extension.as_str()))
        .map(|(language, _, _)| *language)
}

/// The file types of a language, without dots; empty for an unknown one.
pub fn file_types(language: &str) -> &'static [&'static str] {
    LANGUAGES.iter().find(|(name, _, _)| *name == language).map_or(&[], |(_, extensions, _)| extensions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_language_of_its_extension_or_name() {
        let check = |path: &str, expect: Option<&str>| assert_eq!(language_of(path), expect, "{path}");
        check("src/lib.rs", Some("rust"));
        check("a/B.PY", Some("python"));
        check("web/App.tsx", Some("tsx"));
        check("include/x.h", Some("c"));
        check("Makefile", Some("make"));
        check("docs/CMakeLists.txt", Some("cmake"));
        check("LICENSE", Some("text"));
        check("a.b/noextension", None);
        check("", None);
        check("odd.", None);
    }

    #[test]
    fn an_extension_is_lower_case_and_never_a_leading_dot() {
        let check = |path: &str, expect: Option<&str>| assert_eq!(extension(path).as_deref(), expect, "{path}");
        check("a/b.tar.GZ", Some("gz"));
        check(".gitignore", None);
        check("a.d/file", None);
        check("x.", None);
    }

    #[test]
    fn file_types_of_a_language() {
        assert_eq!(file_types("python"), ["py", "pyi", "pyw"]);
        assert!(file_types("klingon").is_empty());
    }
}
