//! Is this a state, of this format, and ours to open? Which batch was acknowledged last?

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Context, Error, Kind, Result};
use crate::failpoint::{Step, around};

const FORMAT: &str = "onefold state 3\n";
/// The formats before: without the lookups by record key and by identity, and what explanations need; then, with facts
/// and interactions that knew less, which are read all the same.
const FORMATS_BEFORE: [&str; 2] = ["onefold state 1\n", "onefold state 2\n"];
const FORMAT_FILE: &str = "format";
const LOCK_FILE: &str = "lock";
const WITNESS_FILE: &str = "witness";
const ROWS_FOLDER: &str = "rows";
/// The rows as they are written anew, and as they were, while the one takes the place of the other.
const NEW_ROWS_FOLDER: &str = "rows.new";
const OLD_ROWS_FOLDER: &str = "rows.old";
const DAMAGED_PREFIX: &str = "damaged-";

/// How often, and how long apart, a reader asks for a state that another process has: another
/// reader lets it go at once, a job does not.
const READER_TRIES: u32 = 20;
const READER_WAIT: Duration = Duration::from_millis(25);

/// A state's folder, locked for this process until it is dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// The state is of the format before.
    pub(super) is_older: bool,
    /// Closing the file unlocks it.
    _lock: File,
}

/// Looks whether a state could be opened in the folder `path`, or made there. Takes no lock and
/// changes nothing.
///
/// **Errors:** as of [`Store::open`](super::Store::open), as far as can be seen from outside.
pub fn check(path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    refuse_strangers(path)?;
    match fs::read(path.join(FORMAT_FILE)) {
        Ok(bytes) => check_format(path, &bytes).map(drop),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).context(Kind::Unavailable, "state: read format"),
    }
}

impl Folder {
    /// Locks the folder, creating it where there is none, and checks that it is a state of this
    /// format.
    pub(super) fn open(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).context(Kind::Unavailable, "state: create folder")?;
        refuse_strangers(path)?;
        let mut folder = Self { path: path.to_owned(), is_older: false, _lock: lock(path)? };
        folder.is_older = folder.check_format()?;
        folder.settle_rewrite()?;
        Ok(folder)
    }

    /// Locks the folder of a state that is there, to read it.
    ///
    /// **Errors:** `Invalid` where there is none; `Fenced` where a job has it.
    pub(super) fn open_existing(path: &Path) -> Result<Self> {
        let none = || Error::invalid(format!("state: there is none in {}", path.display()));
        let bytes = match fs::read(path.join(FORMAT_FILE)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(none()),
            Err(error) => return Err(error).context(Kind::Unavailable, "state: read format"),
        };
        if check_format(path, &bytes)? {
            return Err(Error::invalid(format!(
                "state: {} was written by an earlier version: run the pipeline once, which brings \
                 it up to date",
                path.display()
            )));
        }
        let mut tries = 0;
        loop {
            match lock(path) {
                Err(error) if error.kind() == Kind::Fenced && tries < READER_TRIES => {
                    tries += 1;
                    std::thread::sleep(READER_WAIT);
                }
                Err(error) if error.kind() == Kind::Fenced => {
                    return Err(Error::fenced(format!(
                        "state: {} is open in another process: a running job keeps it to itself, \
                         ask when that has stopped",
                        path.display()
                    )));
                }
                Err(error) => return Err(error),
                Ok(lock) => {
                    let folder = Self { path: path.to_owned(), is_older: false, _lock: lock };
                    folder.settle_rewrite()?;
                    return Ok(folder);
                }
            }
        }
    }

    /// Where the state lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the embedded store lives.
    pub(super) fn rows(&self) -> PathBuf {
        self.path.join(ROWS_FOLDER)
    }

    /// The empty folder in which the rows are written anew.
    pub(super) fn begin_rewrite(&self) -> Result<PathBuf> {
        let new = self.path.join(NEW_ROWS_FOLDER);
        remove(&new).context(Kind::Unavailable, "state: write anew")?;
        Ok(new)
    }

    /// Puts the rows that were written anew in the place of those that were, of which nothing is left; nor of what
    /// was set aside.
    pub(super) fn end_rewrite(&self) -> Result<()> {
        let (new, old) = (self.path.join(NEW_ROWS_FOLDER), self.path.join(OLD_ROWS_FOLDER));
        around(Step::StateRewrite, || {
            fs::rename(self.rows(), &old)?;
            fs::rename(&new, self.rows())?;
            self.sync()?;
            remove(&old)?;
            for entry in fs::read_dir(&self.path)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(DAMAGED_PREFIX) {
                    fs::remove_file(entry.path())?;
                }
            }
            self.sync()
        })
        .context(Kind::Unavailable, "state: write anew")
    }

    /// Brings a rewrite to its end that was cut short, or takes it back.
    fn settle_rewrite(&self) -> Result<()> {
        let (new, old) = (self.path.join(NEW_ROWS_FOLDER), self.path.join(OLD_ROWS_FOLDER));
        let settle = || {
            // The rows leave their place only when the new ones are whole.
            if old.exists() && new.exists() && !self.rows().exists() {
                fs::rename(&new, self.rows())?;
                self.sync()?;
            }
            remove(&new)?;
            if self.rows().exists() {
                remove(&old)?;
            }
            Ok::<_, std::io::Error>(())
        };
        settle().context(Kind::Unavailable, "state: settle what was written anew")
    }

    /// Whether the state is of a format before; a new one is of this.
    fn check_format(&self) -> Result<bool> {
        match fs::read(self.path.join(FORMAT_FILE)) {
            Ok(bytes) => check_format(&self.path, &bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.write_format().map(|()| false)
            }
            Err(error) => Err(error).context(Kind::Unavailable, "state: read format"),
        }
    }

    /// Says durably that the state is of this format.
    pub(super) fn write_format(&self) -> Result<()> {
        around(Step::StateFormat, || self.replace(FORMAT_FILE, FORMAT.as_bytes()))
            .context(Kind::Unavailable, "state: write format")
    }

    /// Puts a file in the place of another, durably and whole.
    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        let new = self.path.join(format!("{name}.new"));
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, self.path.join(name))?;
        self.sync()
    }

    /// Removes a file durably, if it is there.
    pub(super) fn remove(&self, name: &str) -> std::io::Result<()> {
        match fs::remove_file(self.path.join(name)) {
            Ok(()) => self.sync(),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes it durable which files there are.
    pub(super) fn sync(&self) -> std::io::Result<()> {
        if cfg!(unix) { File::open(&self.path)?.sync_all() } else { Ok(()) }
    }

    /// Checks that the embedded store is there if a batch was `acknowledged`; if none was, removes
    /// what a creation left behind that was interrupted before any batch could be written.
    pub(super) fn check_rows(&self, acknowledged: Option<u64>) -> Result<()> {
        let rows = self.rows();
        if rows.join("version").exists() {
            return Ok(());
        }
        match acknowledged {
            Some(_) => Err(Error::data("state: its rows are missing")),
            None if rows.exists() => {
                fs::remove_dir_all(rows).context(Kind::Unavailable, "state: remove unborn rows")
            }
            None => Ok(()),
        }
    }

    /// Copies a journal that may be damaged before the store cuts it; a copy that is there already
    /// is kept.
    pub(super) fn set_aside(&self, journal: &Path) -> Result<PathBuf> {
        let name = journal.file_name().unwrap_or_default().to_string_lossy();
        let copy = self.path.join(format!("{DAMAGED_PREFIX}{name}"));
        if !copy.exists() {
            fs::copy(journal, &copy).context(Kind::Unavailable, "state: copy damaged journal")?;
        }
        Ok(copy)
    }

    /// The disk space of everything in the folder. **Units:** bytes.
    pub(super) fn disk_bytes(&self) -> u64 {
        disk_bytes(&self.path)
    }
}

/// Whether a state is of a format before, which is brought up to date when it is opened.
fn check_format(path: &Path, bytes: &[u8]) -> Result<bool> {
    let is_before = FORMATS_BEFORE.iter().any(|format| bytes == format.as_bytes());
    if is_before || bytes == FORMAT.as_bytes() {
        return Ok(is_before);
    }
    Err(Error::data(format!(
        "state: {} is of format {:?}, this program reads {:?}",
        path.display(),
        String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).trim(),
        FORMAT.trim(),
    )))
}

/// Removes a folder, if it is there.
fn remove(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn refuse_strangers(path: &Path) -> Result<()> {
    if holds_other_files(path)? && !path.join(FORMAT_FILE).exists() {
        return Err(Error::invalid(format!(
            "state: {} holds other files; name an empty folder or an existing state",
            path.display()
        )));
    }
    Ok(())
}

fn holds_other_files(path: &Path) -> Result<bool> {
    let ours = ["format.new", LOCK_FILE];
    let mut entries = fs::read_dir(path).context(Kind::Unavailable, "state: read folder")?;
    Ok(entries.any(|entry| entry.is_ok_and(|e| !ours.iter().any(|name| e.file_name() == *name))))
}

fn lock(path: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path.join(LOCK_FILE))
        .context(Kind::Unavailable, "state: open lock")?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::fenced(format!(
            "state: {} is open in another process; stop that, or set another state.path",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(error).context(Kind::Unavailable, "state: lock"),
    }
}

fn disk_bytes(path: &Path) -> u64 {
    // Files come and go while the store compacts: what is gone takes no space.
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    let bytes = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
        Ok(metadata) => allocated_bytes(&metadata),
        Err(_) => 0,
    };
    entries.filter_map(std::result::Result::ok).map(bytes).sum()
}

/// Journals are made 64 MiB long before they are written, so the length is not what a file takes.
#[cfg(unix)]
fn allocated_bytes(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(metadata) * 512
}

#[cfg(not(unix))]
fn allocated_bytes(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}

/// Remembers the last batch that was acknowledged, outside the journal that holds it.
#[derive(Debug)]
pub(super) struct Witness(File);

/// Two slots, in sectors of their own and written in turn: a torn one leaves the other.
const SLOT_BYTES: u64 = 4096;

impl Witness {
    /// The batch on record in a folder; `None` in a new state.
    pub(super) fn read(folder: &Folder) -> Result<Option<u64>> {
        let mut bytes = Vec::new();
        match File::open(folder.path.join(WITNESS_FILE)) {
            Ok(mut file) => file.read_to_end(&mut bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => Err(error),
        }
        .context(Kind::Unavailable, "state: read witness")?;
        let slots = bytes.chunks(SLOT_BYTES as usize);
        match slots.filter_map(read_slot).max() {
            Some(batch) => Ok(Some(batch)),
            None => Err(Error::data("state: the witness file is damaged")),
        }
    }

    /// Opens or creates the file and makes `batch` durable in it.
    pub(super) fn create(folder: &Folder, batch: u64) -> Result<Self> {
        let create = || {
            let path = folder.path.join(WITNESS_FILE);
            let new = folder.path.join("witness.new");
            if !path.exists() {
                let mut file = File::create(&new)?;
                file.write_all(&slot(batch))?;
                file.sync_all()?;
                fs::rename(&new, &path)?;
                folder.sync()?;
            }
            OpenOptions::new().write(true).open(path).map(Self)
        };
        let mut witness = create().context(Kind::Unavailable, "state: create witness")?;
        witness.record(batch)?;
        witness.sync()?;
        Ok(witness)
    }

    /// Notes that `batch` is durable; a crash of the process does not undo it, a power cut may.
    pub(super) fn record(&mut self, batch: u64) -> Result<()> {
        around(Step::StateWitness, || {
            let at = SeekFrom::Start(batch % 2 * SLOT_BYTES);
            self.0.seek(at).and_then(|_| self.0.write_all(&slot(batch)))
        })
        .context(Kind::Unavailable, "state: write witness")
    }

    /// Makes what was recorded withstand a power cut.
    pub(super) fn sync(&self) -> Result<()> {
        self.0.sync_all().context(Kind::Unavailable, "state: sync witness")
    }
}

fn slot(batch: u64) -> [u8; 16] {
    let number = batch.to_le_bytes();
    let mut slot = [0; 16];
    slot[..8].copy_from_slice(&number);
    slot[8..].copy_from_slice(&blake3::hash(&number).as_bytes()[..8]);
    slot
}

fn read_slot(bytes: &[u8]) -> Option<u64> {
    let batch = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
    (bytes.get(..16)? == slot(batch)).then_some(batch)
}
