//! What a pump writes to its listeners: frames of a head and bytes.

use falseticker_page::time::HostInstant;

/// The length of a head.
pub const HEAD: usize = 16;
/// The most bytes that a frame has.
pub const MOST: usize = 64 << 10;

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whether the stream ends here; then there are no bytes.
    pub end: bool,
    /// How many bytes follow.
    pub length: usize,
    /// When the pump read them, by the host's CLOCK_MONOTONIC.
    pub at: HostInstant,
}

impl Head {
    /// As it is written.
    pub fn encode(self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        let length = u32::try_from(self.length.min(MOST)).unwrap_or(0);
        bytes[0] = u8::from(self.end);
        bytes[4..8].copy_from_slice(&length.to_le_bytes());
        bytes[8..].copy_from_slice(&self.at.as_nanos().to_le_bytes());
        bytes
    }

    /// As it is read; `None` for what no pump writes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let length = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
        let length = usize::try_from(length).ok().filter(|length| *length <= MOST)?;
        let at = i64::from_le_bytes(bytes.get(8..HEAD)?.try_into().ok()?);
        let end = match bytes.first()? {
            0 => false,
            1 => true,
            _ => return None,
        };
        Some(Head { end, length, at: HostInstant::from_nanos(at) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_survives_the_way_and_nonsense_is_none() {
        for head in [
            Head { end: false, length: MOST, at: HostInstant::from_nanos(-1) },
            Head { end: true, length: 0, at: HostInstant::MAX },
        ] {
            assert_eq!(Head::decode(&head.encode()), Some(head));
        }
        assert_eq!(Head::decode(&[0xff; HEAD]), None);
        assert_eq!(Head::decode(&[2; 1]), None);
    }
}
