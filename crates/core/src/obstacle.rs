//! What keeps a program from doing what it was told, with the stable codes that operators look up.
//!
//! [`crate::error::Code`] is what the control plane answers to a request. An [`Obstacle`] is met by a program itself:
//! at its start, on its disk, on the path, in what a person typed. Both are explained in `docs/errors.md`, and no word
//! is used by both.

macro_rules! obstacles {
    ($($(#[$documentation:meta])* $name:ident = $text:literal;)*) => {
        /// The stable codes of what programs meet. `docs/errors.md` explains each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Obstacle { $($(#[$documentation])* $name,)* }

        impl Obstacle {
            /// Every code, for the test that holds the documentation complete.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word that scripts branch on.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

obstacles! {
    // What a person typed.

    /// The command line does not make sense, beyond its grammar.
    Usage = "usage";
    /// No control plane is named anywhere.
    NoControlPlane = "no_control_plane";
    /// No token is at hand for the control plane.
    NoToken = "no_token";
    /// An address that does not read as one.
    InvalidUrl = "invalid_url";
    /// What was pasted is not a whole sign-in link.
    InvalidLink = "invalid_link";
    /// What was pasted is not a whole enrolment code.
    UnreadableCode = "unreadable_code";
    /// A name that nothing has.
    UnknownName = "unknown_name";
    /// A name that several things have.
    AmbiguousName = "ambiguous_name";
    /// A sequence file that does not read as one.
    InvalidYaml = "invalid_yaml";
    /// A file that cannot be read, or holds something else.
    FileUnreadable = "file_unreadable";
    /// A file that cannot be written.
    FileNotWritten = "file_not_written";
    /// A file that is there already and would be replaced.
    FileExists = "file_exists";
    /// What needs a confirmation and got none.
    NotConfirmed = "not_confirmed";
    /// Plain HTTP to another machine.
    HttpNotAllowed = "http_not_allowed";
    /// A policy that names a probe or folder that cannot be.
    InvalidPolicy = "invalid_policy";

    // The control plane's machine.

    /// Another program listens there.
    PortInUse = "port_in_use";
    /// The address is not this machine's, or not allowed.
    AddressUnusable = "address_unusable";
    /// The certificate or its key does not read, or they do not fit.
    TlsFilesUnusable = "tls_files_unusable";
    /// The data directory has no owner.
    NoOwner = "no_owner";
    /// The data directory has an owner already.
    OwnerExists = "owner_exists";
    /// The root key would lie where it must not.
    RootKeyMisplaced = "root_key_misplaced";
    /// The root key's file holds no root key.
    RootKeyUnusable = "root_key_unusable";
    /// An order key's request or answer does not fit.
    OrderKeyUnusable = "order_key_unusable";
    /// A backup holds an older order key than the machines may know, or another owner's.
    BackupKeyOutdated = "backup_key_outdated";
    /// Another process works on the data directory.
    DataDirectoryInUse = "data_directory_in_use";
    /// The data directory cannot be written.
    DataDirectoryNotWritable = "data_directory_not_writable";
    /// Others may enter the data directory.
    DataDirectoryOpen = "data_directory_open";
    /// A newer program wrote the data directory.
    DataDirectoryNewer = "data_directory_newer";
    /// The data directory's database is damaged, or none.
    DataDirectoryDamaged = "data_directory_damaged";
    /// The disk under a data or state directory is full.
    DiskFull = "disk_full";
    /// What is to be restored is no whole backup.
    BackupUnusable = "backup_unusable";
    /// A restore was killed, and the data directory is without its database.
    RestoreInterrupted = "restore_interrupted";
    /// A backup holds no keys, and none were found elsewhere.
    BackupWithoutKeys = "backup_without_keys";
    /// A backup is encrypted, and no identity that was named opens it.
    BackupEncrypted = "backup_encrypted";
    /// A recipient or an identity is no key of age.
    AgeKeyUnusable = "age_key_unusable";
    /// The record is not an export of this product.
    ExportUnusable = "export_unusable";

    // The endpoint.

    /// Another process works on the state directory.
    StateDirectoryInUse = "state_directory_in_use";
    /// The state directory cannot be written.
    StateDirectoryNotWritable = "state_directory_not_writable";
    /// A newer program wrote the state directory.
    StateDirectoryNewer = "state_directory_newer";
    /// The state directory's file is damaged, or none.
    StateDirectoryDamaged = "state_directory_damaged";
    /// The state directory is on a file system that forgets.
    VolatileState = "volatile_state";
    /// The folder is not a state directory.
    NotAStateDirectory = "not_a_state_directory";
    /// The machine is not enrolled.
    NotEnrolled = "not_enrolled";
    /// The machine is enrolled with another control plane.
    AlreadyEnrolled = "already_enrolled";
    /// The machine was retired.
    Retired = "retired";
    /// Another control plane answers than the code, or the enrolment, is of.
    WrongControlPlane = "wrong_control_plane";
    /// Processes of an earlier step cannot be ended.
    ProcessesSurvive = "processes_survive";

    // The service.

    /// Only root may change services.
    NotRoot = "not_root";
    /// systemd does not run the machine.
    NoSystemd = "no_systemd";
    /// A name that a service cannot have.
    InvalidServiceName = "invalid_service_name";
    /// A path that a service cannot name.
    InvalidServicePath = "invalid_service_path";
    /// A user that the service cannot run as.
    InvalidServiceUser = "invalid_service_user";
    /// A unit of somebody else has the name.
    ForeignUnit = "foreign_unit";
    /// The program cannot be executed where it was put.
    ProgramNotExecutable = "program_not_executable";
    /// systemd did not do what it was asked.
    SystemdFailed = "systemd_failed";

    // The path.

    /// The name has no address here.
    NameNotResolved = "name_not_resolved";
    /// Nobody took the connection.
    ConnectionRefused = "connection_refused";
    /// Nobody answered the connection.
    ConnectionTimeout = "connection_timeout";
    /// The connection broke.
    ConnectionCut = "connection_cut";
    /// The connection stood, and nothing came.
    NoAnswer = "no_answer";
    /// The proxy cannot be reached.
    ProxyUnreachable = "proxy_unreachable";
    /// The proxy's setting does not read.
    ProxySetting = "proxy_setting";
    /// The proxy wants to know who asks.
    ProxyAuthentication = "proxy_authentication";
    /// The proxy will not, or cannot, connect.
    ProxyRefused = "proxy_refused";
    /// What listens there is not a proxy.
    ProxyStrange = "proxy_strange";
    /// Nobody this machine trusts signed the certificate.
    CertificateUntrusted = "certificate_untrusted";
    /// The certificate is for another name.
    CertificateName = "certificate_name";
    /// The certificate is over.
    CertificateExpired = "certificate_expired";
    /// The certificate has not begun.
    CertificateNotYetValid = "certificate_not_yet_valid";
    /// TLS failed in another way.
    TlsFailed = "tls_failed";
    /// Nothing on this machine says whom to trust.
    NoTrustedCertificates = "no_trusted_certificates";
    /// Something answered that is not a control plane.
    NotAControlPlane = "not_a_control_plane";
    /// The certificate's dates do not fit the machine's clock, and the time is not known.
    ClockUnknown = "clock_unknown";

    // The computer.

    /// The operating system refused something that is always there.
    SystemFailed = "system_failed";
}

impl core::fmt::Display for Obstacle {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// An obstacle in words. Programs add it to an error's chain, find it there at their edge, and print all of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Obstructed {
    /// What it is.
    pub obstacle: Obstacle,
    /// What happened, with the values.
    pub what: String,
    /// What to do next; a second line and those after it are commands to copy.
    pub next: String,
}

impl Obstructed {
    /// `obstacle` in words.
    pub fn new(obstacle: Obstacle, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { obstacle, what: what.into(), next: next.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn a_word_is_one_obstacle_or_one_answer_and_can_be_written_in_a_log() {
        let mut words: Vec<_> = Obstacle::ALL.iter().map(|obstacle| obstacle.as_str()).collect();
        words.extend(Code::ALL.iter().map(|code| code.as_str()));
        let count = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), count, "a word that two have would need two explanations");
        assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
    }
}
