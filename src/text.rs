//! Which characters may be shown, and what a foreign text looks like once it is safe to show.
//!
//! What a nickname may be is decided in [`crate::nickname`], what a terminal does in [`crate::terminal`].

/// Characters that take no room on the screen or look like nothing: the general categories Cc and Cf of Unicode 16,
/// the fillers and the blank that are letters or symbols by category, and the variation selectors but U+FE0F, which emoji have.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{180b}'..='\u{180f}' | '\u{fe00}'..='\u{fe0e}'
        | '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
        | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' | '\u{1d159}')
}

/// Whether a terminal may be given this character: not C0 (but tab), DEL, C1, line separators (U+2028 and U+2029), or what
/// steers the direction of the text around it, so that a line reads otherwise than it was written
/// (Unicode Standard Annex 9, table of explicit directional formatting characters, and the implicit marks).
fn is_harmless(c: char) -> bool {
    let steers = matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c == '\t' || !c.is_control() && !steers
}

/// A foreign text as it may be shown: bytes that are not UTF-8 become U+FFFD, what could drive a terminal
/// becomes a visible escape such as `\u{1b}`.
pub fn printable(bytes: &[u8]) -> String {
    let mut safe = String::with_capacity(bytes.len());
    for c in String::from_utf8_lossy(bytes).chars() {
        if is_harmless(c) {
            safe.push(c);
        } else {
            safe.extend(c.escape_unicode());
        }
    }
    safe
}

/// One's own text as it may be sent: control characters other than tab are dropped.
pub fn sendable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|&c| c == '\t' || !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_text_is_shown_as_it_is() {
        let text = "naïve 日本語\tשלום 👩‍👩‍👧 👉";
        assert_eq!(printable(text.as_bytes()), text);
    }

    #[test]
    fn what_drives_a_terminal_becomes_visible() {
        assert_eq!(printable(b"a\x1b[2Jb\x07\x7f"), "a\\u{1b}[2Jb\\u{7}\\u{7f}");
        assert_eq!(printable("x\u{9b}31m\u{202e}y\u{2066}".as_bytes()), "x\\u{9b}31m\\u{202e}y\\u{2066}");
        assert_eq!(printable(b"line\rover"), "line\\u{d}over");
        assert_eq!(printable(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn control_characters_are_not_sent() {
        assert_eq!(sendable(b"a\x1b[31mb\tc\r"), "a[31mb\tc");
    }

    proptest! {
        #[test]
        fn nothing_harmful_is_ever_shown(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(printable(&bytes).chars().all(is_harmless));
        }

        #[test]
        fn no_control_character_is_ever_sent(text in any::<String>()) {
            prop_assert!(sendable(text.as_bytes()).chars().all(|c| c == '\t' || !c.is_control()));
        }
    }
}
