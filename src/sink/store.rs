//! Where do tables lie, and what does a failure of that place mean?

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::PutMode;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;

use crate::error::{Context, Error, Kind, Result};

/// Opens the place that `url` names, and the folder within it.
///
/// A path or `file://` URL is a local folder, which is created; files are flushed to disk before
/// they count. `s3://bucket/folder`, `gs://bucket/folder` and `az://container/folder` take their
/// settings from the environment (`AWS_*`, `GOOGLE_*`, `AZURE_*`); `options` override them, by the
/// names that `object_store` gives them, e.g. `endpoint`, `allow_http`, `region`.
///
/// **Errors:** `Invalid` for a URL or an option that is not understood; `Unavailable` where the
/// folder cannot be made.
pub fn open_store(
    url: &str,
    options: &BTreeMap<String, String>,
) -> Result<(Arc<dyn ObjectStore>, Path)> {
    if let Some(folder) = local_folder(url) {
        return open_folder(folder);
    }
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let root = rest.split_once('/').map_or("", |(_, folder)| folder);
    let root = || Path::from_url_path(root).context(Kind::Invalid, "read the folder of the URL");
    match scheme {
        "s3" | "s3a" => Ok((open_s3(url, options)?, root()?)),
        "gs" => Ok((open_google(url, options)?, root()?)),
        "az" | "azure" | "abfs" | "abfss" => Ok((open_azure(url, options)?, root()?)),
        other => Err(Error::invalid(format!(
            "unknown scheme {other:?}: give a folder, file://, s3://, gs:// or az://"
        ))),
    }
}

/// The local folder that `url` names; `None` where it names another place.
pub(super) fn local_folder(url: &str) -> Option<&str> {
    match url.split_once("://") {
        None => Some(url),
        Some(("file", rest)) => Some(rest.strip_prefix("localhost").unwrap_or(rest)),
        Some(_) => None,
    }
}

/// Checks that the place can be written to, and that it keeps two writers apart: that a put of what
/// must not exist yet fails where it does. Leaves one small file.
///
/// **Errors:** `Invalid` where the place lacks conditional puts; else as the place answers.
pub async fn check_store(store: &Arc<dyn ObjectStore>, root: &Path) -> Result<()> {
    let path = root.clone().join("_onefold").join("check");
    for _ in 0..2 {
        match store.put_opts(&path, "".into(), PutMode::Create.into()).await {
            Ok(_) => {}
            Err(object_store::Error::AlreadyExists { .. }) => return Ok(()),
            Err(error) => return Err(store_error("put a file to check the store", error)),
        }
    }
    Err(Error::invalid(
        "the store puts over what exists though told not to: it lacks conditional puts",
    ))
}

fn open_folder(folder: &str) -> Result<(Arc<dyn ObjectStore>, Path)> {
    if folder.is_empty() {
        return Err(Error::invalid("an empty path is no folder: give a folder or a URL"));
    }
    std::fs::create_dir_all(folder)
        .context(Kind::Unavailable, format!("create folder {folder}"))?;
    let store = LocalFileSystem::new_with_prefix(folder)
        .map_err(|error| store_error("open folder", error))?;
    Ok((Arc::new(store.with_fsync(true)), Path::default()))
}

fn open_s3(url: &str, options: &BTreeMap<String, String>) -> Result<Arc<dyn ObjectStore>> {
    let mut builder = AmazonS3Builder::from_env().with_url(url);
    for (key, value) in options {
        builder = builder.with_config(option::<AmazonS3ConfigKey>(key)?, value);
    }
    // Which of two writers wins rests on conditional puts, so they are not for an option to turn
    // off.
    let builder = builder.with_conditional_put(S3ConditionalPut::ETagMatch);
    Ok(Arc::new(builder.build().map_err(|error| store_error("open S3", error))?))
}

fn open_google(url: &str, options: &BTreeMap<String, String>) -> Result<Arc<dyn ObjectStore>> {
    let mut builder = GoogleCloudStorageBuilder::from_env().with_url(url);
    for (key, value) in options {
        builder = builder.with_config(option::<GoogleConfigKey>(key)?, value);
    }
    Ok(Arc::new(builder.build().map_err(|error| store_error("open Google Cloud Storage", error))?))
}

fn open_azure(url: &str, options: &BTreeMap<String, String>) -> Result<Arc<dyn ObjectStore>> {
    let mut builder = MicrosoftAzureBuilder::from_env().with_url(url);
    for (key, value) in options {
        builder = builder.with_config(option::<AzureConfigKey>(key)?, value);
    }
    Ok(Arc::new(builder.build().map_err(|error| store_error("open Azure", error))?))
}

fn option<K: FromStr>(key: &str) -> Result<K> {
    let lower = key.to_ascii_lowercase();
    lower.parse().map_err(|_| Error::invalid(format!("unknown storage option {key:?}")))
}

/// Says what a failure of the store means for the caller.
pub(super) fn store_error(act: impl Into<String>, error: object_store::Error) -> Error {
    use object_store::Error as E;
    let kind = match &error {
        E::PermissionDenied { .. }
        | E::Unauthenticated { .. }
        | E::UnknownConfigurationKey { .. }
        | E::InvalidPath { .. }
        | E::NotSupported { .. }
        | E::NotImplemented { .. } => Kind::Invalid,
        E::NotFound { .. } => Kind::Data,
        _ => Kind::Unavailable,
    };
    Error::new(kind, act).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn root_of(url: &str, options: &[(&str, &str)]) -> Result<String> {
        let options = options.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        open_store(url, &options).map(|(_, root)| root.to_string())
    }

    #[test]
    fn opens_each_kind_of_place() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a b/c").display().to_string();
        assert_eq!(root_of(&deep, &[]).unwrap(), "");
        assert!(std::path::Path::new(&deep).is_dir());
        assert_eq!(root_of(&format!("file://{deep}2"), &[]).unwrap(), "");
        let s3 = [("region", "us-east-1"), ("allow_http", "true")];
        assert_eq!(root_of("s3://bucket", &s3).unwrap(), "");
        assert_eq!(root_of("s3://bucket/some/folder/", &s3).unwrap(), "some/folder");
        assert_eq!(root_of("az://box/folder", &[("account_name", "a")]).unwrap(), "folder");
    }

    #[tokio::test]
    async fn a_place_with_conditional_puts_passes_any_number_of_checks() {
        let store = crate::sink::testing::memory();
        for _ in 0..2 {
            check_store(&store, &Path::from("root")).await.unwrap();
        }
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        for (url, options) in
            [("ftp://host/x", &[][..]), ("", &[]), ("s3://bucket/x", &[("regoin", "eu")])]
        {
            assert_eq!(root_of(url, options).unwrap_err().kind(), Kind::Invalid, "{url}");
        }
    }
}
