//! The layout of a job in the memory that host and guest share.
//!
//! ```text
//! offset 0   magic            8 bytes   "SDLABJOB"
//! offset 8   version          u32 LE    PROTOCOL_VERSION
//! offset 12  index length     u32 LE    bytes of JSON
//! offset 16  who takes over   48 bytes  see `shell.rs`
//! offset 64  key              16 bytes  see `seal.rs`
//! offset 80  index            JSON      Scenario and the files' places
//! …          file contents    each at a multiple of BLOB_ALIGNMENT
//! the end    gates            see [`GATES`]
//! ```
//!
//! All bytes are there before the VM resumes; if the memory is all zeros, there is no job yet.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::scenario::Scenario;
use crate::shell::Handover;
use crate::version::PROTOCOL_VERSION;

/// The first bytes of a job.
pub const MAGIC: &[u8; 8] = b"SDLABJOB";

/// Size of the shared memory in bytes. The memory is sparse on the host.
pub const JOB_MEMORY_SIZE: usize = 128 << 20;

/// How many pages at the end of the memory are gates. A scenario that comes to its first [`Checkpoint`](crate::Step::Checkpoint) reads
/// the first of them, and so on. The host may withhold a page: the machine then stands still at that very instruction, without
/// noticing. Then the host makes copies of it, each with a job of its own, which it writes over the first one.
pub const GATES: usize = 64;

/// The size of a page.
pub const PAGE: usize = 4096;

/// The largest possible job, in bytes.
pub const LARGEST_JOB: usize = JOB_MEMORY_SIZE - GATES * PAGE;

/// Where the gate with this number is, in bytes.
pub fn gate(number: usize) -> usize {
    LARGEST_JOB + number * PAGE
}

/// File contents begin at a multiple of this, so that the guest copies whole pages.
pub const BLOB_ALIGNMENT: usize = 4096;

/// Bytes before the index.
const HEADER_SIZE: usize = 80;

/// A file to put into the guest, with its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Absolute path in the guest; missing parent directories are created.
    pub path: String,
    /// Permission bits, e.g. `0o755`.
    pub mode: u32,
    /// The content.
    pub content: Vec<u8>,
}

/// A file's place in the shared memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePlace {
    /// Absolute path in the guest.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Offset in the shared memory, in bytes.
    pub offset: usize,
    /// Length in bytes.
    pub length: usize,
}

/// A scenario with everything that it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// What is to happen.
    pub scenario: Scenario,
    /// The files to write before the first step, in this order.
    pub files: Vec<FilePlace>,
    /// `LogLevelMax=` as the unit files set it. The lab overrides it to see what systemd does about these units, and leaves the
    /// units' own lines above it out of the timeline. The key is the unit's name, its template's, or its type (`service`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub log_levels: BTreeMap<String, u8>,
}

impl Job {
    /// Encodes a scenario and its files as the bytes of the shared memory.
    ///
    /// # Errors
    ///
    /// [`JobError::TooLarge`] when it does not fit into [`LARGEST_JOB`].
    pub fn encode(
        scenario: &Scenario,
        blobs: &[Blob],
        log_levels: &BTreeMap<String, u8>,
    ) -> Result<Vec<u8>, JobError> {
        // The index holds offsets, and the offsets depend on the index's length. So count them from
        // the first file, which begins at the next aligned boundary after the index.
        let mut files = Vec::with_capacity(blobs.len());
        let mut offset = 0;
        for blob in blobs {
            files.push(FilePlace {
                path: blob.path.clone(),
                mode: blob.mode,
                offset,
                length: blob.content.len(),
            });
            offset = (offset + blob.content.len()).next_multiple_of(BLOB_ALIGNMENT);
        }
        let job = Job {
            scenario: scenario.clone(),
            files,
            log_levels: log_levels.clone(),
        };
        let index = serde_json::to_vec(&job).map_err(|e| JobError::Index(e.to_string()))?;
        let base = (HEADER_SIZE + index.len()).next_multiple_of(BLOB_ALIGNMENT);
        if base + offset > LARGEST_JOB {
            return Err(JobError::TooLarge {
                bytes: base + offset,
            });
        }

        let mut bytes = Vec::with_capacity(base + offset);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&PROTOCOL_VERSION.to_le_bytes());
        // `index.len()` is below JOB_MEMORY_SIZE, which fits.
        bytes.extend_from_slice(&(index.len() as u32).to_le_bytes());
        // The host writes the key last: an encoded job has none.
        bytes.resize(HEADER_SIZE, 0);
        Handover::write_never(&mut bytes);
        bytes.extend_from_slice(&index);
        for blob in blobs {
            bytes.resize(bytes.len().next_multiple_of(BLOB_ALIGNMENT), 0);
            bytes.extend_from_slice(&blob.content);
        }
        Ok(bytes)
    }

    /// Reads the index of a job. The offsets in the result count from the start of `memory`.
    ///
    /// # Errors
    ///
    /// [`JobError::NoJob`] when the memory holds none, [`JobError::Version`] when host and guest differ,
    /// [`JobError::Index`] when the index is unreadable or names places outside `memory`.
    pub fn decode(memory: &[u8]) -> Result<Job, JobError> {
        let header = memory.get(..HEADER_SIZE).ok_or(JobError::NoJob)?;
        if header[..8] != MAGIC[..] {
            return Err(JobError::NoJob);
        }
        let word = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        if word(8) != PROTOCOL_VERSION {
            return Err(JobError::Version { found: word(8) });
        }
        let length = word(12) as usize;
        let index = memory
            .get(HEADER_SIZE..HEADER_SIZE + length)
            .ok_or_else(|| JobError::Index("it ends outside the shared memory".into()))?;
        let mut job: Job =
            serde_json::from_slice(index).map_err(|e| JobError::Index(e.to_string()))?;
        let base = (HEADER_SIZE + length).next_multiple_of(BLOB_ALIGNMENT);
        for file in &mut job.files {
            file.offset += base;
            if file.offset.saturating_add(file.length) > memory.len() {
                return Err(JobError::Index(format!(
                    "{} ends outside the shared memory",
                    file.path
                )));
            }
        }
        Ok(job)
    }
}

/// Why a job could not be encoded or decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobError {
    /// The files do not fit.
    TooLarge {
        /// The size that they would need.
        bytes: usize,
    },
    /// The memory holds no job.
    NoJob,
    /// The other side speaks a different version.
    Version {
        /// Its version.
        found: u32,
    },
    /// The index cannot be read.
    Index(String),
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JobError::TooLarge { bytes } => write!(
                f,
                "the files of this scenario take {} MiB and the guest takes {} MiB; leave some out, or strip the binaries",
                bytes.div_ceil(1 << 20),
                JOB_MEMORY_SIZE >> 20
            ),
            JobError::NoJob => write!(f, "the shared memory holds no job"),
            JobError::Version { found } => {
                write!(
                    f,
                    "the other side speaks protocol version {found}, this side {PROTOCOL_VERSION}"
                )
            }
            JobError::Index(why) => write!(f, "the job's index cannot be read: {why}"),
        }
    }
}

impl std::error::Error for JobError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(path: &str, content: &[u8]) -> Blob {
        Blob {
            path: path.into(),
            mode: 0o644,
            content: content.to_vec(),
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let scenario = Scenario {
            name: "empty".into(),
            ..Scenario::default()
        };
        let blobs = [blob("/a", b"one"), blob("/b", b""), blob("/c", &[7; 5000])];
        let memory = Job::encode(&scenario, &blobs, &BTreeMap::new()).expect("it fits");
        let job = Job::decode(&memory).expect("it was just laid out");
        assert_eq!(job.scenario, scenario);
        for (place, blob) in job.files.iter().zip(&blobs) {
            assert_eq!(place.offset % BLOB_ALIGNMENT, 0);
            assert_eq!(&memory[place.offset..][..place.length], &blob.content[..]);
        }
    }

    #[test]
    fn labels_stay_on_the_host() {
        let plain = Scenario::new("t").start("a.service");
        let labelled = plain.clone().labelled("start");
        assert_ne!(plain, labelled);
        let encoded = |scenario| Job::encode(scenario, &[], &BTreeMap::new());
        assert_eq!(encoded(&labelled), encoded(&plain));
    }

    #[test]
    fn zeros_are_not_a_job() {
        assert_eq!(Job::decode(&[0; 64]), Err(JobError::NoJob));
        assert_eq!(Job::decode(&[]), Err(JobError::NoJob));
    }

    #[test]
    fn a_cut_job_is_refused() {
        let memory = Job::encode(
            &Scenario::default(),
            &[blob("/a", &[1; 9000])],
            &BTreeMap::new(),
        )
        .expect("it fits");
        assert!(matches!(
            Job::decode(&memory[..6000]),
            Err(JobError::Index(_))
        ));
        assert!(matches!(
            Job::decode(&memory[..HEADER_SIZE + 8]),
            Err(JobError::Index(_))
        ));
    }

    #[test]
    fn another_version_is_refused() {
        let mut memory = Job::encode(&Scenario::default(), &[], &BTreeMap::new()).expect("it fits");
        memory[8] = 99;
        assert_eq!(Job::decode(&memory), Err(JobError::Version { found: 99 }));
    }

    #[test]
    fn too_much_is_refused() {
        let big = blob("/big", &vec![0; JOB_MEMORY_SIZE]);
        assert!(matches!(
            Job::encode(&Scenario::default(), &[big], &BTreeMap::new()),
            Err(JobError::TooLarge { .. })
        ));
    }
}
