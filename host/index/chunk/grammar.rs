//! What the chunker knows of each language's grammar: which nodes are definitions, which of them
//! contain others, and which only wrap one.

use tree_sitter::Language;

/// The node kinds of one language that matter to the chunker.
pub(super) struct Grammar {
    pub(super) language: fn() -> Language,
    /// Definitions that have no definitions of interest inside.
    pub(super) leaves: &'static [&'static str],
    /// Definitions that are cut at their members when they are big.
    pub(super) containers: &'static [&'static str],
    /// Containers that add to a name without defining it.
    pub(super) extensions: &'static [&'static str],
    /// Nodes whose extent belongs to the definition inside (`export`, decorators, templates).
    pub(super) wrappers: &'static [&'static str],
    /// Nodes that belong to the definition below them.
    pub(super) attached: &'static [&'static str],
}

const RUST: Grammar = Grammar {
    language: || tree_sitter_rust::LANGUAGE.into(),
    leaves: &[
        "function_item",
        "function_signature_item",
        "struct_item",
        "enum_item",
        "union_item",
        "type_item",
        "const_item",
        "static_item",
        "macro_definition",
        "associated_type",
    ],
    containers: &["trait_item", "mod_item"],
    extensions: &["impl_item"],
    wrappers: &[],
    attached: &["line_comment", "block_comment", "attribute_item"],
};

const PYTHON: Grammar = Grammar {
    language: || tree_sitter_python::LANGUAGE.into(),
    leaves: &["function_definition", "type_alias_statement"],
    containers: &["class_definition"],
    extensions: &[],
    wrappers: &["decorated_definition"],
    attached: &["comment"],
};

const JAVASCRIPT: Grammar = Grammar {
    language: || tree_sitter_javascript::LANGUAGE.into(),
    leaves: &["function_declaration", "generator_function_declaration", "method_definition"],
    containers: &["class_declaration"],
    extensions: &[],
    wrappers: &["export_statement", "lexical_declaration", "variable_declaration"],
    attached: &["comment", "decorator"],
};

const TYPESCRIPT_LEAVES: &[&str] = &[
    "function_declaration",
    "generator_function_declaration",
    "function_signature",
    "method_definition",
    "abstract_method_signature",
    "interface_declaration",
    "type_alias_declaration",
    "enum_declaration",
];
const TYPESCRIPT_CONTAINERS: &[&str] =
    &["class_declaration", "abstract_class_declaration", "internal_module", "module"];
const TYPESCRIPT_WRAPPERS: &[&str] =
    &["export_statement", "ambient_declaration", "lexical_declaration", "variable_declaration"];

const TYPESCRIPT: Grammar = Grammar {
    language: || tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
    leaves: TYPESCRIPT_LEAVES,
    containers: TYPESCRIPT_CONTAINERS,
    extensions: &[],
    wrappers: TYPESCRIPT_WRAPPERS,
    attached: &["comment", "decorator"],
};

const TSX: Grammar = Grammar { language: || tree_sitter_typescript::LANGUAGE_TSX.into(), ..TYPESCRIPT };

const GO: Grammar = Grammar {
    language: || tree_sitter_go::LANGUAGE.into(),
    leaves: &["function_declaration", "method_declaration", "type_spec", "type_alias"],
    containers: &[],
    extensions: &[],
    wrappers: &["type_declaration"],
    attached: &["comment"],
};

const JAVA: Grammar = Grammar {
    language: || tree_sitter_java::LANGUAGE.into(),
    leaves: &["method_declaration", "constructor_declaration", "compact_constructor_declaration"],
    containers: &[
        "class_declaration",
        "interface_declaration",
        "enum_declaration",
        "record_declaration",
        "annotation_type_declaration",
    ],
    extensions: &[],
    wrappers: &[],
    attached: &["line_comment", "block_comment"],
};

const C: Grammar = Grammar {
    language: || tree_sitter_c::LANGUAGE.into(),
    leaves: &[
        "function_definition",
        "struct_specifier",
        "union_specifier",
        "enum_specifier",
        "type_definition",
        "preproc_def",
        "preproc_function_def",
    ],
    containers: &[],
    extensions: &[],
    wrappers: &["declaration"],
    attached: &["comment"],
};

const CPP: Grammar = Grammar {
    language: || tree_sitter_cpp::LANGUAGE.into(),
    leaves: &[
        "function_definition",
        "union_specifier",
        "enum_specifier",
        "type_definition",
        "alias_declaration",
        "concept_definition",
        "preproc_def",
        "preproc_function_def",
    ],
    containers: &["class_specifier", "struct_specifier", "namespace_definition"],
    extensions: &[],
    wrappers: &["template_declaration", "declaration", "field_declaration"],
    attached: &["comment"],
};

/// The grammar of a language by its lower-case name.
pub(super) fn of(language: &str) -> Option<&'static Grammar> {
    Some(match language {
        "rust" => &RUST,
        "python" => &PYTHON,
        "javascript" => &JAVASCRIPT,
        "typescript" => &TYPESCRIPT,
        "tsx" => &TSX,
        "go" => &GO,
        "java" => &JAVA,
        "c" => &C,
        "cpp" => &CPP,
        _ => return None,
    })
}
