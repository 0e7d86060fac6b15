//! Text from guests, made fit for logs.

use flink_wasm_protocol::reply::truncate;

/// Cuts at `bytes` and turns control characters into spaces, so that no guest can fake a line of a log or move a cursor.
pub(crate) fn clean(text: &str, bytes: usize) -> String {
    truncate(text, bytes)
        .chars()
        .map(|character| if is_control(character) { ' ' } else { character })
        .collect()
}

/// As [`clean`], but keeps line ends: for texts that are shown as a block.
pub(crate) fn clean_lines(text: &str, bytes: usize) -> String {
    let keep = |character: char| character == '\n' || !is_control(character);
    truncate(text, bytes).chars().map(|character| if keep(character) { character } else { ' ' }).collect()
}

/// Control characters, and those that change the direction of text or end a line in some viewers.
fn is_control(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_spaces() {
        for (text, bytes, cleaned, lines) in [
            ("plain", 10, "plain", "plain"),
            ("a\nb\r\x1b[31m", 20, "a b  [31m", "a\nb  [31m"),
            ("\u{202e}abc\u{2028}", 20, " abc ", " abc "),
            ("ééé", 3, "é", "é"),
        ] {
            assert_eq!(clean(text, bytes), cleaned);
            assert_eq!(clean_lines(text, bytes), lines);
        }
    }
}
