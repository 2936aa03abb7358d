//! What a nickname may be. Parsing is the only way to get one, so whoever holds a [`Nickname`] may show it anywhere.

use std::fmt;
use std::str::FromStr;

use crate::text::is_invisible;

/// 1 to 32 characters (Unicode scalar values), without white space, control or invisible formatting characters,
/// not starting with `/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Nickname(String);

impl FromStr for Nickname {
    /// The rule that the text breaks.
    type Err = &'static str;

    /// Parses after trimming white space at both ends.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let rules = [
            (text.chars().any(|c| c != '\u{fe0f}'), "a nickname needs at least one character"),
            (!text.contains(char::is_whitespace), "a nickname has no white space inside"),
            (!text.contains(is_invisible), "a nickname has no control or invisible characters"),
            (!text.starts_with('/'), "a nickname does not start with /"),
            (text.chars().count() <= 32, "a nickname has at most 32 characters"),
        ];
        match rules.iter().find(|(kept, _)| !kept) {
            Some((_, broken)) => Err(broken),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl Nickname {
    /// Parses what came over the network.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, &'static str> {
        str::from_utf8(bytes).map_err(|_| "a nickname is UTF-8 text")?.parse()
    }

    /// Whether a person would take the two for the same: compared without regard to case and to U+FE0F, which asks for a
    /// colourful emoji.
    pub fn is_like(&self, other: &Self) -> bool {
        let [one, other] = [self, other].map(|name| name.0.to_lowercase().replace('\u{fe0f}', ""));
        one == other
    }
}

impl fmt::Display for Nickname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<String, &'static str> {
        text.parse().map(|nickname: Nickname| nickname.0)
    }

    #[test]
    fn names_of_every_kind_are_welcome() {
        for name in ["a", "Nick1", "Zoë", "日本", "🦀", "o'neil", &"x".repeat(32), &"字".repeat(32)] {
            assert_eq!(parse(name), Ok(name.to_owned()));
        }
        assert_eq!(parse("  Nick1\t"), Ok("Nick1".to_owned()));
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_reason() {
        assert_eq!(parse(" \t"), Err("a nickname needs at least one character"));
        assert_eq!(parse("a b"), Err("a nickname has no white space inside"));
        assert_eq!(parse("a\u{2028}b"), Err("a nickname has no white space inside"));
        assert_eq!(parse("a\x1b[1m"), Err("a nickname has no control or invisible characters"));
        assert_eq!(parse("a\u{202e}b"), Err("a nickname has no control or invisible characters"));
        assert_eq!(parse("bob\u{fe00}"), Err("a nickname has no control or invisible characters"));
        assert_eq!(parse("a\u{200b}"), Err("a nickname has no control or invisible characters"));
        assert_eq!(parse("/exit"), Err("a nickname does not start with /"));
        assert_eq!(parse(&"字".repeat(33)), Err("a nickname has at most 32 characters"));
        assert_eq!(Nickname::from_bytes(b"\xff"), Err("a nickname is UTF-8 text"));
    }

    #[test]
    fn case_does_not_tell_two_names_apart() {
        let name = |text: &str| text.parse::<Nickname>().unwrap();
        assert!(name("Äß").is_like(&name("äß")));
        assert!(!name("Nick1").is_like(&name("Nick2")));
    }

    proptest! {
        #[test]
        fn a_parsed_nickname_keeps_every_promise(text in any::<String>()) {
            if let Ok(Nickname(name)) = text.parse() {
                prop_assert!((1..=32).contains(&name.chars().count()));
                prop_assert!(!name.starts_with('/'));
                prop_assert!(name.chars().all(|c| !c.is_whitespace() && !c.is_control() && !is_invisible(c)));
                prop_assert_eq!(parse(&name), Ok(name.clone()));
            }
        }
    }
}
