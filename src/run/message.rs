//! What the keeper tells `run` over their pipe.
//!
//! What must hold: a message is written at once and is shorter than PIPE_BUF, so that none is ever torn (pipe(7));
//! the pipe's end means that the keeper is no more, whatever became of it.

use nix::errno::Errno;

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// The target exists, under this pid, and awaits the word to go on.
    Started(i32),
    /// The target could not be forked.
    NotForked(Errno),
    /// The target's state changed, as wait(2) reports it.
    Changed(i32),
    /// The target has ended, and processes that it started live on: the keeper stays with them.
    Staying,
}

/// The length of every message.
pub const LENGTH: usize = 5;

impl Message {
    /// As it is written.
    pub fn encode(self) -> [u8; LENGTH] {
        let (tag, value) = match self {
            Message::Started(pid) => (1, pid),
            Message::NotForked(errno) => (2, errno as i32),
            Message::Changed(status) => (3, status),
            Message::Staying => (4, 0),
        };
        let [a, b, c, d] = value.to_le_bytes();
        [tag, a, b, c, d]
    }

    /// As it is read; `None` for what is no message.
    pub fn decode([tag, a, b, c, d]: [u8; LENGTH]) -> Option<Self> {
        let value = i32::from_le_bytes([a, b, c, d]);
        match tag {
            1 => Some(Message::Started(value)),
            2 => Some(Message::NotForked(Errno::from_raw(value))),
            3 => Some(Message::Changed(value)),
            4 => Some(Message::Staying),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_survives_the_pipe() {
        for message in [
            Message::Started(i32::MAX),
            Message::NotForked(Errno::EAGAIN),
            Message::Changed(0x137f),
            Message::Staying,
        ] {
            assert_eq!(Message::decode(message.encode()), Some(message));
        }
        assert_eq!(Message::decode([0; LENGTH]), None);
    }
}
