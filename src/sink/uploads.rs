//! What is left in a local folder of uploads that a kill cut short?
//!
//! A file of a local folder is written beside its place, as `NAME#1`, and put there once it is whole.
//! What a kill leaves of that nobody sees through the store, but it may hold rows. In a bucket there are
//! unfinished multipart uploads instead; a rule of the bucket ends those.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::store::local_folder;
use super::vacuum::{Vacuum, VacuumAct};
use crate::error::{Context, Kind, Result};

/// Deletes unfinished uploads to the table in the folder `name` of a place, where that is local;
/// returns how many there were, and their bytes. Those of a commit under way are younger than the
/// retention.
pub fn delete_unfinished(url: &str, name: &str, vacuum: &Vacuum) -> Result<(u64, u64)> {
    let Some(root) = local_folder(url) else { return Ok((0, 0)) };
    let now = u64::try_from(vacuum.now_ms).unwrap_or(0);
    let until = (SystemTime::UNIX_EPOCH + Duration::from_millis(now)).checked_sub(vacuum.retention);
    let mut left = Vec::new();
    let act = || format!("look for unfinished uploads of {name}");
    find(&Path::new(root).join(name), &mut left).context(Kind::Unavailable, act())?;
    let (mut files, mut bytes) = (0, 0);
    for path in left {
        // One that is finished meanwhile is there no longer.
        let Ok(known) = fs::metadata(&path) else { continue };
        let is_due = vacuum.retention.is_zero()
            || known.modified().is_ok_and(|modified| until.is_some_and(|until| modified <= until));
        if !is_due || vacuum.act == VacuumAct::Delete && fs::remove_file(&path).is_err() {
            continue;
        }
        (files, bytes) = (files + 1, bytes + known.len());
    }
    Ok((files, bytes))
}

/// The files below a folder that are named as uploads are; none where there is no folder.
fn find(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            find(&entry.path(), found)?;
        } else if is_upload(&entry.file_name().to_string_lossy()) {
            found.push(entry.path());
        }
    }
    Ok(())
}

fn is_upload(name: &str) -> bool {
    name.split_once('#').is_some_and(|(_, number)| {
        !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::super::vacuum::Writers;
    use super::*;

    #[test]
    fn what_a_kill_left_goes_once_it_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("profiles/_dv");
        fs::create_dir_all(&table).unwrap();
        let names = ["part-0.parquet", "part-0.parquet#1", "part-1.parquet#12", "notes#x", "#"];
        for name in names {
            fs::write(table.join(name), "abc").unwrap();
        }
        let time = fs::metadata(table.join("#")).unwrap().modified().unwrap();
        let now = time.duration_since(SystemTime::UNIX_EPOCH).unwrap() + Duration::from_secs(60);
        let vacuum = |seconds, act| Vacuum {
            now_ms: i64::try_from(now.as_millis()).unwrap(),
            retention: Duration::from_secs(seconds),
            writers: Writers::Nobody,
            act,
        };
        let url = format!("file://{}", folder.path().display());
        let run = |vacuum| delete_unfinished(&url, "profiles", &vacuum).unwrap();
        assert_eq!(run(vacuum(90, VacuumAct::Delete)), (0, 0));
        assert_eq!(run(vacuum(30, VacuumAct::Count)), (2, 6));
        assert_eq!(run(vacuum(0, VacuumAct::Delete)), (2, 6));
        assert_eq!(run(vacuum(0, VacuumAct::Delete)), (0, 0));
        assert_eq!(fs::read_dir(&table).unwrap().count(), 3);
        let none = vacuum(0, VacuumAct::Delete);
        assert_eq!(delete_unfinished(&url, "other", &none).unwrap(), (0, 0));
        assert_eq!(delete_unfinished("s3://bucket/folder", "other", &none).unwrap(), (0, 0));
    }
}
