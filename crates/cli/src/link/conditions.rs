//! What a link does to the bytes and connections that pass it: plain data, each part on its own.
//!
//! The same words describe it everywhere: the flags of `tidegate link`, the spans of a schedule, and the fields
//! here.

use core::fmt;
use core::str::FromStr;
use std::time::Duration;

use tidegate_core::time::Milliseconds;

/// How a link behaves. The default carries everything at once, and closes by [`Closed::Cut`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Conditions {
    /// What closing it does.
    pub closed: Closed,
    /// Towards the address it leads to.
    pub up: Shape,
    /// Back from there.
    pub down: Shape,
    /// How long a connection may last; `None`: for ever.
    pub cut_age: Option<Duration>,
    /// How long a connection may carry nothing, either way; `None`: for ever.
    pub cut_idle: Option<Duration>,
    /// Who is told when a connection reaches one of its limits.
    pub cut_tells: Told,
}

/// What happens to the bytes of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Shape {
    /// How long each byte is under way. A new connection's first bytes wait a round trip longer, for the
    /// handshake that a real link would carry.
    pub latency: Duration,
    /// Up to so much is added to the latency, at random. Order is kept: what is late holds up what follows.
    pub jitter: Duration,
    /// What all connections together may carry; `None`: whatever comes.
    pub rate: Option<Rate>,
    /// Bytes after which a connection ends, counted from its beginning; `None`: never.
    pub cut_after_bytes: Option<u64>,
}

/// What a closed link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Closed {
    /// Resets what is established and refuses what is new: an interface that went down.
    #[default]
    Cut,
    /// Accepts and swallows: nothing arrives and nobody is told, as behind a proxy that lost its own way out.
    /// When the link opens everything goes on where it stood.
    Silent,
    /// Loses packets: nothing is acknowledged and no connection is accepted, as where a cable is out somewhere.
    /// What is established goes on when TCP next repeats itself. Linux only.
    Drop,
    /// Loses packets, and with them what was established: when the link opens, old connections stay dead
    /// without anyone being told, as behind a NAT that lost its table. Linux only.
    Forget,
}

/// Who learns that a connection ended. Who does not, believes that it is connected until its own patience ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Told {
    /// Both ends are reset: a proxy with a limit.
    #[default]
    Both,
    /// Only the side the link leads to is reset.
    Server,
    /// Only the side that connected is reset.
    Client,
    /// Neither: a NAT whose entry is gone.
    Nobody,
}

/// A direction through a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Towards the address it leads to.
    Up,
    /// Back from there.
    Down,
}

/// Bits a second: at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(u64);

/// One of the conditions, in words: `latency=300ms`, `rate=up:8kbit/s`, `cut-idle=none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// `latency`: [`Shape::latency`].
    Latency(Sided<Milliseconds>),
    /// `jitter`: [`Shape::jitter`].
    Jitter(Sided<Milliseconds>),
    /// `rate`: [`Shape::rate`].
    Rate(Sided<Limit<Rate>>),
    /// `cut-after`: [`Shape::cut_after_bytes`].
    CutAfter(Sided<Limit<u64>>),
    /// `cut-age`: [`Conditions::cut_age`].
    CutAge(Limit<Milliseconds>),
    /// `cut-idle`: [`Conditions::cut_idle`].
    CutIdle(Limit<Milliseconds>),
    /// `cut-tells`: [`Conditions::cut_tells`].
    CutTells(Told),
}

/// A value for one direction, as in `up:300ms`, or for each: `300ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sided<T> {
    /// The direction; `None`: both, each on its own.
    pub side: Option<Direction>,
    /// The value.
    pub value: T,
}

/// A limit, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit<T>(pub Option<T>);

/// A text that is no condition of a link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {wanted}")]
pub struct InvalidCondition {
    text: String,
    wanted: &'static str,
}

impl Conditions {
    /// The same shape both ways, each on its own.
    pub fn shaped(shape: Shape) -> Self {
        Self { up: shape, down: shape, ..Self::default() }
    }

    /// The default, closing in the given way.
    pub fn closing(closed: Closed) -> Self {
        Self { closed, ..Self::default() }
    }

    /// The shape of one direction.
    pub fn shape(&self, direction: Direction) -> &Shape {
        match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        }
    }

    /// What a handshake takes: once there and once back.
    pub fn round_trip(&self) -> Duration {
        self.up.latency + self.down.latency
    }

    /// The same with `settings`, of which a later one counts more.
    pub fn with<'a>(mut self, settings: impl IntoIterator<Item = &'a Setting>) -> Self {
        settings.into_iter().for_each(|setting| setting.apply(&mut self));
        self
    }
}

impl Closed {
    /// Whether packets are lost while the link is closed.
    pub(super) fn drops_packets(self) -> bool {
        matches!(self, Self::Drop | Self::Forget)
    }
}

impl Rate {
    /// So many bits a second; 0 is taken as 1.
    pub fn bits_per_second(bits: u64) -> Self {
        Self(bits.max(1))
    }

    /// How long so many bytes take.
    pub fn time_for(self, bytes: u64) -> Duration {
        let nanoseconds = u128::from(bytes) * 8 * 1_000_000_000 / u128::from(self.0);
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    /// Bytes that pass in `span`.
    pub fn bytes_in(self, span: Duration) -> u64 {
        let bytes = u128::from(self.0) * span.as_nanos() / 8_000_000_000;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

impl Setting {
    fn apply(&self, conditions: &mut Conditions) {
        match *self {
            Self::Latency(sided) => sided.each(conditions, |shape, span| shape.latency = duration(span)),
            Self::Jitter(sided) => sided.each(conditions, |shape, span| shape.jitter = duration(span)),
            Self::Rate(sided) => sided.each(conditions, |shape, Limit(rate)| shape.rate = rate),
            Self::CutAfter(sided) => {
                sided.each(conditions, |shape, Limit(bytes)| shape.cut_after_bytes = bytes);
            }
            Self::CutAge(Limit(span)) => conditions.cut_age = span.map(duration),
            Self::CutIdle(Limit(span)) => conditions.cut_idle = span.map(duration),
            Self::CutTells(told) => conditions.cut_tells = told,
        }
    }
}

impl<T: Copy> Sided<T> {
    fn each(self, conditions: &mut Conditions, set: impl Fn(&mut Shape, T)) {
        if self.side != Some(Direction::Down) {
            set(&mut conditions.up, self.value);
        }
        if self.side != Some(Direction::Up) {
            set(&mut conditions.down, self.value);
        }
    }
}

fn duration(span: Milliseconds) -> Duration {
    Duration::from_millis(span.0)
}

impl FromStr for Setting {
    type Err = InvalidCondition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "a condition such as `latency=300ms`, `jitter=50ms`, `rate=32kbit/s`, `rate=up:8kbit/s`, \
                              `cut-after=20000`, `cut-age=5m`, `cut-idle=60s` or `cut-tells=nobody`";
        let (name, value) = text.split_once('=').ok_or_else(|| invalid(text, WANTED))?;
        Ok(match name {
            "latency" => Self::Latency(value.parse()?),
            "jitter" => Self::Jitter(value.parse()?),
            "rate" => Self::Rate(value.parse()?),
            "cut-after" => Self::CutAfter(value.parse()?),
            "cut-age" => Self::CutAge(value.parse()?),
            "cut-idle" => Self::CutIdle(value.parse()?),
            "cut-tells" => Self::CutTells(
                clap::ValueEnum::from_str(value, false)
                    .map_err(|_| invalid(value, "one of `both`, `server`, `client` and `nobody`"))?,
            ),
            _ => return Err(invalid(text, WANTED)),
        })
    }
}

/// What can be the value of a condition.
pub trait ConditionValue: Sized {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// [`InvalidCondition`] with what it should look like.
    fn read(text: &str) -> Result<Self, InvalidCondition>;
}

impl ConditionValue for Milliseconds {
    fn read(text: &str) -> Result<Self, InvalidCondition> {
        Self::parse(text).map_err(|_| invalid(text, "a span such as `300ms`, `30s` or `5m`"))
    }
}

impl ConditionValue for Rate {
    fn read(text: &str) -> Result<Self, InvalidCondition> {
        let wanted = "a rate such as `32kbit/s`, `2Mbit/s` or `300bit/s`";
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let unit: u64 = match &text[digits..] {
            "bit/s" => 1,
            "kbit/s" => 1_000,
            "Mbit/s" => 1_000_000,
            "Gbit/s" => 1_000_000_000,
            _ => return Err(invalid(text, wanted)),
        };
        let bits = text[..digits].parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        bits.filter(|bits| *bits > 0).map(Self).ok_or_else(|| invalid(text, wanted))
    }
}

impl ConditionValue for u64 {
    fn read(text: &str) -> Result<Self, InvalidCondition> {
        text.parse().map_err(|_| invalid(text, "a number of bytes such as `20000`"))
    }
}

impl<T: ConditionValue> ConditionValue for Limit<T> {
    fn read(text: &str) -> Result<Self, InvalidCondition> {
        if text == "none" { Ok(Self(None)) } else { T::read(text).map(|value| Self(Some(value))) }
    }
}

impl<T: ConditionValue> FromStr for Limit<T> {
    type Err = InvalidCondition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::read(text)
    }
}

impl<T: ConditionValue> FromStr for Sided<T> {
    type Err = InvalidCondition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (side, value) = match text.split_once(':') {
            Some(("up", value)) => (Some(Direction::Up), value),
            Some(("down", value)) => (Some(Direction::Down), value),
            Some(_) => return Err(invalid(text, "for `up:` or `down:`")),
            None => (None, text),
        };
        Ok(Self { side, value: T::read(value)? })
    }
}

fn invalid(text: &str, wanted: &'static str) -> InvalidCondition {
    InvalidCondition { text: text.chars().take(40).collect(), wanted }
}

impl fmt::Display for Setting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency(span) => write!(formatter, "latency={span}"),
            Self::Jitter(span) => write!(formatter, "jitter={span}"),
            Self::Rate(rate) => write!(formatter, "rate={rate}"),
            Self::CutAfter(bytes) => write!(formatter, "cut-after={bytes}"),
            Self::CutAge(span) => write!(formatter, "cut-age={span}"),
            Self::CutIdle(span) => write!(formatter, "cut-idle={span}"),
            Self::CutTells(told) => write!(formatter, "cut-tells={told}"),
        }
    }
}

impl<T: fmt::Display> fmt::Display for Sided<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.side {
            Some(Direction::Up) => write!(formatter, "up:{}", self.value),
            Some(Direction::Down) => write!(formatter, "down:{}", self.value),
            None => self.value.fmt(formatter),
        }
    }
}

impl<T: fmt::Display> fmt::Display for Limit<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(formatter),
            None => formatter.write_str("none"),
        }
    }
}

impl fmt::Display for Rate {
    /// In the largest unit that divides it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1_000_000_000, "Gbit/s"), (1_000_000, "Mbit/s"), (1_000, "kbit/s")];
        match units.into_iter().find(|(unit, _)| self.0.is_multiple_of(*unit)) {
            Some((unit, name)) => write!(formatter, "{}{name}", self.0 / unit),
            None => write!(formatter, "{}bit/s", self.0),
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Both => "both",
            Self::Server => "server",
            Self::Client => "client",
            Self::Nobody => "nobody",
        })
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Cut => "cut",
            Self::Silent => "silent",
            Self::Drop => "drop",
            Self::Forget => "forget",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_reads_back_as_it_was_written() {
        for text in [
            "latency=300ms",
            "jitter=down:50ms",
            "rate=32kbit/s",
            "rate=up:1Gbit/s",
            "rate=1500bit/s",
            "rate=none",
            "cut-after=down:20000",
            "cut-age=5m",
            "cut-idle=60s",
            "cut-idle=none",
            "cut-tells=nobody",
        ] {
            let setting: Setting = text.parse().unwrap();
            assert_eq!(setting.to_string().parse(), Ok(setting), "{text}");
        }
        let wrong = [
            "",
            "latency",
            "latency=3",
            "latency=sideways:3s",
            "rate=32",
            "rate=0bit/s",
            "rate=kbit/s",
            "speed=1",
            "cut-after=-1",
            "cut-tells=me",
            "latency=none",
            "rate=99999999999Gbit/s",
        ];
        for text in wrong {
            assert!(text.parse::<Setting>().is_err(), "{text}");
        }
    }

    #[test]
    fn settings_compose_and_a_later_one_counts_more() {
        let read = |text: &str| text.parse::<Setting>().unwrap();
        let settings =
            ["rate=32kbit/s", "rate=up:8kbit/s", "latency=300ms", "cut-idle=1m", "cut-idle=none"].map(read);
        let conditions = Conditions::closing(Closed::Silent).with(&settings);
        assert_eq!(conditions.up.rate, Some(Rate::bits_per_second(8_000)));
        assert_eq!(conditions.down.rate, Some(Rate::bits_per_second(32_000)));
        assert_eq!(conditions.round_trip(), Duration::from_millis(600));
        assert_eq!((conditions.cut_idle, conditions.closed), (None, Closed::Silent));
    }

    #[test]
    fn a_rate_is_bits_a_second() {
        let rate = Rate::bits_per_second(32_000);
        assert_eq!(rate.time_for(4_000), Duration::from_secs(1));
        assert_eq!(rate.bytes_in(Duration::from_millis(500)), 2_000);
        assert_eq!(Rate::bits_per_second(0).time_for(1), Duration::from_secs(8));
    }
}
