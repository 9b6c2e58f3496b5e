//! How do the tables of customers stay together: profiles, who may be contacted, what is suppressed?
//!
//! All three are made of the members of the identities that a commit touched, in one walk over them. A table that has
//! the commit already, after a crash in between, asks for no rows: then the walk is made for the others alone.

use futures::stream;
use tokio::runtime::Runtime;

use super::members::Members;
use super::{Publisher, ROWS_AT_ONCE};
use crate::error::Result;
use crate::profile::{Profile, Suppressed, profile, suppressed};
use crate::record::{ContactChannel, IdentityId, RecordKey};
use crate::sink::{CommitInfo, Table, rows};
use crate::telemetry::Activity;

/// What is left of a walk over identities for the tables beside `profiles`.
#[derive(Default)]
struct Aside {
    /// How many identities were walked over.
    walked: usize,
    /// Those that may be contacted, ascending.
    reachable: Vec<IdentityId>,
    suppressed: Vec<Suppressed>,
    /// Names of rows of `suppression` that must not be there.
    free: Vec<RecordKey>,
}

impl Aside {
    /// The profiles of some identities; takes note of the rest.
    fn walk(
        &mut self,
        members: &Members<'_>,
        identities: &[IdentityId],
        version: u64,
    ) -> Result<Vec<Profile>> {
        let made = members.each(identities, |identity, of| {
            (profile(identity, version, of, members.settings), suppressed(of))
        })?;
        self.walked += identities.len();
        let mut profiles = Vec::with_capacity(made.len());
        for (profile, (suppressed, free)) in made {
            self.reachable.extend(profile.contact.is_any().then_some(profile.identity));
            self.suppressed.extend(suppressed);
            self.free.extend(free);
            profiles.push(profile);
        }
        Ok(profiles)
    }
}

impl Publisher {
    /// Writes the rows of identities that are there, and takes out those of identities and records that are gone.
    pub(super) fn write_profiles(
        &mut self,
        members: &Members<'_>,
        (live, gone): (&[IdentityId], &[String]),
        gone_records: &[RecordKey],
        commit: &CommitInfo,
    ) -> Result<()> {
        let (telemetry, version) = (&self.telemetry, commit.commit);
        let mut aside = Aside::default();
        let chunks = live.chunks(ROWS_AT_ONCE).map(|identities| {
            telemetry.beat(Activity::Publishing);
            rows::profiles(&aside.walk(members, identities, version)?)
        });
        let profiles = self.profiles.upsert(stream::iter(chunks), live.len() as u64, gone, commit);
        self.runtime.block_on(profiles)?;
        if aside.walked < live.len() {
            aside = Aside::default();
            for identities in live.chunks(ROWS_AT_ONCE) {
                telemetry.beat(Activity::Publishing);
                aside.walk(members, identities, version)?;
            }
        }
        self.write_marketing(members, (live, gone), &aside.reachable, commit)?;
        self.write_suppression(aside, gone_records, commit)
    }

    fn write_marketing(
        &mut self,
        members: &Members<'_>,
        (live, gone): (&[IdentityId], &[String]),
        reachable: &[IdentityId],
        commit: &CommitInfo,
    ) -> Result<()> {
        let telemetry = &self.telemetry;
        let chunks = reachable.chunks(ROWS_AT_ONCE).map(|identities| {
            telemetry.beat(Activity::Publishing);
            rows::profiles_marketing(&members.profiles(identities, commit.commit)?)
        });
        let mut removed = Vec::new();
        if has_rows(&self.runtime, &mut self.profiles_marketing, commit)? {
            let is_out = |identity: &&IdentityId| reachable.binary_search(identity).is_err();
            removed.extend(live.iter().filter(is_out).map(ToString::to_string));
            removed.extend_from_slice(gone);
        }
        let count = reachable.len() as u64;
        let table = &mut self.profiles_marketing;
        self.runtime.block_on(table.upsert(stream::iter(chunks), count, &removed, commit))?;
        Ok(())
    }

    fn write_suppression(
        &mut self,
        aside: Aside,
        gone_records: &[RecordKey],
        commit: &CommitInfo,
    ) -> Result<()> {
        let Aside { mut suppressed, free, .. } = aside;
        suppressed.sort_unstable_by_key(|row| row.key);
        let mut removed = Vec::new();
        if has_rows(&self.runtime, &mut self.suppression, commit)? {
            let of_record = |record: &RecordKey| {
                ContactChannel::ALL.map(|channel| Suppressed::key(*record, channel))
            };
            let gone = gone_records.iter().flat_map(of_record);
            removed.extend(free.into_iter().chain(gone).map(|key| key.to_string()));
        }
        let chunks = suppressed.chunks(ROWS_AT_ONCE).map(rows::suppression);
        let count = suppressed.len() as u64;
        let table = &mut self.suppression;
        self.runtime.block_on(table.upsert(stream::iter(chunks), count, &removed, commit))?;
        Ok(())
    }
}

/// Whether there is anything to be taken out of a table: at first there is not, and all identities would be looked for.
/// An entry whose outcome was not known is looked for before.
fn has_rows(runtime: &Runtime, table: &mut Table, commit: &CommitInfo) -> Result<bool> {
    runtime.block_on(table.published(&commit.app))?;
    Ok(table.rows() > 0)
}
