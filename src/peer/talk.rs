//! The keyboard: what our user says and asks for.

use std::io;

use super::converse::past;
use super::node::Node;
use crate::protocol::PeerLine;
use crate::sync::lock;
use crate::terminal::{Keyboard, Typed};

const ASK_MESSAGE: &str = "👉 Your message: ";

const HELP: &str = "/exit, /quit     leave (so do Ctrl+C, and Ctrl+D on an empty line)
/members         who is here, and where
/msg NAME text   say something to one member only
/history         what was said since you came; asks the member who has been here longest for what was said before
/help            show this
//text           send a message that begins with /: /text
Anything else is sent to everybody when you press Enter.
";

/// Sends what is typed until that ends. The first line waits until so many others are there.
pub(super) fn talk(node: &Node, keyboard: &mut Keyboard, wait: usize) -> io::Result<()> {
    let is_terminal = node.screen.is_terminal();
    let (mut waiting, mut alone) = (wait > 0, false);
    loop {
        let Typed::Line { text, .. } = keyboard.next_line(ASK_MESSAGE)? else { return Ok(()) };
        let is_command = is_terminal && text.starts_with('/');
        let message = match text.trim_end() {
            "/exit" | "/quit" => return Ok(()),
            // `//text` stands for the message `/text`. Only a person gives commands: a script's lines go out as they are.
            escaped if is_command && escaped.starts_with("//") => text.get(1..).unwrap_or_default(),
            command if is_command => {
                obey(node, command);
                continue;
            }
            _ => text.as_str(),
        };
        if std::mem::take(&mut waiting) {
            node.wait_for_others(wait);
        }
        if node.leave.is_set() {
            return Ok(());
        }
        let was_alone = std::mem::replace(&mut alone, !node.say(message));
        if alone && !was_alone {
            node.status("🤷", "Nobody else is here; who comes later can ask for what was said with /history");
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
        let members = mesh.members().map(|(id, member)| format!("{} at {}", mesh.label(id), member.address));
        members.chain(mesh.guests().iter().map(|(name, _)| format!("{name}, your guest"))).collect()
    };
    lines.insert(0, format!("{} (you), port {}, room {}", node.name, node.port, node.room));
    let numbered = lines.iter().enumerate().map(|(index, line)| format!("{:3}  {line}\n", index + 1));
    node.show(numbered.collect::<String>().as_bytes());
}

fn whisper(node: &Node, rest: &str) {
    let (called, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let found = lock(&node.mesh).find(called);
    match found.as_slice() {
        _ if text.trim().is_empty() => node.show("Say it like this: /msg NAME text\n".as_bytes()),
        [] => node.show(format!("Nobody here is called {called}: not sent; /members lists who is here\n").as_bytes()),
        [(label, link)] => {
            let is_guest = lock(&node.mesh).guests().iter().any(|(_, guest)| guest == link);
            if is_guest {
                link.send(format!("{} (to you): {text}\n", node.name).as_bytes());
            } else {
                link.send(&PeerLine::To(text.into()).to_bytes());
            }
            node.status("🔒", &format!("to {label} only"));
        }
        several => {
            let labels: Vec<_> = several.iter().map(|(label, _)| label.as_str()).collect();
            node.show(format!("Several are called {called}: not sent; say which: {}\n", labels.join(", ")).as_bytes());
        }
    }
}

fn history(node: &Node) {
    let (lines, asked) = {
        let mut mesh = lock(&node.mesh);
        let lines: Vec<_> = mesh.history().flat_map(|message| past("", message.at, &message.text)).collect();
        mesh.asked = mesh.oldest(node.since);
        let asked = mesh.asked.and_then(|id| Some((mesh.label(id), mesh.get(id)?.link.clone())));
        (lines, asked)
    };
    node.show(if lines.is_empty() { "📜 Nothing was said since you came\n".as_bytes() } else { &lines });
    if let Some((label, link)) = asked {
        node.status("📜", &format!("Asking {label} for what was said before"));
        link.send(&PeerLine::History.to_bytes());
    }
}
