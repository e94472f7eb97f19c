//! Breaks text into lines. The comments that `build.rs` and `tests/generated.rs` generate use it.

/// The lines of a text, each at most `width` characters. A longer word has its own line. Code in backquotes is one
/// word.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut is_code = false;
    let words = text.split(|c: char| {
        is_code ^= c == '`';
        c == ' ' && !is_code
    });
    for word in words {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
