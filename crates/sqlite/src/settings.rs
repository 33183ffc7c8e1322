//! What differs between a server's database and an endpoint's.

/// How large a database and its memory may become. All sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Page cache of each connection. A transaction that changes more spills into the write-ahead log.
    pub cache_bytes: u64,
    /// Largest database, rounded down to whole pages; `None` leaves it to the disk. A statement that
    /// needs more fails with [`SqlErrorKind::Full`](tidegate_core::sql::SqlErrorKind::Full). The
    /// write-ahead log comes on top.
    pub size_limit_bytes: Option<u64>,
    /// Whether a new database can give freed pages back to the file system
    /// ([`Store::shrink`](crate::Store::shrink)). Fixed when the database is created.
    pub shrinkable: bool,
    /// Write-ahead log that is moved into the database without waiting for anybody.
    pub checkpoint_bytes: u64,
    /// Write-ahead log that is moved into the database and cut to nothing, waiting for readers if need
    /// be. Bounds the disk that the log takes when readers overlap without a pause.
    pub truncate_bytes: u64,
    /// Write-ahead log that is kept on the disk ahead of need, so that commits find room there whatever else fills
    /// the disk; 0: none. The log file then stays as long as it has become, up to the larger of this and
    /// `truncate_bytes`.
    pub log_reserve_bytes: u64,
}

impl Settings {
    /// For a control plane: memory for an index of many endpoints, few and large checkpoints.
    ///
    /// A busy server writes the same pages again and again, and a checkpoint stores each once: at 16 MiB that is less
    /// often than at SQLite's own 1000 pages (4 MiB). Larger ones cost readers, who look pages up in the log by
    /// segments of 4096. Four times that is passed only when readers never leave a gap.
    pub fn server() -> Self {
        Self {
            cache_bytes: 16 << 20,
            size_limit_bytes: None,
            shrinkable: false,
            checkpoint_bytes: 16 << 20,
            truncate_bytes: 64 << 20,
            log_reserve_bytes: 0,
        }
    }

    /// For a machine with little memory and a bounded journal.
    ///
    /// The cache holds the working set of one sequence within a program's budget of 14 MB; the log stays
    /// small because the disk may be.
    pub fn endpoint() -> Self {
        Self {
            cache_bytes: 512 << 10,
            size_limit_bytes: None,
            shrinkable: true,
            checkpoint_bytes: 512 << 10,
            truncate_bytes: 2 << 20,
            log_reserve_bytes: 0,
        }
    }

    /// The same, with a largest size of the database.
    #[must_use]
    pub fn with_size_limit(mut self, bytes: u64) -> Self {
        self.size_limit_bytes = Some(bytes);
        self
    }

    /// The same, with room kept in the write-ahead log.
    #[must_use]
    pub fn with_log_reserve(mut self, bytes: u64) -> Self {
        self.log_reserve_bytes = bytes;
        self
    }
}
