//! The client's side of joining a server: what the server has said so far.

use super::{CHAT_REFUSED, CONNECTED, HANDSHAKE_LINE, Lines, NICKNAME_REFUSED, PROMPT, WAITING};
use crate::nickname::Nickname;
use crate::text::printable;

/// Something a server said before the conversation. Its own words are safe to show.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// It asks for a nickname.
    Asked,
    /// The nickname will not do, for this reason; it will ask again, or refuse the chat.
    NicknameRefused(String),
    /// It will not have us, for this reason.
    ChatRefused(String),
    /// We are the first of a pair.
    Waiting,
    /// The pair is complete; what follows, see [`Greeting::rest`], is the conversation.
    Connected(Nickname),
    /// Something that no chat server says, cut short.
    Strange(String),
}

/// Fed with bytes, tells what the server said.
pub struct Greeting {
    lines: Lines,
    asked: bool,
}

impl Default for Greeting {
    fn default() -> Self {
        Self { lines: Lines::new(HANDSHAKE_LINE), asked: false }
    }
}

impl Greeting {
    /// Takes in what the server sent.
    pub fn received(&mut self, bytes: &[u8]) {
        self.lines.push(bytes);
    }

    /// Whether the server has asked for a nickname, as a chat server does first.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.asked
    }

    /// The next thing the server said, when it is complete. Not to be called again after [`Said::Connected`].
    pub fn next_said(&mut self) -> Option<Said> {
        let rest = self.lines.rest();
        if rest.starts_with(PROMPT.as_bytes()) {
            self.lines.skip(PROMPT.len());
            self.asked = true;
            return Some(Said::Asked);
        }
        if !self.asked && !may_become(rest, PROMPT) && !may_become(rest, CHAT_REFUSED) {
            return Some(strange(rest));
        }
        let line = self.lines.next_line()?;
        let behind = |start: &str| line.text.strip_prefix(start.as_bytes()).filter(|_| line.ended);
        Some(if let Some(reason) = behind(CHAT_REFUSED) {
            Said::ChatRefused(shown(reason))
        } else if let Some(reason) = behind(NICKNAME_REFUSED) {
            Said::NicknameRefused(shown(reason))
        } else if let Some(b"") = behind(WAITING) {
            Said::Waiting
        } else if let Some(Ok(companion)) = behind(CONNECTED).map(Nickname::try_from) {
            Said::Connected(companion)
        } else {
            strange(line.text)
        })
    }

    /// What came behind the last thing said.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        self.lines.rest()
    }
}

/// Foreign text as it may be shown.
fn shown(bytes: &[u8]) -> String {
    printable(bytes).trim_end().to_owned()
}

fn strange(bytes: &[u8]) -> Said {
    Said::Strange(shown(bytes.get(..60).unwrap_or(bytes)))
}

/// Whether `bytes` agree with `text` as far as both go.
fn may_become(bytes: &[u8], text: &str) -> bool {
    bytes.iter().zip(text.as_bytes()).all(|(byte, expected)| byte == expected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All that was said, when the bytes arrive one by one.
    fn hear(bytes: &[u8]) -> Vec<Said> {
        let mut greeting = Greeting::default();
        let mut heard = Vec::new();
        for &byte in bytes {
            greeting.received(&[byte]);
            while let Some(said) = greeting.next_said() {
                let over = matches!(said, Said::Connected(_) | Said::Strange(_) | Said::ChatRefused(_));
                heard.push(said);
                if over {
                    return heard;
                }
            }
        }
        heard
    }

    #[test]
    fn the_whole_way_to_a_companion_is_understood_byte_by_byte() {
        let heard = hear(
            b"Enter your nickname: Nickname refused: taken\nEnter your nickname: Waiting for a companion...\nConnected to Nick2\nHi",
        );
        let nick2 = "Nick2".parse().unwrap();
        let refused = Said::NicknameRefused("taken".to_owned());
        assert_eq!(heard, [Said::Asked, refused, Said::Asked, Said::Waiting, Said::Connected(nick2)]);
    }

    #[test]
    fn what_follows_the_pairing_is_kept() {
        let mut greeting = Greeting::default();
        greeting.received(b"Enter your nickname: Connected to Nick2\nHi\nthere");
        assert_eq!(greeting.next_said(), Some(Said::Asked));
        assert!(matches!(greeting.next_said(), Some(Said::Connected(_))));
        assert_eq!(greeting.rest(), b"Hi\nthere");
    }

    #[test]
    fn a_refusal_may_come_first() {
        assert_eq!(hear(b"Chat refused: full\n"), [Said::ChatRefused("full".to_owned())]);
    }

    #[test]
    fn another_kind_of_server_is_found_out_at_its_first_wrong_byte() {
        assert_eq!(hear(b"HTTP/1.1 400 Bad Request\r\n"), [Said::Strange("H".to_owned())]);
        assert_eq!(
            hear(b"Enter your nickname: Connected to a b\n").last(),
            Some(&Said::Strange("Connected to a b".to_owned()))
        );
        assert_eq!(hear(b"Chat refused\n"), [Said::Strange(r"Chat refused\u{a}".to_owned())]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_in_bounded_memory(bytes in proptest::collection::vec(any::<u8>(), 0..2000), asked in any::<bool>()) {
            let mut greeting = Greeting { asked, ..Greeting::default() };
            for chunk in bytes.chunks(7) {
                greeting.received(chunk);
                while greeting.next_said().is_some_and(|said| !matches!(said, Said::Strange(_))) {}
                prop_assert!(greeting.rest().len() <= bytes.len());
            }
        }
    }
}
