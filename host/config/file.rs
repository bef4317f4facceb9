//! What is wrong with a configuration file, in words that quote none of its values: a line with a mistake
//! may hold a password.

/// Where the mistake is and what it is.
pub(super) fn reason(text: &str, error: &toml::de::Error) -> String {
    let message = without_values(error.message());
    let Some(start) = error.span().map(|span| span.start.min(text.len())) else { return message };
    let number = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
    match name(text.lines().nth(number - 1).unwrap_or_default()) {
        Some(name) => format!("line {number}, `{name}`: {message}"),
        None => format!("line {number}: {message}"),
    }
}

/// What stands before `=`, or a section; none when the line is neither.
fn name(line: &str) -> Option<&str> {
    let name = match line.split_once('=') {
        Some((name, _)) => name.trim(),
        None => line.trim().strip_prefix('[')?.split(']').next()?,
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    (!name.is_empty() && name.len() <= 64 && name.bytes().all(is_name)).then_some(name)
}

/// The parser quotes values in `"`, and a wrong choice in backticks after these words.
fn without_values(message: &str) -> String {
    const CHOICE: &str = "unknown variant `";
    let message = match message.split_once(CHOICE) {
        Some((before, after)) => {
            let (_, rest) = after.split_once('`').unwrap_or_default();
            format!("{before}unknown value{rest}")
        }
        None => message.to_owned(),
    };
    match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) if first < last => format!("{}…{}", &message[..first], &message[last + 1..]),
        _ => message,
    }
}
