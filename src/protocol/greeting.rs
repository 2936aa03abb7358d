//! The client's side of joining a server: what the server has said so far.

use super::{CHAT_REFUSED, CONNECTED, HANDSHAKE_LINE, Lines, NICKNAME_REFUSED, PROMPT, WAITING};
use crate::nickname::Nickname;

/// Something a server said before the conversation.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// It asks for a nickname.
    Asked,
    /// The nickname will not do, for this reason (foreign text); it will ask again, or refuse the chat.
    NicknameRefused(Vec<u8>),
    /// It will not have us, for this reason (foreign text).
    ChatRefused(Vec<u8>),
    /// We are the first of a pair.
    Waiting,
    /// The pair is complete; what follows, see [`Greeting::rest`], is the conversation.
    Connected(Nickname),
    /// Something that no chat server says (foreign text, cut short).
    Strange(Vec<u8>),
}

/// Fed with bytes, tells what the server said.
#[derive(Debug)]
pub struct Greeting {
    lines: Lines,
    asked: bool,
    said: bool,
}

impl Default for Greeting {
    fn default() -> Self {
        Self { lines: Lines::new(HANDSHAKE_LINE), asked: false, said: false }
    }
}

impl Greeting {
    /// Takes in what the server sent.
    pub fn received(&mut self, bytes: &[u8]) {
        self.said |= !bytes.is_empty();
        self.lines.push(bytes);
    }

    /// Whether the server has sent anything at all.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.said
    }

    /// The next thing the server said, when it is complete. Not to be called again after [`Said::Connected`].
    pub fn next_said(&mut self) -> Option<Said> {
        if self.lines.rest().starts_with(PROMPT.as_bytes()) {
            self.lines.skip(PROMPT.len());
            self.asked = true;
            return Some(Said::Asked);
        }
        let rest = self.lines.rest();
        if !self.asked && !may_become(rest, PROMPT) && !may_become(rest, CHAT_REFUSED) {
            let heard = rest.get(..rest.len().min(60)).unwrap_or_default();
            return Some(Said::Strange(heard.to_vec()));
        }
        let asked = self.asked;
        let line = self.lines.next_line()?;
        let starts = |with: &str| line.text.strip_prefix(with.as_bytes());
        let said = if let Some(reason) = starts(CHAT_REFUSED) {
            Some(Said::ChatRefused(reason.to_vec()))
        } else if let Some(reason) = starts(NICKNAME_REFUSED) {
            Some(Said::NicknameRefused(reason.to_vec()))
        } else if line.text == WAITING.as_bytes() {
            Some(Said::Waiting)
        } else {
            starts(CONNECTED).and_then(|name| Nickname::try_from(name).ok()).map(Said::Connected)
        };
        let strange = || Said::Strange(line.text.get(..line.text.len().min(60)).unwrap_or_default().to_vec());
        Some(said.filter(|said| line.ended && (asked || matches!(said, Said::ChatRefused(_)))).unwrap_or_else(strange))
    }

    /// What came behind the last thing said.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        self.lines.rest()
    }
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
        let refused = Said::NicknameRefused(b"taken".to_vec());
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
        assert_eq!(hear(b"Chat refused: full\n"), [Said::ChatRefused(b"full".to_vec())]);
    }

    #[test]
    fn another_kind_of_server_is_found_out_at_its_first_wrong_byte() {
        assert_eq!(hear(b"HTTP/1.1 400 Bad Request\r\n"), [Said::Strange(b"H".to_vec())]);
        assert_eq!(
            hear(b"Enter your nickname: Connected to a b\n").last(),
            Some(&Said::Strange(b"Connected to a b".to_vec()))
        );
        assert_eq!(hear(b"Chat refused\n"), [Said::Strange(b"Chat refused\n".to_vec())]);
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
