//! Clients, sites, enrolment codes, people and their tokens.

use serde::{Deserialize, Serialize};

use super::TokenLife;
use crate::day::UtcDay;
use crate::id::{ClientId, CodeId, EndpointId, PersonId, SessionId, SiteId, TokenId};
use crate::time::{Milliseconds, Timestamp};
use crate::window::Window;

/// Asks for a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClient {
    /// 1 to 200 bytes without control characters; unique.
    pub name: String,
}

/// Renames a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientPatch {
    /// 1 to 200 bytes without control characters; unique.
    pub name: String,
}

/// An MSP's customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ClientView {
    /// Its id.
    pub id: ClientId,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Asks for a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSite {
    /// The client it belongs to.
    pub client_id: ClientId,
    /// 1 to 200 bytes without control characters; unique within the client.
    pub name: String,
    /// An IANA time zone such as `Europe/Berlin`; absent: `UTC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// When its machines are planned to be reached, in that zone; at most 14.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
}

/// Edits a site. What is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SitePatch {
    /// 1 to 200 bytes without control characters; unique within the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// An IANA time zone such as `Europe/Berlin`; its machines take it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// When its machines are planned to be reached, all of them anew; at most 14, `[]`: nothing is planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<Vec<Window>>,
}

/// One plant or place of a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SiteView {
    /// Its id.
    pub id: SiteId,
    /// The client it belongs to.
    pub client_id: ClientId,
    /// Its name.
    pub name: String,
    /// The IANA time zone its people read.
    pub time_zone: String,
    /// When its machines are planned to be reached, in that zone. Nothing is decided by it.
    #[serde(default)]
    pub windows: Vec<Window>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Asks for an enrolment code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCode {
    /// The site that machines enrol into.
    pub site_id: SiteId,
    /// How many machines it admits, 1 to 1,000; absent: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
    /// How long it admits, 1m to 90d; absent: 7d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<Milliseconds>,
    /// The one existing machine it re-enrols, after its disk was replaced or re-imaged; absent: new machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<EndpointId>,
}

/// An enrolment code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CodeView {
    /// Its id.
    pub id: CodeId,
    /// The code itself; only in the answer that made it, it is stored hashed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The site it enrols into.
    pub site_id: SiteId,
    /// The one machine it re-enrols; absent: new machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<EndpointId>,
    /// How many machines it still admits.
    pub uses_left: u32,
    /// Until when it admits.
    pub expires_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
}

/// Invites a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPerson {
    /// The e-mail address, 3 to 200 bytes; unique in whichever case it is written. Nothing is sent to it.
    pub email: String,
}

/// Asks for an API token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for: 1 to 100 bytes without control characters; need not be unique.
    pub name: String,
    /// How long it works, 1s to 366d, or `never` for until it is withdrawn; absent: 90d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<TokenLife>,
}

/// Renames a token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenPatch {
    /// 1 to 100 bytes without control characters.
    pub name: String,
}

/// A person who may use the API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PersonView {
    /// The id.
    pub id: PersonId,
    /// The e-mail address, which is also the name in transcripts.
    pub email: String,
    /// `owner`; there are no other roles.
    pub role: String,
    /// When the record was made.
    pub created_at: Timestamp,
    /// Since when they may not sign in and their tokens do not work; absent: they are active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deactivated_at: Option<Timestamp>,
    /// Whether they can sign in with a password.
    pub has_password: bool,
    /// When they last signed in with a browser; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_signed_in_at: Option<Timestamp>,
    /// The secret of a sign-in link, which works once and for 24 hours; only in the answer that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_in_secret: Option<String>,
}

/// An API token, without its secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TokenView {
    /// The id.
    pub id: TokenId,
    /// The secret; only in the answer that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What its person calls it.
    pub name: String,
    /// Whose it is.
    pub person_id: PersonId,
    /// Their e-mail address.
    pub email: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it works; absent: until it is withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The last day, of UTC, on which it was used; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_on: Option<UtcDay>,
}

/// A session of a person in a browser, without its secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SessionView {
    /// The id.
    pub id: SessionId,
    /// Whose it is.
    pub person_id: PersonId,
    /// Their e-mail address.
    pub email: String,
    /// When they signed in.
    pub created_at: Timestamp,
    /// Until when it works at the latest.
    pub expires_at: Timestamp,
    /// When it was last used, up to 15 minutes ago not exactly; 12 hours later it ends.
    pub last_used_at: Timestamp,
    /// The address it was opened from; absent: the host did not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What the browser called itself, at most 200 characters; may be empty.
    pub agent: String,
}
