//! What endpoints say: enrol, ask for the time, sync.

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use tidegate_core::call::{DirectoryInput, EndpointInput, Input, ObjectId, Reply};
use tidegate_core::envelope::{Envelope, Payload as _};
use tidegate_core::error::Code;
use tidegate_core::id::EndpointId;
use tidegate_core::keys::{Role, Sign};
use tidegate_core::time::Timestamp;
use tidegate_core::wire::{
    Authority, EnrolAnswer, EnrolRequest, EnrolmentCertificate, FirstLine, PROTOCOL_VERSION, RecoverRequest,
    SYNC_BYTES_MAX, SYNC_LINE_BYTES_MAX, SyncMessage, SyncParseError, SyncRequest, TimeAnswer, TimeRequest,
    TimeStatement,
};

use crate::Shared;
use crate::arriving::{Arriving, NEAR_BYTES_MAX, Unpacked};
use crate::body::{SmallJson, parse};
use crate::encoding::Encoding;
use crate::extract::NoQuery;
use crate::hold::{self, Arrival};
use crate::host::{ClientAddress, Host, apart};
use crate::problem::Problem;
use crate::room::{self, BodyRoom};
use crate::runtime_body::{RuntimeBody, compressed_json, require_runtime_type};

/// Largest request to enrol, decompressed: a full catalogue of probes and generous facts, in base 64.
const ENROL_BYTES_MAX: usize = 512 * 1024;

/// Enrols a machine, or takes back one that presents its certificate.
///
/// The body is an envelope (DSSE) signed by the machine's key. Repeating a request whose answer was lost gives the
/// same endpoint.
#[utoipa::path(
    post, path = "/runtime/v1/enrol", tag = "runtime", operation_id = "enrol",
    request_body(content = Object, description = "An envelope around the request"),
    responses((status = 200, description = "The endpoint's certificate", body = Object)),
)]
pub(crate) async fn enrol(
    State(host): State<Shared>,
    _: NoQuery,
    RuntimeBody { bytes, accepted }: RuntimeBody<ENROL_BYTES_MAX>,
) -> Result<Response, Problem> {
    let envelope: Envelope = parse(&bytes)?;
    let answer = match envelope.payload_type.as_str() {
        EnrolRequest::TYPE => admit(host.as_ref(), envelope).await?,
        RecoverRequest::TYPE => recover(host.as_ref(), envelope).await?,
        _ => return Err(Problem::invalid("the envelope carries no request to enrol or to recover")),
    };
    compressed_json(&answer, accepted)
}

/// Answers with the time, signed, to an endpoint that cannot judge the server's certificate yet.
#[utoipa::path(
    post, path = "/runtime/v1/time", tag = "runtime", operation_id = "time",
    request_body(content = Object, description = "`nonce`, 16 to 64 characters"),
    responses((status = 200, description = "The time by the statement key, that key by the root key", body = Object)),
)]
pub(crate) async fn time(
    State(host): State<Shared>,
    _: NoQuery,
    SmallJson { value, .. }: SmallJson<TimeRequest>,
) -> Result<Json<TimeAnswer>, Problem> {
    let length = value.nonce.chars().count();
    if !(16..=64).contains(&length) {
        return Err(Problem::invalid("`nonce` has 16 to 64 characters"));
    }
    Ok(Json(time_answer(value.nonce, host.now(), host.keys(), host.authority())))
}

/// Moves both logs forward; holds the answer as long as the endpoint allows when there is nothing to say.
///
/// The body is lines of JSON: a signed line, then the journal's entries; or one short line while nothing moves. The
/// protocol's documentation gives every message.
#[utoipa::path(
    post, path = "/runtime/v1/sync", tag = "runtime", operation_id = "sync",
    request_body(content = String, content_type = "application/x-ndjson", description = "The request's lines"),
    responses(
        (status = 200, description = "What the control plane holds, and orders", body = Object),
        (status = 204, description = "Nothing has moved"),
    ),
)]
pub(crate) async fn sync(
    State(host): State<Shared>,
    address: Option<Extension<ClientAddress>>,
    _: NoQuery,
    request: Request,
) -> Result<Response, Problem> {
    let at = host.now();
    require_runtime_type(request.headers())?;
    let accepted = Encoding::accepted(request.headers());
    let room = request.extensions().get().cloned();
    let arriving = Arriving::open(request, SYNC_BYTES_MAX)?;
    let message = message(host.as_ref(), arriving, room.as_ref()).await?;
    let address = address.map(|Extension(ClientAddress(address))| address.to_string());
    match hold::answer(host.as_ref(), Arrival { message, address, at }).await? {
        Some(answer) => compressed_json(&answer, accepted),
        None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// Reads a sync in two steps: nothing after the first line is read until a key of the endpoint is known to have signed
/// that line.
async fn message(
    host: &dyn Host,
    mut arriving: Arriving,
    room: Option<&BodyRoom>,
) -> Result<SyncMessage, Problem> {
    let Some(bytes) = arriving.line(SYNC_LINE_BYTES_MAX).await? else {
        return Err(unreadable_sync(&SyncParseError::LineTooLong));
    };
    match FirstLine::parse(&bytes).map_err(|error| unreadable_sync(&error))? {
        FirstLine::Idle(idle) => {
            let nothing =
                |_: &[u8]| Err(Problem::invalid("an idle sync is one line, and something follows it"));
            arriving.rest(nothing).await?;
            // It may be held for minutes, and says nothing that is kept.
            if let Some(BodyRoom(room)) = room {
                room.give_back();
            }
            Ok(SyncMessage::Idle(idle))
        }
        FirstLine::Signed(first) => {
            let first = hold::verified(host, *first).await?;
            room::prove(room);
            let content = arriving.content(host, first.content(bytes.len())).await;
            let content = content.map_err(|error| match error {
                Unpacked::Refused(problem) => problem,
                Unpacked::Unreadable(error) => unreadable_sync(&error),
            })?;
            let request = if content.bytes() > NEAR_BYTES_MAX {
                apart(host, move || SyncRequest::complete(first, content)).await?
            } else {
                SyncRequest::complete(first, content)
            };
            Ok(SyncMessage::Signed(Box::new(request.map_err(|error| unreadable_sync(&error))?)))
        }
    }
}

/// The time as an endpoint believes it: bound to its nonce by the statement key, that key by the root key.
pub(crate) fn time_answer(
    nonce: String,
    now: Timestamp,
    keys: &dyn Sign,
    authority: &Authority,
) -> TimeAnswer {
    let statement = TimeStatement { v: PROTOCOL_VERSION, nonce, at: now };
    TimeAnswer {
        time: Envelope::seal(&statement, keys, Role::Statement),
        authority: authority.certificate.clone(),
        root: authority.root,
    }
}

/// Enrols in two calls, since no call touches two objects. A crash between them is repaired by the machine's repeat.
async fn admit(host: &dyn Host, envelope: Envelope) -> Result<EnrolAnswer, Problem> {
    let input = Input::Directory(DirectoryInput::Admit(Box::new(envelope)));
    let Reply::Admitted { admission, same_name } = host.handle(ObjectId::Directory, input).await? else {
        return Err(Problem::unexpected_answer());
    };
    let endpoint = admission.endpoint;
    let answer = enrolled(host, endpoint, EndpointInput::Enrol(admission)).await?;
    Ok(EnrolAnswer { same_name, ..answer })
}

/// The certificate that the machine presents names its object; the core judges whether to believe it.
async fn recover(host: &dyn Host, envelope: Envelope) -> Result<EnrolAnswer, Problem> {
    let unreadable = |error| Problem::invalid(format!("the request to recover does not read: {error}"));
    let request: RecoverRequest = envelope.peek().map_err(unreadable)?;
    let certificate: EnrolmentCertificate = request.enrolment.peek().map_err(unreadable)?;
    enrolled(host, certificate.endpoint, EndpointInput::Recover(Box::new(envelope))).await
}

async fn enrolled(
    host: &dyn Host,
    endpoint: EndpointId,
    input: EndpointInput,
) -> Result<EnrolAnswer, Problem> {
    match host.handle(ObjectId::Endpoint(endpoint), Input::Endpoint(input)).await? {
        Reply::Enrolled(answer) => Ok(*answer),
        _ => Err(Problem::unexpected_answer()),
    }
}

fn unreadable_sync(error: &SyncParseError) -> Problem {
    match error {
        SyncParseError::TooLarge
        | SyncParseError::LineTooLong
        | SyncParseError::Entries
        | SyncParseError::Proofs => Problem::new(Code::TooLarge, error.to_string()),
        SyncParseError::Line(_) | SyncParseError::Envelope(_) | SyncParseError::Content => {
            Problem::invalid(error.to_string())
        }
    }
}
