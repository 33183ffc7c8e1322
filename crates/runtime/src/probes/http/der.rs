//! The outer form of X.509: values with a tag and a length (DER, ITU-T X.690). Nothing is allocated, and no length
//! reaches beyond what is there.

/// Values one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Der<'a>(pub(super) &'a [u8]);

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_ID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

impl<'a> Der<'a> {
    /// The tag and content of the next value. `None`: there is none, or it does not read.
    pub(super) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        // No field of a certificate has a tag of several bytes.
        if tag & 0x1F == 0x1F {
            return None;
        }
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match *first {
            short @ 0..=0x7F => (usize::from(short), rest),
            // More than 4 bytes of length are longer than any handshake.
            long @ 0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7F))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// The content of the next value, which must have this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let (found, content) = ahead.next()?;
        if found != tag {
            return None;
        }
        *self = ahead;
        Some(content)
    }

    /// The next value with its tag and length, as it is written.
    pub(super) fn whole(&mut self, tag: u8) -> Option<&'a [u8]> {
        let before = self.0;
        self.expect(tag)?;
        before.get(..before.len() - self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_in_both_forms_and_never_reach_beyond() {
        assert_eq!(Der(b"\x02\x01\x05rest").next(), Some((INTEGER, &b"\x05"[..])));
        let long = [&[0x04, 0x81, 200][..], &[7; 200]].concat();
        assert_eq!(Der(&long).expect(OCTET_STRING).map(<[u8]>::len), Some(200));
        for wrong in [
            &b"\x02\x02\x05"[..],
            b"\x02\x84\xFF\xFF\xFF\xFFx",
            b"\x02\x80",
            b"\x02\x85\0\0\0\0\0",
            b"\x1F\x01",
            b"",
        ] {
            assert_eq!(Der(wrong).next(), None, "{wrong:?}");
        }
    }
}
