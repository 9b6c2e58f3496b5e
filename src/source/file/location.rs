//! A pattern in, sorted files out: where do they stand, and how are their bytes read?

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures::TryStreamExt;
use glob::{MatchOptions, Pattern};
use object_store::path::Path as Key;
use object_store::signer::Url;
use object_store::{GetOptions, ObjectMeta, ObjectStore};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use tokio::runtime::{Builder, Runtime};

use super::super::Options;
use crate::error::{Context, Error, Kind, Result};

/// What one request to an object store asks for: few requests, little memory.
const CHUNK_BYTES: u64 = 8 << 20;

/// Prefixes of the environment variables that object stores are configured by.
const STORE_VARIABLES: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];

const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// One file.
#[derive(Clone)]
pub(super) enum Location {
    /// A file of this machine, by its canonical path.
    Local { name: String, path: PathBuf },
    /// An object of a store, by its URL.
    Remote { name: String, object: Object },
}

impl Location {
    /// The canonical path or the URL; the same file has the same name in every run.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Local { name, .. } | Self::Remote { name, .. } => name,
        }
    }

    /// Its bytes from the start.
    pub(super) fn bytes(&self) -> Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Local { name, path } => {
                Box::new(File::open(path).context(Kind::Data, format!("open `{name}`"))?)
            }
            Self::Remote { object, .. } => Box::new(ObjectReader::new(object.clone(), 0)),
        })
    }

    /// Its bytes in any order.
    pub(super) fn chunks(&self) -> Result<Chunks> {
        Ok(match self {
            Self::Local { name, path } => {
                let file = File::open(path).context(Kind::Data, format!("open `{name}`"))?;
                Chunks::Local(Arc::new(file))
            }
            Self::Remote { object, .. } => Chunks::Remote(object.clone()),
        })
    }
}

/// The files of all patterns, sorted by name, each once.
///
/// **Errors:** invalid, where a pattern is wrong or finds nothing; unavailable.
pub(super) fn find(patterns: &[String], options: &Options) -> Result<Vec<Location>> {
    let mut found = BTreeMap::new();
    for pattern in patterns {
        let locations = match Url::parse(pattern) {
            Ok(url) if url.scheme() == "file" => {
                let path = pattern.strip_prefix("file://").unwrap_or(pattern);
                local(path)
            }
            // A Windows drive is no scheme.
            Ok(url) if url.scheme().len() > 1 => remote(pattern, options),
            _ => local(pattern),
        };
        let locations = locations.map_err(|e| e.context(format!("find files `{pattern}`")))?;
        if locations.is_empty() {
            return Err(Error::invalid(format!(
                "no file matches `{pattern}`: check the path, or the variable it is made of"
            )));
        }
        found.extend(locations.into_iter().map(|l| (l.name().to_owned(), l)));
    }
    Ok(found.into_values().collect())
}

fn local(pattern: &str) -> Result<Vec<Location>> {
    let paths = glob::glob_with(pattern, MATCHING).context(Kind::Invalid, "read the pattern")?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.context(Kind::Invalid, "list the folder")?;
        let path = path.canonicalize().context(Kind::Invalid, "resolve the path")?;
        if path.is_file() {
            files.push(Location::Local { name: path.display().to_string(), path });
        }
    }
    Ok(files)
}

fn remote(pattern: &str, options: &Options) -> Result<Vec<Location>> {
    let (base, _) = split(pattern);
    let url = Url::parse(base).context(Kind::Invalid, "read the URL")?;
    let (store, folder) = object_store::parse_url_opts(&url, store_options(options))
        .context(Kind::Invalid, "open the store; check its URL and `options`")?;
    listed(&store.into(), &folder, pattern)
}

/// Everything up to the last `/` before a wildcard is a URL; what follows is matched.
fn split(pattern: &str) -> (&str, &str) {
    let wild = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
    pattern.split_at(pattern[..wild].rfind('/').map_or(0, |at| at + 1))
}

/// The objects below `folder`, which the URL before the wildcards stands for, that match.
pub(super) fn listed(
    store: &Arc<dyn ObjectStore>,
    folder: &Key,
    pattern: &str,
) -> Result<Vec<Location>> {
    let (base, rest) = split(pattern);
    let rest = Pattern::new(rest).context(Kind::Invalid, "read the pattern")?;
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = Arc::new(runtime.context(Kind::Internal, "start a runtime")?);
    let listing = store.list(Some(folder)).try_collect::<Vec<ObjectMeta>>();
    let listing = runtime.block_on(listing).map_err(|error| {
        use object_store::Error as Store;
        let refused = matches!(
            error,
            Store::NotFound { .. } | Store::PermissionDenied { .. } | Store::Unauthenticated { .. }
        );
        let kind = if refused { Kind::Invalid } else { Kind::Unavailable };
        Error::new(kind, "list the store").caused_by(error)
    })?;
    let matching = listing.into_iter().filter_map(|meta| {
        let below: Vec<_> = meta.location.prefix_match(folder)?.collect();
        let below = below.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join("/");
        rest.matches_with(&below, MATCHING).then(|| Location::Remote {
            name: format!("{base}{below}"),
            object: Object { store: Arc::clone(store), runtime: Arc::clone(&runtime), meta },
        })
    });
    Ok(matching.collect())
}

/// The options given, over those of the environment.
fn store_options(options: &Options) -> Vec<(String, String)> {
    let environment = std::env::vars_os().filter_map(|(key, value)| {
        let (key, value) = (key.into_string().ok()?, value.into_string().ok()?);
        let known = STORE_VARIABLES.iter().any(|prefix| key.starts_with(prefix));
        known.then(|| (key.to_ascii_lowercase(), value))
    });
    let given = options.0.iter().map(|(key, value)| (key.to_ascii_lowercase(), value.clone()));
    environment.chain(given).collect()
}

/// An object as it was when it was listed.
#[derive(Clone)]
pub(super) struct Object {
    store: Arc<dyn ObjectStore>,
    runtime: Arc<Runtime>,
    meta: ObjectMeta,
}

impl Object {
    /// Fails when the object was replaced since it was listed.
    fn read(&self, from: u64, length: u64) -> object_store::Result<Bytes> {
        let key: &Key = &self.meta.location;
        let options = GetOptions { if_match: self.meta.e_tag.clone(), ..GetOptions::default() };
        let options = options.with_range(Some(from..(from + length).min(self.meta.size)));
        self.runtime.block_on(async { self.store.get_opts(key, options).await?.bytes().await })
    }
}

/// Reads an object from front to back, a chunk a request.
pub(super) struct ObjectReader {
    object: Object,
    next: u64,
    chunk: Bytes,
}

impl ObjectReader {
    fn new(object: Object, from: u64) -> Self {
        Self { object, next: from, chunk: Bytes::new() }
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() && self.next < self.object.meta.size {
            self.chunk = self.object.read(self.next, CHUNK_BYTES).map_err(io::Error::other)?;
            self.next += self.chunk.len() as u64;
        }
        let count = self.chunk.len().min(buffer.len());
        self.chunk.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

/// A file that is read in any order.
#[derive(Clone)]
pub(super) enum Chunks {
    Local(Arc<File>),
    Remote(Object),
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        match self {
            Self::Local(file) => file.len(),
            Self::Remote(object) => object.meta.size,
        }
    }
}

impl ChunkReader for Chunks {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Box<dyn Read>> {
        Ok(match self {
            Self::Local(file) => {
                let mut file = file.try_clone()?;
                file.seek(SeekFrom::Start(start))?;
                Box::new(io::BufReader::new(file))
            }
            Self::Remote(object) => Box::new(ObjectReader::new(object.clone(), start)),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        match self {
            Self::Local(file) => file.get_bytes(start, length),
            Self::Remote(object) => object
                .read(start, length as u64)
                .map_err(|error| ParquetError::External(Box::new(error))),
        }
    }
}

/// Whether a store did not answer, rather than the file being broken.
pub(super) fn is_away(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<object_store::Error>() {
            use object_store::Error as Store;
            return !matches!(error, Store::NotFound { .. } | Store::Precondition { .. });
        }
        // The standard library passes over what an I/O error carries.
        let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = carried.map(|e| e as &(dyn StdError + 'static)).or_else(|| error.source());
    }
    false
}
