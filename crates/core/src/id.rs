//! Ids: every kind of thing has its own type, and all of them are written the same way.
//!
//! An id is 80 random bits as 16 characters of Crockford's base 32 in lower case: short enough for an idle
//! sync, long enough that two never meet by chance (10^12 of one kind: 5 in 10^13). A sequence's id embeds
//! its endpoint's, so that a request that names a sequence finds its object.

use core::fmt;
use core::str::FromStr;
use std::sync::LazyLock;

use data_encoding::{Encoding, Specification};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::entropy::Entropy;
use crate::sql::Value;

/// The length of a written id in bytes.
pub const ID_LENGTH: usize = 16;

/// A text that is not an id of the expected kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct InvalidId;

/// Made once: the tables cost more than reading a dozen ids, and every check-in reads a dozen.
static ENCODING: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("0123456789abcdefghjkmnpqrstvwxyz");
    specification.encoding().expect("the alphabet has 32 distinct symbols")
});

fn decode(text: &str) -> Result<[u8; 10], InvalidId> {
    if text.len() != ID_LENGTH {
        return Err(InvalidId);
    }
    let bytes = ENCODING.decode(text.as_bytes()).map_err(|_| InvalidId)?;
    bytes.try_into().map_err(|_| InvalidId)
}

macro_rules! make_id {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 10]);

        impl $name {
            /// A fresh id.
            pub fn fresh(entropy: &mut Entropy) -> Self {
                Self(entropy.bytes())
            }

            /// The id made of exactly these bits.
            pub const fn from_bytes(bytes: [u8; 10]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&ENCODING.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                decode(text).map(Self)
            }
        }

        impl_text!($name);
    };
}

macro_rules! impl_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        crate::schema_text!($name, "an id");

        impl From<$name> for Value {
            fn from(value: $name) -> Self {
                Self::Text(value.to_string())
            }
        }
    };
}

make_id!(
    /// One enrolled machine.
    EndpointId
);
make_id!(
    /// One journal of an endpoint: a new one after a re-image, rollback or copy.
    JournalId
);
make_id!(
    /// One order log of an endpoint: a new one for every adopted journal and after every restore.
    LogId
);
make_id!(
    /// One start of a runtime.
    BootId
);
make_id!(
    /// One sync request; comes back in its answer.
    RequestId
);
make_id!(
    /// An MSP's customer.
    ClientId
);
make_id!(
    /// One plant or place of a client.
    SiteId
);
make_id!(
    /// One enrolment code, without its secret.
    CodeId
);
make_id!(
    /// One API token, without its secret.
    TokenId
);
make_id!(
    /// One session of a person in a browser, without its secret.
    SessionId
);
make_id!(
    /// One playbook, in all its versions.
    PlaybookId
);
make_id!(
    /// A person or program that may use the API.
    PersonId
);

/// One sequence: its endpoint's id, a hyphen and 80 bits of its own. Random, so a restored control plane
/// cannot give it out a second time (R1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceId {
    endpoint: EndpointId,
    own: [u8; 10],
}

impl SequenceId {
    /// A fresh id for work on `endpoint`.
    pub fn fresh(endpoint: EndpointId, entropy: &mut Entropy) -> Self {
        Self { endpoint, own: entropy.bytes() }
    }

    /// The endpoint the work is for.
    pub fn endpoint(self) -> EndpointId {
        self.endpoint
    }
}

impl fmt::Display for SequenceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.endpoint, ENCODING.encode(&self.own))
    }
}

impl fmt::Debug for SequenceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SequenceId({self})")
    }
}

impl FromStr for SequenceId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (endpoint, own) = text.split_once('-').ok_or(InvalidId)?;
        Ok(Self { endpoint: endpoint.parse()?, own: decode(own)? })
    }
}

impl_text!(SequenceId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_was_written() {
        let mut entropy = Entropy::new([7; 32]);
        let endpoint = EndpointId::fresh(&mut entropy);
        let sequence = SequenceId::fresh(endpoint, &mut entropy);
        assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
        assert_eq!(sequence.to_string().parse(), Ok(sequence));
        assert_eq!(sequence.endpoint(), endpoint);
        assert_ne!(endpoint, EndpointId::fresh(&mut entropy));
    }

    #[test]
    fn garbage_is_not_an_id() {
        for text in ["", "0", "0000000000000000-", "000000000000000O", "é00000000000000", "00000000000000000"]
        {
            assert_eq!(text.parse::<EndpointId>(), Err(InvalidId), "{text}");
            assert_eq!(text.parse::<SequenceId>(), Err(InvalidId), "{text}");
        }
    }
}
