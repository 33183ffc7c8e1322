//! The directory's own hash-chained record: every act of a person here, and every machine that was admitted.
//!
//! An entry is made as in a transcript ([`crate::chain`]): the exact bytes are stored, so that the chain can be
//! checked with nothing but SHA-256. Digests of tokens and secrets are in none.

use serde::{Deserialize, Serialize};

use crate::chain::Link;
use crate::digest::Digest;
use crate::error::Error;
use crate::id::{ClientId, CodeId, EndpointId, PersonId, PlaybookId, SessionId, SiteId, TokenId};
use crate::keys::PublicKey;
use crate::sql::Value;
use crate::time::Timestamp;
use crate::window::Window;

use super::Directory;

/// The header of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryHeader {
    /// When it was stored.
    pub at: Timestamp,
    /// Who acted: an e-mail address, or [`crate::transcript::ACTOR_CONTROL_PLANE`].
    pub actor: String,
    /// What happened: the body's word.
    pub kind: String,
    /// Its place in the chain.
    pub link: Link,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DirectoryBody {
    /// An owner was made on the control plane's own machine.
    OwnerCreated {
        /// Who.
        person: PersonId,
        /// Their e-mail address.
        email: String,
    },
    /// An owner invited somebody.
    PersonInvited {
        /// Who.
        person: PersonId,
        /// Their e-mail address.
        email: String,
        /// What they may do.
        role: String,
    },
    /// An owner made a sign-in link.
    SignInLinkMade {
        /// For whom.
        person: PersonId,
    },
    /// An owner ended all that somebody could sign in with.
    PersonDeactivated {
        /// Who.
        person: PersonId,
        /// How many sessions that ended.
        sessions_ended: u64,
        /// How many tokens that withdrew.
        tokens_revoked: u64,
    },
    /// An owner let somebody sign in again.
    PersonReactivated {
        /// Who.
        person: PersonId,
    },
    /// A token was made, by its person or on the control plane's own machine.
    TokenCreated {
        /// Which.
        token: TokenId,
        /// Whose.
        person: PersonId,
        /// Until when it works; absent: until it is withdrawn, or the entry is older than that tokens have an end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
    },
    /// Somebody turned a sign-in link into a token.
    SignedIn {
        /// The token.
        token: TokenId,
        /// Who.
        person: PersonId,
        /// Until when the token works; absent as in `token_created`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
    },
    /// A token got another name.
    TokenRenamed {
        /// Which.
        token: TokenId,
        /// The new name.
        name: String,
    },
    /// A token was withdrawn.
    TokenRevoked {
        /// Which.
        token: TokenId,
        /// How many sessions ended that it had opened.
        #[serde(default)]
        sessions_ended: u64,
    },
    /// Somebody signed in with a browser.
    SessionOpened {
        /// The session.
        session: SessionId,
        /// Who.
        person: PersonId,
        /// With what.
        with: SessionBy,
        /// The address they came from; absent: the host did not know, or the entry is older.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        /// The API token that opened it; absent: none did, or the entry is older.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<TokenId>,
        /// What that token was called.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token_name: Option<String>,
    },
    /// Sign-ins of one kind, for one account, from one address were refused within about a minute.
    SignInRefused {
        /// Whose account; absent: nobody has the address, or none was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        person: Option<PersonId>,
        /// Their e-mail address, or the one that was typed and that nobody has; absent: none was, or what was typed is
        /// not an address beyond doubt and may be a password.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<String>,
        /// What did not hold.
        with: RefusedWith,
        /// The address the attempts came from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        /// How many.
        count: u64,
        /// From when.
        from: Timestamp,
        /// Until when.
        until: Timestamp,
    },
    /// More sign-ins were refused than get an entry each.
    SignInsRefused {
        /// How many.
        count: u64,
        /// From when.
        from: Timestamp,
        /// Until when.
        until: Timestamp,
    },
    /// Somebody proved again who they are, in an open session.
    SessionConfirmed {
        /// The session.
        session: SessionId,
        /// Who.
        person: PersonId,
        /// With what.
        with: SessionBy,
    },
    /// A session was ended: by its person, who signed out, or by an owner.
    SessionRevoked {
        /// Which.
        session: SessionId,
        /// Whose.
        person: PersonId,
    },
    /// Somebody set or replaced their own password.
    PasswordSet {
        /// Who.
        person: PersonId,
        /// How many other sessions of theirs that ended.
        sessions_ended: u64,
    },
    /// A client was made.
    ClientCreated {
        /// Which.
        client: ClientId,
        /// Its name.
        name: String,
    },
    /// A client got another name.
    ClientRenamed {
        /// Which.
        client: ClientId,
        /// The new name.
        name: String,
    },
    /// A site was made.
    SiteCreated {
        /// Which.
        site: SiteId,
        /// Whose.
        client: ClientId,
        /// Its name.
        name: String,
        /// Its time zone.
        time_zone: String,
        /// Its maintenance windows.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        windows: Vec<Window>,
    },
    /// A site was edited.
    SiteEdited {
        /// Which.
        site: SiteId,
        /// Its name from then on.
        name: String,
        /// Its time zone from then on.
        time_zone: String,
        /// Its maintenance windows from then on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        windows: Vec<Window>,
    },
    /// An enrolment code was made.
    CodeCreated {
        /// Which.
        code: CodeId,
        /// Where it enrols.
        site: SiteId,
        /// The one machine it re-enrols; `None`: new machines.
        endpoint: Option<EndpointId>,
        /// How many machines it admits.
        uses: u32,
        /// Until when.
        expires_at: Timestamp,
    },
    /// An enrolment code was withdrawn.
    CodeRevoked {
        /// Which.
        code: CodeId,
    },
    /// A playbook was made: its version 1.
    PlaybookCreated {
        /// Which.
        playbook: PlaybookId,
        /// Its name.
        name: String,
        /// The digest of what was stored.
        spec: Digest,
    },
    /// A new version of a playbook was saved.
    PlaybookSaved {
        /// Which.
        playbook: PlaybookId,
        /// The version.
        version: u64,
        /// Its name in it.
        name: String,
        /// The digest of what was stored.
        spec: Digest,
    },
    /// A playbook was put away.
    PlaybookArchived {
        /// Which.
        playbook: PlaybookId,
    },
    /// A playbook that was put away was taken out again.
    PlaybookUnarchived {
        /// Which.
        playbook: PlaybookId,
    },
    /// A code admitted a machine.
    Admitted {
        /// Which code.
        code: CodeId,
        /// As which endpoint.
        endpoint: EndpointId,
        /// With which key.
        key: PublicKey,
        /// Other machines of the site that had its name then, at most 5.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        same_name: Vec<EndpointId>,
    },
    /// An operator asked the root key for a new order key.
    OrderKeyRequested(OrderKeyChange),
    /// An operator put a new order key in use.
    OrderKeyRenewed(OrderKeyChange),
    /// An operator made a backup.
    BackupMade {
        /// Who.
        #[serde(flatten)]
        operator: Operator,
        /// The serial of the order key in use.
        order_key: u64,
        /// Whether the backup holds the secret halves of the keys.
        has_keys: bool,
        /// How many recipients it is encrypted to; 0: it is not encrypted.
        recipients: u64,
    },
    /// An operator put a backup in place. Entries after the backup's are lost.
    BackupRestored {
        /// Who.
        #[serde(flatten)]
        operator: Operator,
        /// The serial of the order key in use since.
        order_key: u64,
        /// Whether there was a database, which is kept.
        replaced: bool,
    },
}

/// Who ran a command on the control plane's own machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// The number of their account there; absent: the system has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
}

/// An order key that is asked for, or put in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderKeyChange {
    /// Who.
    #[serde(flatten)]
    pub operator: Operator,
    /// Its serial.
    pub serial: u64,
    /// Its fingerprint.
    pub fingerprint: Digest,
    /// The serials that it revokes.
    pub revokes: Vec<u64>,
    /// The serial of the pending request that was dropped for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<u64>,
}

/// What did not hold when somebody was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedWith {
    /// An e-mail address with a password.
    Password,
    /// A one-time link, or an API token in its place.
    Link,
    /// An API token that came with a request.
    Token,
    /// Nothing that was read: the address had tried too often.
    Limited,
}

/// What a session was opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionBy {
    /// A one-time link.
    Link,
    /// An API token.
    Token,
    /// A password.
    Password,
}

impl DirectoryBody {
    /// The word that the header repeats.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::OwnerCreated { .. } => "owner_created",
            Self::TokenCreated { .. } => "token_created",
            Self::SignedIn { .. } => "signed_in",
            Self::PersonInvited { .. } => "person_invited",
            Self::SignInLinkMade { .. } => "sign_in_link_made",
            Self::PersonDeactivated { .. } => "person_deactivated",
            Self::PersonReactivated { .. } => "person_reactivated",
            Self::TokenRenamed { .. } => "token_renamed",
            Self::TokenRevoked { .. } => "token_revoked",
            Self::SessionOpened { .. } => "session_opened",
            Self::SignInRefused { .. } => "sign_in_refused",
            Self::SignInsRefused { .. } => "sign_ins_refused",
            Self::SessionConfirmed { .. } => "session_confirmed",
            Self::SessionRevoked { .. } => "session_revoked",
            Self::PasswordSet { .. } => "password_set",
            Self::ClientCreated { .. } => "client_created",
            Self::ClientRenamed { .. } => "client_renamed",
            Self::SiteEdited { .. } => "site_edited",
            Self::SiteCreated { .. } => "site_created",
            Self::CodeCreated { .. } => "code_created",
            Self::CodeRevoked { .. } => "code_revoked",
            Self::PlaybookCreated { .. } => "playbook_created",
            Self::PlaybookSaved { .. } => "playbook_saved",
            Self::PlaybookArchived { .. } => "playbook_archived",
            Self::PlaybookUnarchived { .. } => "playbook_unarchived",
            Self::Admitted { .. } => "admitted",
            Self::OrderKeyRequested(_) => "order_key_requested",
            Self::OrderKeyRenewed(_) => "order_key_renewed",
            Self::BackupMade { .. } => "backup_made",
            Self::BackupRestored { .. } => "backup_restored",
        }
    }
}

impl Directory<'_> {
    /// Appends to the audit chain.
    pub(super) fn record(&mut self, actor: &str, body: &DirectoryBody) -> Result<(), Error> {
        let rows =
            self.db.query("SELECT number, header FROM directory_audit ORDER BY number DESC LIMIT 1", &[])?;
        let (number, previous) = match rows.first() {
            None => (1, Digest::ZERO),
            Some(last) => (last.unsigned(0)? + 1, Digest::of(last.text(1)?)),
        };
        let text = serde_json::to_string(body).expect("audit bodies serialize");
        let header = DirectoryHeader {
            at: self.cx.now,
            actor: actor.to_owned(),
            kind: body.kind().to_owned(),
            link: Link::new(number, previous, &text, &mut self.entropy),
        };
        self.db.execute(
            "INSERT INTO directory_audit (number, header, body) VALUES (?1, ?2, ?3)",
            &[number.into(), super::json(&header), Value::Text(text)],
        )?;
        Ok(())
    }
}
