//! What is checked, and what was found.

use serde::Serialize;

/// What a machine needs to do its work, in the order in which one thing builds on another. Its name in JSON is stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Subject {
    /// The control plane's name has an address.
    Dns,
    /// The proxy, where there is one, takes the connection.
    Proxy,
    /// The control plane's port answers.
    Tcp,
    /// It proves its name.
    Tls,
    /// What answers is the control plane this machine knows.
    ControlPlane,
    /// This machine's clock shows the time.
    Clock,
    /// The program may do what it must.
    Permissions,
    /// The state directory can be read and written, and lasts.
    Storage,
    /// The control plane works with this machine.
    Enrolment,
}

impl Subject {
    /// What lies on the way to the control plane.
    pub(super) const OF_THE_PATH: [Self; 6] =
        [Self::Dns, Self::Proxy, Self::Tcp, Self::Tls, Self::ControlPlane, Self::Clock];

    /// For people.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Dns => "DNS",
            Self::Proxy => "proxy",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::ControlPlane => "control plane",
            Self::Clock => "clock",
            Self::Permissions => "permissions",
            Self::Storage => "storage",
            Self::Enrolment => "enrolment",
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// As it should be.
    Well(String),
    /// It works, and somebody may want to know.
    Noted(Trouble),
    /// Nothing works until it is mended.
    Broken(Trouble),
    /// Cannot be judged, because of this.
    NotChecked(String),
}

/// What is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// What was found.
    pub(super) said: String,
    /// What a person can do about it.
    pub(super) remedy: String,
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) subject: Subject,
    pub(super) finding: Finding,
}

impl Finding {
    /// Broken, and what to do about it.
    pub(super) fn broken(said: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Broken(Trouble { said: said.into(), remedy: remedy.into() })
    }

    /// Works, and what to do if it is not meant.
    pub(super) fn noted(said: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Noted(Trouble { said: said.into(), remedy: remedy.into() })
    }

    /// Of this subject.
    pub(super) fn of(self, subject: Subject) -> Check {
        Check { subject, finding: self }
    }
}
