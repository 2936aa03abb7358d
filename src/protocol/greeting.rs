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
    /// The pair is complete; what follows is the conversation.
    Connected(Nickname),
    /// Something that no chat server says, cut short.
    Strange(String),
}

impl Said {
    /// The next thing the server said, when it is complete; `asked`: it has asked for a nickname before, as a chat server does
    /// first. Behind [`Said::Connected`] the lines are the conversation.
    pub fn next(lines: &mut Lines, asked: bool) -> Option<Self> {
        let rest = lines.rest();
        if rest.starts_with(PROMPT.as_bytes()) {
            lines.skip(PROMPT.len());
            return Some(Self::Asked);
        }
        let may_become = |text: &str| rest.iter().zip(text.as_bytes()).all(|(byte, expected)| byte == expected);
        if !asked && !may_become(PROMPT) && !may_become(CHAT_REFUSED) {
            return Some(strange(rest));
        }
        let line = lines.next_line()?;
        let behind = |start: &str| {
            line.text.strip_prefix(start.as_bytes()).filter(|_| line.ended && line.text.len() <= HANDSHAKE_LINE)
        };
        Some(if let Some(reason) = behind(CHAT_REFUSED) {
            Self::ChatRefused(shown(reason))
        } else if let Some(reason) = behind(NICKNAME_REFUSED) {
            Self::NicknameRefused(shown(reason))
        } else if let Some(b"") = behind(WAITING) {
            Self::Waiting
        } else if let Some(Ok(companion)) = behind(CONNECTED).map(Nickname::from_bytes) {
            Self::Connected(companion)
        } else {
            strange(line.text)
        })
    }
}

/// Foreign text as it may be shown.
fn shown(bytes: &[u8]) -> String {
    printable(bytes).trim_end().to_owned()
}

fn strange(bytes: &[u8]) -> Said {
    Said::Strange(shown(bytes.get(..60).unwrap_or(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All that was said, when the bytes arrive one by one.
    fn hear(bytes: &[u8]) -> Vec<Said> {
        let (mut lines, mut asked, mut heard) = (Lines::new(HANDSHAKE_LINE), false, Vec::new());
        for &byte in bytes {
            lines.push(&[byte]);
            while let Some(said) = Said::next(&mut lines, asked) {
                asked |= said == Said::Asked;
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
        let mut lines = Lines::new(HANDSHAKE_LINE);
        lines.push(b"Enter your nickname: Connected to Nick2\nHi\nthere");
        assert_eq!(Said::next(&mut lines, false), Some(Said::Asked));
        assert!(matches!(Said::next(&mut lines, true), Some(Said::Connected(_))));
        assert_eq!(lines.rest(), b"Hi\nthere");
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
            let mut lines = Lines::new(HANDSHAKE_LINE);
            for chunk in bytes.chunks(7) {
                lines.push(chunk);
                while Said::next(&mut lines, asked).is_some_and(|said| !matches!(said, Said::Strange(_))) {}
                prop_assert!(lines.rest().len() <= bytes.len());
            }
        }
    }
}
