//! Rules of fields that several requests share. Each rule pushes what it finds wrong and gives back what
//! it could use, so that one answer names every violation.

use crate::http::problem::Violation;

/// Bytes of a query after trimming. Longer ones are documents, not queries.
const MAX_QUERY: usize = 4096;
const MAX_PLUGIN_NAME: usize = 64;
const MAX_FILE_TYPES: usize = 32;
const MAX_FILE_TYPE_LETTERS: usize = 16;
const MAX_DIRECTORIES: usize = 64;
const MAX_DIRECTORY_BYTES: usize = 512;

/// What is looked for, trimmed: a strategy gets neither nothing nor too much.
pub(super) fn query(given: Option<String>, violations: &mut Vec<Violation>) -> String {
    let Some(text) = given else {
        violations.push(Violation::new("query", "is missing").remedy("say what to look for"));
        return String::new();
    };
    let trimmed = text.trim();
    if trimmed.is_empty() {
        violations.push(Violation::new("query", "is empty").remedy("say what to look for"));
    } else if trimmed.len() > MAX_QUERY {
        violations
            .push(Violation::new("query", format!("is {} bytes long, at most {MAX_QUERY} are taken", trimmed.len())));
    } else if trimmed.contains('\0') {
        violations.push(Violation::new("query", "has a NUL character").remedy("send it without"));
    }
    if trimmed.len() == text.len() { text } else { trimmed.to_owned() }
}

/// A strategy or a ranker can have this name, with or without its prefix.
pub(super) fn is_plugin_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=MAX_PLUGIN_NAME).contains(&name.len()) && name.bytes().all(plain)
}

/// What a request calls a strategy or a ranker, and no plugin can be called.
pub(super) fn no_plugin(field: &str) -> Violation {
    Violation::new(field, format!("is not the name of a {field}")).remedy("write one that /api/plugins lists")
}

/// Extensions: a leading dot goes, case goes, the rest must be `[a-z0-9_+-]{1,16}`.
pub(super) fn file_types(given: Vec<String>, violations: &mut Vec<Violation>) -> Vec<String> {
    if given.len() > MAX_FILE_TYPES {
        let violation = Violation::new("file_types", format!("may have at most {MAX_FILE_TYPES} entries"));
        violations.push(violation.remedy("leave it out for all"));
        return vec![];
    }
    let mut usable = Vec::with_capacity(given.len());
    for (index, name) in given.iter().enumerate() {
        let name = name.strip_prefix('.').unwrap_or(name).to_ascii_lowercase();
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_+-".contains(&byte);
        if (1..=MAX_FILE_TYPE_LETTERS).contains(&name.len()) && name.bytes().all(plain) {
            usable.push(name);
        } else {
            let violation = Violation::new(format!("file_types[{index}]"), "is not a file extension");
            violations.push(violation.remedy("write 1 to 16 letters, digits, `_`, `+` or `-`, such as `rs`"));
        }
    }
    usable
}

/// Folders relative to an indexed root: `\` becomes `/`, empty and `.` parts go; absolute paths, `..`
/// and control characters are refused.
pub(super) fn directories(given: Vec<String>, violations: &mut Vec<Violation>) -> Vec<String> {
    if given.len() > MAX_DIRECTORIES {
        let violation = Violation::new("directories", format!("may have at most {MAX_DIRECTORIES} entries"));
        violations.push(violation.remedy("name folders above them"));
        return vec![];
    }
    let mut usable = Vec::with_capacity(given.len());
    for (index, folder) in given.iter().enumerate() {
        match relative(folder) {
            // The root itself: no restriction, but only if it stands alone among its kind.
            Ok(folder) => usable.push(folder),
            Err(message) => {
                let violation = Violation::new(format!("directories[{index}]"), message);
                violations.push(violation.remedy("write a path relative to the indexed folder, such as `src/http`"));
            }
        }
    }
    // A folder that is the whole root makes the others meaningless.
    if usable.iter().any(String::is_empty) { vec![] } else { usable }
}

fn relative(folder: &str) -> Result<String, &'static str> {
    if folder.is_empty() {
        return Err("is empty");
    }
    if folder.len() > MAX_DIRECTORY_BYTES {
        return Err("is longer than 512 bytes");
    }
    if folder.chars().any(char::is_control) {
        return Err("has a control character");
    }
    let folder = folder.replace('\\', "/");
    let drive = folder.as_bytes().get(1) == Some(&b':') && folder.as_bytes()[0].is_ascii_alphabetic();
    if folder.starts_with('/') || folder.starts_with('~') || drive {
        return Err("is an absolute path");
    }
    let parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err("leaves the indexed folder through `..`");
    }
    Ok(parts.join("/"))
}

/// A value within bounds, or the default when it is wrong or left out.
pub(super) fn within<T>(
    field: &str,
    given: Option<T>,
    default: T,
    least: T,
    most: T,
    violations: &mut Vec<Violation>,
) -> T
where
    T: PartialOrd + Copy + std::fmt::Display,
{
    match given {
        None => default,
        Some(value) if value >= least && value <= most => value,
        Some(value) => {
            violations.push(Violation::new(field, format!("is {value}, but must be from {least} to {most}")));
            default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_directory(given: &str, expected: Result<&str, &str>) {
        let mut violations = vec![];
        let usable = directories(vec!["ok".into(), given.into()], &mut violations);
        match expected {
            Ok("") => assert!(usable.is_empty() && violations.is_empty(), "{given}"),
            Ok(folder) => assert_eq!((usable, violations), (vec!["ok".into(), folder.to_owned()], vec![]), "{given}"),
            Err(word) => {
                assert_eq!(violations.len(), 1, "{given}");
                assert_eq!(violations[0].field, "directories[1]");
                assert!(violations[0].message.contains(word), "{given}: {}", violations[0].message);
            }
        }
    }

    #[test]
    fn directories_stay_inside() {
        check_directory("src", Ok("src"));
        check_directory("src/", Ok("src"));
        check_directory("./src//http", Ok("src/http"));
        check_directory(r"src\http", Ok("src/http"));
        check_directory("a..b/..c", Ok("a..b/..c"));
        check_directory("-rf", Ok("-rf"));
        check_directory(".", Ok(""));
        check_directory("/etc", Err("absolute"));
        check_directory(r"\etc", Err("absolute"));
        check_directory(r"\\host\share", Err("absolute"));
        check_directory(r"C:\Windows", Err("absolute"));
        check_directory("c:/x", Err("absolute"));
        check_directory("~/x", Err("absolute"));
        check_directory("../x", Err(".."));
        check_directory("src/../../x", Err(".."));
        check_directory(r"src\..\..\x", Err(".."));
        check_directory("a\0b", Err("control"));
        check_directory("a\nb", Err("control"));
        check_directory("", Err("empty"));
        check_directory(&"x".repeat(513), Err("512"));
    }

    #[test]
    fn file_types_are_normalised() {
        let mut violations = vec![];
        let given = [".RS", "c++", "d.ts", "", "../x", "a b"].map(String::from).to_vec();
        assert_eq!(file_types(given, &mut violations), ["rs", "c++"]);
        let fields: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["file_types[2]", "file_types[3]", "file_types[4]", "file_types[5]"]);
    }

    #[test]
    fn bounds_refuse_what_is_no_number() {
        let mut violations = vec![];
        assert_eq!(within("x", Some(f32::NAN), 0.5, 0.0, 1.0, &mut violations), 0.5);
        assert_eq!(within("x", Some(1.0_f32), 0.5, 0.0, 1.0, &mut violations), 1.0);
        assert_eq!(violations.len(), 1);
    }
}
