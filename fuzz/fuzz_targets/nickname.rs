//! A nickname keeps every promise.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_chat::nickname::Nickname;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(nickname) = Nickname::from_bytes(bytes) {
        let name = nickname.to_string();
        assert!((1..=32).contains(&name.chars().count()), "{name:?}");
        assert!(!name.starts_with('/') && !name.contains(|c: char| c.is_whitespace() || c.is_control()), "{name:?}");
        assert_eq!(name.parse(), Ok(nickname.clone()));
        assert!(nickname.is_like(&nickname));
    }
});
