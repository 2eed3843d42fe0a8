//! A file to put into the guest: its text, or its path on the host.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use systemd_lab_protocol::job::JOB_MEMORY_SIZE;
use systemd_lab_protocol::{Blob, JobError};

use crate::elf;
use crate::error::LabError;
use crate::regular;

/// Where systemd reads the administrator's units in the guest: systemd.unit(5), "Unit File Load Path".
pub(crate) const UNIT_DIRECTORY: &str = "/etc/systemd/system";

/// Permission bits of a unit or data file, and of a program.
const PLAIN: u32 = 0o644;
const EXECUTABLE: u32 = 0o755;
const ANY_EXECUTE: u32 = 0o111;

/// Larger files on the host are not read. Most of a large program is for debuggers, and stays outside.
const LARGEST: u64 = 2 << 30;

/// A file to put into the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestFile {
    path: String,
    mode: u32,
    content: Content,
    /// The caller takes care of the program's libraries.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    may_be_dynamic: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Content {
    Text(String),
    Host(PathBuf),
}

impl GuestFile {
    /// A text file, e.g. a unit or a drop-in, at an absolute path.
    pub fn text(path: impl Into<String>, content: impl Into<String>) -> GuestFile {
        GuestFile {
            path: path.into(),
            mode: PLAIN,
            content: Content::Text(content.into()),
            may_be_dynamic: false,
        }
    }

    /// A unit file of the administrator, or a drop-in: `my.service`, `my.service.d/more.conf`.
    ///
    /// ```
    /// use systemd_lab::GuestFile;
    ///
    /// let unit = GuestFile::unit("my.service", "[Service]\nExecStart=/usr/bin/true\n");
    /// assert_eq!(unit.path(), "/etc/systemd/system/my.service");
    /// ```
    pub fn unit(name: &str, content: impl Into<String>) -> GuestFile {
        GuestFile::text(format!("{UNIT_DIRECTORY}/{name}"), content)
    }

    /// The text of a file on the host.
    pub fn copy(path: impl Into<String>, host: impl Into<PathBuf>) -> GuestFile {
        GuestFile {
            path: path.into(),
            mode: PLAIN,
            content: Content::Host(host.into()),
            may_be_dynamic: false,
        }
    }

    /// A program on the host, with mode 0755. A binary must be statically linked.
    pub fn program(path: impl Into<String>, host: impl Into<PathBuf>) -> GuestFile {
        GuestFile {
            path: path.into(),
            mode: EXECUTABLE,
            content: Content::Host(host.into()),
            may_be_dynamic: false,
        }
    }

    /// A file from the host; it is executable in the guest if it is executable on the host. A binary may be linked
    /// dynamically, if the guest has its libraries or they are added as well:
    /// [`Experiment::check_guest`](crate::Experiment::check_guest) checks that.
    pub fn from_host(path: impl Into<String>, host: impl Into<PathBuf>) -> GuestFile {
        let host = host.into();
        // A missing file is reported when it is read.
        let is_executable =
            fs::metadata(&host).is_ok_and(|meta| meta.permissions().mode() & ANY_EXECUTE != 0);
        GuestFile {
            path: path.into(),
            mode: if is_executable { EXECUTABLE } else { PLAIN },
            content: Content::Host(host),
            may_be_dynamic: true,
        }
    }

    /// Its path in the guest.
    pub fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn is_executable(&self) -> bool {
        self.mode & ANY_EXECUTE != 0
    }

    /// The path of its content on the host, if it comes from there.
    pub fn host(&self) -> Option<&Path> {
        match &self.content {
            Content::Text(_) => None,
            Content::Host(path) => Some(path),
        }
    }

    /// Its content, if it is readable text.
    pub(crate) fn text_content(&self) -> Option<String> {
        match &self.content {
            Content::Text(text) => Some(text.clone()),
            Content::Host(path) => String::from_utf8(read(path).ok()?).ok(),
        }
    }

    pub(crate) fn load(&self) -> Result<Blob, LabError> {
        let content = match &self.content {
            Content::Text(text) => text.clone().into_bytes(),
            Content::Host(path) => {
                let content = read(path)?;
                let content = elf::prepare(path, content, self.may_be_dynamic)?;
                if content.len() > JOB_MEMORY_SIZE {
                    let bytes = content.len();
                    return Err(JobError::TooLarge { bytes }.into());
                }
                content
            }
        };
        Ok(Blob {
            path: self.path.clone(),
            mode: self.mode,
            content,
        })
    }
}

/// The content of a file on the host.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, LabError> {
    if let Ok(meta) = fs::metadata(path) {
        if let Some(kind) = regular::kind(meta.file_type()) {
            return Err(LabError::NotRegular {
                path: path.to_owned(),
                kind,
            });
        }
        if meta.is_file() && meta.len() > LARGEST {
            let bytes = usize::try_from(meta.len()).unwrap_or(usize::MAX);
            return Err(JobError::TooLarge { bytes }.into());
        }
    }
    regular::read(path, LARGEST).map_err(|source| LabError::Unreadable {
        path: path.to_owned(),
        source,
    })
}
