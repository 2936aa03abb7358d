//! The keyboard: what our user says and asks for.

use std::io;

use super::converse::past;
use super::link::Link;
use super::node::{Node, pieces};
use crate::protocol::PeerLine;
use crate::sync::lock;
use crate::terminal::{Keyboard, Typed};

const ASK_MESSAGE: &str = "👉 Your message: ";

const HELP: &str = "/exit, /quit     leave (so do Ctrl+C, and Ctrl+D on an empty line)
/members         who is here, and where
/msg NAME text   say something to one member only; instead of the name, the number in /members will do
/history         what was said since you came; asks the member who has been here longest for what was said before
/help            show this
//text           send a message that begins with /: /text
Anything else is sent to everybody when you press Enter.
";

/// Sends what is typed until that ends. The first line waits until so many others are there.
pub(super) fn talk(node: &Node, keyboard: &mut Keyboard, wait: usize) -> io::Result<()> {
    let is_terminal = node.screen.is_terminal;
    let (mut waiting, mut alone) = (wait > 0, false);
    loop {
        let message = match keyboard.next(ASK_MESSAGE)? {
            Typed::Text(text) => text,
            Typed::Command(command) => {
                obey(node, &command);
                continue;
            }
            Typed::Exit | Typed::End => return Ok(()),
        };
        if std::mem::take(&mut waiting) {
            node.wait_for_others(wait);
        }
        if node.leave.is_set() {
            return Ok(());
        }
        let was_alone = std::mem::replace(&mut alone, !node.say(message.trim_end_matches('\n')));
        if alone && !was_alone {
            let later = if is_terminal { "; who comes later can ask for what was said with /history" } else { "" };
            node.status("🤷", &format!("Nobody else is here to hear this{later}"));
        }
    }
}

fn obey(node: &Node, line: &str) {
    match line.split_once(' ').unwrap_or((line, "")) {
        ("/help", "") => node.show(HELP.as_bytes()),
        ("/members", "") => members(node),
        ("/history", "") => history(node),
        ("/msg", rest) => whisper(node, rest),
        _ => {
            let said = format!("{line} is no command, and was not sent: /help lists them, /{line} sends it\n");
            node.show(said.as_bytes());
        }
    }
}

fn members(node: &Node) {
    let mut lines: Vec<_> = {
        let mesh = lock(&node.mesh);
        let members = mesh.by_age().into_iter().map(|(label, member)| format!("{label} at {}", member.address));
        members.chain(mesh.guests().iter().map(|(name, _)| format!("{name}, your guest"))).collect()
    };
    lines.insert(0, format!("{} (you), port {}, room {}", node.name, node.port, node.room));
    let numbered = lines.iter().enumerate().map(|(index, line)| format!("{:3}  {line}\n", index + 1));
    node.show(numbered.collect::<String>().as_bytes());
}

fn whisper(node: &Node, rest: &str) {
    let (called, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let found = find(node, called);
    match found.as_slice() {
        _ if text.trim().is_empty() => node.show("Say it like this: /msg NAME text\n".as_bytes()),
        [] => node.show(format!("Nobody here is called {called}: not sent; /members lists who is here\n").as_bytes()),
        [(label, link)] => {
            let is_guest = lock(&node.mesh).guests().iter().any(|(_, guest)| guest == link);
            if is_guest {
                link.send(format!("{} (to you): {text}\n", node.name).as_bytes());
            } else {
                pieces(text).into_iter().for_each(|piece| link.send(&PeerLine::To(piece).to_bytes()));
            }
            node.status("🔒", &format!("to {label} only"));
        }
        several => {
            let labels: Vec<_> = several.iter().map(|(label, _)| label.as_str()).collect();
            node.show(format!("Several are called {called}: not sent; say which: {}\n", labels.join(", ")).as_bytes());
        }
    }
}

/// Those who are called so, or have this number in the list of members.
fn find(node: &Node, called: &str) -> Vec<(String, Link)> {
    let mesh = lock(&node.mesh);
    let found = mesh.find(called);
    match called.parse::<usize>() {
        Ok(number @ 2..) if found.is_empty() => {
            let members = mesh.by_age().into_iter().map(|(label, member)| (label, member.link.clone()));
            let guests = mesh.guests().iter().map(|(name, link)| (name.to_string(), link.clone()));
            members.chain(guests).nth(number - 2).into_iter().collect()
        }
        _ => found,
    }
}

fn history(node: &Node) {
    let (lines, asked) = {
        let mut mesh = lock(&node.mesh);
        let lines: Vec<_> = mesh.history().flat_map(|message| past("", message.at, &message.text)).collect();
        (lines, mesh.ask_oldest(node.since))
    };
    node.show(if lines.is_empty() { "📜 Nothing was said since you came\n".as_bytes() } else { &lines });
    if let Some((label, link)) = asked {
        node.status("📜", &format!("Asking {label} for what was said before"));
        link.send(&PeerLine::History.to_bytes());
    }
}
