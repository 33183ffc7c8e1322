//! A query as bytes, and an answer out of bytes that may be anything.

use super::name::{self, Name};
use super::record::{self, Record};

const HEADER_BYTES: usize = 12;
/// Most records read of an answer; the rest is counted as not there. More than a probe can show.
const RECORDS_MAX: usize = 256;
/// Class IN.
const INTERNET: u16 = 1;

/// The type of a record, by its number (RFC 1035, section 3.2.2, and later ones).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::probes) struct Kind(pub(in crate::probes) u16);

const KINDS: [(&str, u16); 12] = [
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("PTR", 12),
    ("MX", 15),
    ("TXT", 16),
    ("AAAA", 28),
    ("SRV", 33),
    ("DS", 43),
    ("HTTPS", 65),
    ("CAA", 257),
];

impl Kind {
    /// The type called `name`.
    pub(in crate::probes) fn named(name: &str) -> Option<Self> {
        KINDS.iter().find(|(known, _)| *known == name).map(|(_, number)| Self(*number))
    }

    /// Its name; `TYPE…` for one without (RFC 3597, section 5).
    pub(in crate::probes) fn name(self) -> String {
        let known = KINDS.iter().find(|(_, number)| *number == self.0);
        known.map_or_else(|| format!("TYPE{}", self.0), |(name, _)| (*name).to_owned())
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub(in crate::probes) struct Question {
    pub(in crate::probes) id: u16,
    pub(in crate::probes) name: Name,
    pub(in crate::probes) kind: Kind,
}

/// What a server said.
#[derive(Clone, Debug)]
pub(in crate::probes) struct Answer {
    /// Cut to fit a datagram; TCP has all of it.
    pub(super) is_cut: bool,
    pub(in crate::probes) is_authoritative: bool,
    /// 0 to 15.
    pub(in crate::probes) rcode: u8,
    /// At most [`RECORDS_MAX`], aliases on the way included.
    pub(in crate::probes) records: Vec<Record>,
}

/// Bytes that are no DNS message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::probes) struct Malformed;

impl Question {
    /// As it travels; recursion is desired.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut message = self.id.to_be_bytes().to_vec();
        message.extend([0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0]);
        message.extend(self.name.wire());
        message.extend(self.kind.0.to_be_bytes());
        message.extend(INTERNET.to_be_bytes());
        message
    }

    /// Reads what answers this question. `None`: it answers another one, or none.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when it has this question's number and does not read.
    pub(super) fn read_answer(&self, message: &[u8]) -> Result<Option<Answer>, Malformed> {
        let header = message.get(..HEADER_BYTES);
        let Some(header) = header.filter(|header| header.starts_with(&self.id.to_be_bytes())) else {
            return Ok(None);
        };
        let (flags, rcode) = (header[2], header[3] & 0x0F);
        let is_answer = flags & 0x80 != 0;
        let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let mut at = HEADER_BYTES;
        // A server that could not read the question answers without one.
        if is_answer && count(4) == 0 && rcode != 0 {
            return Ok(Some(Answer { is_cut: false, is_authoritative: false, rcode, records: Vec::new() }));
        }
        if !is_answer || count(4) != 1 || !self.is_asked(message, &mut at)? {
            return Ok(None);
        }
        let is_cut = flags & 0x02 != 0;
        let mut records = Vec::new();
        for _ in 0..usize::from(count(6)).min(RECORDS_MAX) {
            match record::read(message, &mut at) {
                Ok(record) => records.push(record),
                // A cut answer may end anywhere.
                Err(Malformed) if is_cut => break,
                Err(Malformed) => return Err(Malformed),
            }
        }
        Ok(Some(Answer { is_cut, is_authoritative: flags & 0x04 != 0, rcode, records }))
    }

    /// Whether the question at `at` is this one; upper and lower case are the same.
    fn is_asked(&self, message: &[u8], at: &mut usize) -> Result<bool, Malformed> {
        let name = name::read(message, at)?;
        let rest = message.get(*at..*at + 4).ok_or(Malformed)?;
        *at += 4;
        let (kind, class) = (self.kind.0.to_be_bytes(), INTERNET.to_be_bytes());
        Ok(name.eq_ignore_ascii_case(&self.name.text()) && rest[..2] == kind && rest[2..] == class)
    }
}

impl Answer {
    /// The answer's code in its usual words (RFC 1035, section 4.1.1).
    pub(in crate::probes) fn rcode_name(&self) -> String {
        let names = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
        names
            .get(usize::from(self.rcode))
            .map_or_else(|| format!("RCODE{}", self.rcode), |name| (*name).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn question(kind: &str) -> Question {
        Question { id: 0x1234, name: Name::parse("plc7.plant").unwrap(), kind: Kind::named(kind).unwrap() }
    }

    /// An answer to `question` with `records` behind the question.
    fn answer(question: &Question, flags: [u8; 2], count: u16, records: &[u8]) -> Vec<u8> {
        let mut message = question.encode();
        message[2..4].copy_from_slice(&flags);
        message[6..8].copy_from_slice(&count.to_be_bytes());
        message.extend(records);
        message
    }

    #[test]
    fn an_answer_is_read_with_its_aliases() {
        let question = question("A");
        let mut records = b"\xC0\x0C\0\x05\0\x01\0\0\0\x3C\0\x04\x01b\xC0\x11".to_vec();
        records.extend(b"\x01b\xC0\x11\0\x01\0\x01\0\0\0\x3C\0\x04\x0A\x14\0\x05");
        let message = answer(&question, [0x85, 0x80], 2, &records);
        let answer = question.read_answer(&message).unwrap().unwrap();
        assert!(answer.is_authoritative && !answer.is_cut);
        assert_eq!(answer.rcode_name(), "NOERROR");
        let told: Vec<_> = answer.records.iter().map(|r| (r.name.as_str(), r.value.as_str())).collect();
        assert_eq!(told, [("plc7.plant", "b.plant"), ("b.plant", "10.20.0.5")]);
        assert_eq!(answer.records[0].ttl_seconds, 60);
    }

    #[test]
    fn what_answers_another_question_is_not_an_answer() {
        let (question, other) = (question("A"), question("MX"));
        assert!(question.read_answer(&answer(&other, [0x81, 0x80], 0, b"")).unwrap().is_none());
        // A question is no answer to itself.
        assert!(question.read_answer(&question.encode()).unwrap().is_none());
        let mut foreign = answer(&question, [0x81, 0x80], 0, b"");
        foreign[0] ^= 1;
        assert!(question.read_answer(&foreign).unwrap().is_none());
        let refused = [0x12, 0x34, 0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(question.read_answer(&refused).unwrap().unwrap().rcode_name(), "FORMERR");
    }

    #[test]
    fn a_cut_answer_keeps_what_is_whole() {
        let question = question("A");
        let records = b"\xC0\x0C\0\x01\0\x01\0\0\0\x3C\0\x04\x0A\x14\0\x05\xC0\x0C\0\x01";
        let cut = question.read_answer(&answer(&question, [0x83, 0x80], 2, records)).unwrap().unwrap();
        assert_eq!((cut.is_cut, cut.records.len()), (true, 1));
        let broken = question.read_answer(&answer(&question, [0x81, 0x80], 2, records));
        assert!(matches!(broken, Err(Malformed)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600), count in 0..5_u16) {
            let question = question("TXT");
            let mut own_number = bytes.clone();
            if own_number.len() >= 2 {
                own_number[..2].copy_from_slice(&question.id.to_be_bytes());
            }
            let behind_the_question = answer(&question, [0x81, 0x80], count, &bytes);
            for message in [&bytes, &own_number, &behind_the_question] {
                if let Ok(Some(answer)) = question.read_answer(message) {
                    prop_assert!(answer.records.len() <= RECORDS_MAX);
                    for record in &answer.records {
                        prop_assert!(!record.value.contains(char::is_control) && !record.name.contains(char::is_control));
                    }
                }
            }
        }
    }
}
