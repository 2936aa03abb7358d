//! What a nickname may be. Parsing is the only way to get one, so whoever holds a [`Nickname`] may show it anywhere.

use std::{error, fmt, str::FromStr};

use crate::text::is_invisible;

/// 1 to 32 characters (Unicode scalar values), without white space, control or invisible formatting characters,
/// not starting with `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nickname(String);

/// The longest nickname, in characters.
pub const MAX_CHARACTERS: usize = 32;

/// Why something is not a nickname.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NicknameError {
    /// Nothing, or white space only.
    Empty,
    /// More than [`MAX_CHARACTERS`].
    TooLong,
    /// White space between other characters.
    WhiteSpace,
    /// Control or invisible formatting characters.
    Invisible,
    /// It starts with `/`, as commands do.
    Slash,
    /// Not UTF-8.
    NotUtf8,
}

impl fmt::Display for NicknameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a nickname needs at least one character"),
            Self::TooLong => write!(f, "a nickname has at most {MAX_CHARACTERS} characters"),
            Self::WhiteSpace => f.write_str("a nickname has no white space inside"),
            Self::Invisible => f.write_str("a nickname has no control or invisible characters"),
            Self::Slash => f.write_str("a nickname does not start with /"),
            Self::NotUtf8 => f.write_str("a nickname is UTF-8 text"),
        }
    }
}

impl error::Error for NicknameError {}

impl FromStr for Nickname {
    type Err = NicknameError;

    /// Parses after trimming white space at both ends.
    fn from_str(text: &str) -> Result<Self, NicknameError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(NicknameError::Empty);
        }
        if text.chars().any(char::is_whitespace) {
            return Err(NicknameError::WhiteSpace);
        }
        if text.chars().any(|c| c.is_control() || is_invisible(c)) {
            return Err(NicknameError::Invisible);
        }
        if text.starts_with('/') {
            return Err(NicknameError::Slash);
        }
        if text.chars().count() > MAX_CHARACTERS {
            return Err(NicknameError::TooLong);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<&[u8]> for Nickname {
    type Error = NicknameError;

    fn try_from(bytes: &[u8]) -> Result<Self, NicknameError> {
        std::str::from_utf8(bytes).map_err(|_| NicknameError::NotUtf8)?.parse()
    }
}

impl Nickname {
    /// Whether a person would take the two for the same: compared without regard to case.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.0.to_lowercase() == other.0.to_lowercase()
    }

    /// The nickname as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
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

    fn parse(text: &str) -> Result<String, NicknameError> {
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
        assert_eq!(parse(" \t"), Err(NicknameError::Empty));
        assert_eq!(parse("a b"), Err(NicknameError::WhiteSpace));
        assert_eq!(parse("a\u{2028}b"), Err(NicknameError::WhiteSpace));
        assert_eq!(parse("a\x1b[1m"), Err(NicknameError::Invisible));
        assert_eq!(parse("a\u{202e}b"), Err(NicknameError::Invisible));
        assert_eq!(parse("a\u{200b}"), Err(NicknameError::Invisible));
        assert_eq!(parse("/exit"), Err(NicknameError::Slash));
        assert_eq!(parse(&"字".repeat(33)), Err(NicknameError::TooLong));
        assert_eq!(Nickname::try_from(&b"\xff"[..]), Err(NicknameError::NotUtf8));
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
                prop_assert!((1..=MAX_CHARACTERS).contains(&name.chars().count()));
                prop_assert!(!name.starts_with('/'));
                prop_assert!(name.chars().all(|c| !c.is_whitespace() && !c.is_control() && !is_invisible(c)));
                prop_assert_eq!(parse(&name), Ok(name.clone()));
            }
        }
    }
}
