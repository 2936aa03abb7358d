//! A datagram is an announcement that survives being sent on, or nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_chat::protocol::{Announcement, announcement::ANNOUNCEMENT};

fuzz_target!(|datagram: &[u8]| {
    if let Some(announcement) = Announcement::parse(datagram) {
        let again = announcement.to_string();
        assert!(again.len() <= ANNOUNCEMENT, "{again} has {} bytes", again.len());
        assert_eq!(Announcement::parse(again.as_bytes()), Some(announcement));
    }
});
