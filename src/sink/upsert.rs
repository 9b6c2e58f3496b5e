//! How does a table keep one current row a key, at a cost that goes with what changes?
//!
//! One walk over the ranges of keys, in ascending order, as the [`Plan`] says: a range that is folded
//! gets new buckets, made of all its rows and the changed ones; elsewhere changed rows go to the
//! commit's run, and after the walk the rows that they take the place of are looked up and masked.
//! What is put in order and what is changed stand in one entry of the log: there is nothing between
//! them for a crash to leave behind, and rows that would be written to a run only to be folded are
//! written once.

use arrow::array::{AsArray, RecordBatch, StringBuilder};
use futures::Stream;
use futures::future::FutureExt;
use futures::stream::{self, StreamExt, TryStreamExt};
use roaring::RoaringBitmap;

use super::file::{Tag, Writer};
use super::layout::{Files, Plan, Span, Step, bucket, key_bounds, keys_between};
use super::live::{AT_ONCE, Live};
use super::log::Add;
use super::mask::Vectors;
use super::merge::{Merge, Rows};
use super::table::{Attempt, CommitInfo, Operation, Table, Written};
use crate::error::{Error, Kind, Result};

impl Table {
    /// Puts rows in the place of those with the same keys, and takes the rows of `removed` keys
    /// out, as one commit. A key that is in both stays. Does nothing where the table has the commit
    /// already, or where nothing changes.
    ///
    /// `rows` comes in ascending order of the key, each key once, over all batches. `count` is how
    /// many rows there are about; it decides only about the layout. The keys of a commit are held
    /// in memory.
    ///
    /// **Errors:** `Fenced` where another writer has the table; `Unavailable` where the store is
    /// away: the same call may be made again; `Internal` where the rows are not in order.
    pub async fn upsert<S>(
        &mut self,
        rows: S,
        count: u64,
        removed: &[String],
        commit: &CommitInfo,
    ) -> Result<Written>
    where
        S: Stream<Item = Result<RecordBatch>> + Send,
    {
        let Some(key) = self.spec.key() else {
            return Err(Error::internal(format!("table {} has no key", self.spec.name)));
        };
        let Some(attempt) = self.begin(commit).await? else { return Ok(Written::default()) };
        let mut removed: Vec<&str> = removed.iter().map(String::as_str).collect();
        removed.sort_unstable();
        removed.dedup();
        let mut walk = Walk::start(self, key, attempt).await?;
        let plan = Plan::of(&walk.files, &walk.runs, key, (count, &removed), &self.limits)?;
        let rows = std::pin::pin!(rows);
        let mut changes = Rows::new(rows.boxed(), key, Kind::Internal);
        for step in &plan.steps {
            walk.take(step, &plan, &mut changes, &removed).await?;
        }
        let Outcome { attempt, adds, removes, mask_bytes } = walk.finish(&plan, &removed).await?;
        if adds.is_empty() && removes.is_empty() {
            return Ok(Written::default());
        }
        let mut written = self.finish(attempt, Operation::Upsert, adds, &removes).await?;
        written.bytes += mask_bytes;
        Ok(written)
    }
}

/// What a walk leads to.
struct Outcome {
    attempt: Attempt,
    adds: Vec<Add>,
    removes: Vec<String>,
    /// Bytes of the file of masks.
    mask_bytes: u64,
}

/// The walk of one commit over the ranges of keys.
struct Walk<'a> {
    table: &'a Table,
    key: &'static str,
    files: Files<'a>,
    /// The runs of `files`, and what is masked of each by this commit: ranges that were folded.
    runs: Vec<Live>,
    folded: Vec<RoaringBitmap>,
    output: Output<'a>,
    /// Paths of files that are no longer part of the table.
    removes: Vec<String>,
    /// Keys of changed rows outside of folded ranges, ascending.
    noted: StringBuilder,
}

impl<'a> Walk<'a> {
    async fn start(table: &'a Table, key: &'static str, attempt: Attempt) -> Result<Self> {
        let files = Files::of(&table.snapshot)?;
        let sources: Vec<_> = files.runs.iter().map(|run| table.source(run)).collect();
        let runs = stream::iter(sources).map(|source| source.open()).buffered(AT_ONCE);
        let runs: Vec<Live> = runs.try_collect().await?;
        let folded = vec![RoaringBitmap::new(); runs.len()];
        let output = Output { table, key, attempt, bucket: None, run: None, adds: Vec::new() };
        let (removes, noted) = (Vec::new(), StringBuilder::new());
        Ok(Self { table, key, files, runs, folded, output, removes, noted })
    }

    /// Does what the plan says of one range.
    async fn take(
        &mut self,
        step: &Step<'_>,
        plan: &Plan<'_>,
        changes: &mut Rows<'_>,
        removed: &[&str],
    ) -> Result<()> {
        let mut live = Vec::new();
        if step.fold.is_some() {
            for add in &step.buckets {
                let rows = self.table.source(add).open().await?.read(None, None)?;
                live.push(Rows::new(rows, self.key, Kind::Data));
                self.removes.push(add.path.clone());
            }
        }
        let (start, end) = (step.span.start(), step.span.end());
        for (i, run) in self.runs.iter().enumerate() {
            if step.fold.is_none() && !plan.merged[i] {
                continue;
            }
            let range = run.range(self.key, start.as_deref(), end.as_deref()).await?;
            if run.masked_in(&range)? == range.end - range.start {
                continue;
            }
            live.push(Rows::new(run.read(None, Some(range.clone()))?, self.key, Kind::Data));
            self.folded[i].insert_range(numbers(range)?);
        }
        let noted = step.fold.is_none().then_some(&mut self.noted);
        let removed = step.span.keys(removed);
        let mut merge = Merge { changes, end, live, removed, noted };
        while let Some(rows) = merge.next().await? {
            match step.fold {
                Some(bits) => self.output.write_buckets(bits, rows).await?,
                None => self.output.write_run(rows).await?,
            }
        }
        self.output.close_bucket().await
    }

    /// Ends the files, and masks the rows that others took the place of.
    async fn finish(mut self, plan: &Plan<'a>, removed: &[&str]) -> Result<Outcome> {
        self.output.close_run().await?;
        let noted = self.noted.finish();
        let unfolded: Vec<Span> =
            plan.steps.iter().filter(|step| step.fold.is_none()).map(|step| step.span).collect();
        let mut keys: Vec<&str> = noted.iter().flatten().collect();
        keys.extend(unfolded.iter().flat_map(|span| span.keys(removed)));
        keys.sort_unstable();
        keys.dedup();
        let Self { table, key, files, runs, folded, output, mut removes, .. } = self;
        let Output { attempt, mut adds, .. } = output;
        let masks = Masks { table, key, files: &files, runs: &runs, folded: &folded };
        let masks = masks.of(plan, &keys).await?;
        let mut vectors = Vectors::new(attempt.id())?;
        for (add, mask) in masks {
            removes.push(add.path.clone());
            if mask.len() < add.rows() {
                adds.push(add.masked_by(vectors.add(&mask)?));
            }
        }
        let mask_bytes = vectors.store(&table.store, &table.folder).await?;
        Ok(Outcome { attempt, adds, removes, mask_bytes })
    }
}

/// Where the rows are that a walk has replaced.
struct Masks<'w, 'a> {
    table: &'a Table,
    key: &'static str,
    files: &'w Files<'a>,
    runs: &'w [Live],
    folded: &'w [RoaringBitmap],
}

impl<'a> Masks<'_, 'a> {
    /// The files in which some more rows are masked than before, and all that are masked then.
    async fn of(&self, plan: &Plan<'a>, keys: &[&str]) -> Result<Vec<(&'a Add, RoaringBitmap)>> {
        let buckets = plan.steps.iter().filter(|step| step.fold.is_none());
        let buckets = buckets.flat_map(|step| &step.buckets).map(|add| (*add, None));
        let runs = self.files.runs.iter().enumerate().map(|(i, add)| (*add, Some(i)));
        let mut files = Vec::new();
        for (add, run) in buckets.chain(runs) {
            files.push(self.look(plan, keys, add, run).boxed());
        }
        let found: Vec<_> = stream::iter(files).buffered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// What is masked in one file, which may be the `run`th of the runs; `None` where that stays.
    async fn look(
        &self,
        plan: &Plan<'a>,
        keys: &[&str],
        add: &'a Add,
        run: Option<usize>,
    ) -> Result<Option<(&'a Add, RoaringBitmap)>> {
        if run.is_some_and(|i| plan.merged[i]) {
            // All its rows went elsewhere.
            let all = numbers(0..add.rows())?;
            return Ok(Some((add, RoaringBitmap::from_iter(all))));
        }
        let keys = keys_between(keys, key_bounds(add, self.key).as_ref());
        let gone = run.map(|i| &self.folded[i]).filter(|gone| !gone.is_empty());
        if keys.is_empty() && gone.is_none() {
            return Ok(None);
        }
        let live = match run {
            Some(i) => self.runs[i].clone(),
            None => self.table.source(add).open().await?,
        };
        let mut mask = live.positions(self.key, keys).await?;
        mask |= live.mask();
        if let Some(gone) = gone {
            mask |= gone;
        }
        Ok((mask.len() > live.mask().len()).then_some((add, mask)))
    }
}

fn numbers(rows: std::ops::Range<u64>) -> Result<std::ops::Range<u32>> {
    let number = |row: u64| {
        u32::try_from(row).map_err(|_| Error::data("a data file has more rows than can be masked"))
    };
    Ok(number(rows.start)?..number(rows.end)?)
}

/// The new files: the commit's run, and one bucket after the other.
struct Output<'a> {
    table: &'a Table,
    key: &'static str,
    attempt: Attempt,
    bucket: Option<(Tag, Writer)>,
    run: Option<Writer>,
    adds: Vec<Add>,
}

impl Output<'_> {
    fn writer(&mut self) -> Result<Writer> {
        let Table { store, folder, spec, .. } = self.table;
        Writer::create(store.clone(), folder, self.attempt.file_name(), spec)
    }

    /// Writes rows that follow those before in the order of keys, cut by the bits of their keys.
    async fn write_buckets(&mut self, bits: u32, rows: RecordBatch) -> Result<()> {
        let keys = rows.column_by_name(self.key).and_then(|column| column.as_string_opt::<i32>());
        let keys = keys.ok_or_else(|| Error::internal("rows have no key column"))?;
        let buckets = keys.iter().flatten().map(|key| bucket(key, bits));
        let buckets = buckets.collect::<Result<Vec<_>>>()?;
        let mut from = 0;
        for run in buckets.chunk_by(|a, b| a == b) {
            let slice = rows.slice(from, run.len());
            from += run.len();
            let tag = Tag::Bucket(bits, run[0]);
            if self.bucket.as_ref().is_some_and(|(open, _)| *open != tag) {
                self.close_bucket().await?;
            }
            let writer = match self.bucket.take() {
                Some((_, writer)) => writer,
                None => self.writer()?,
            };
            self.bucket.insert((tag, writer)).1.write(slice).await?;
        }
        Ok(())
    }

    async fn write_run(&mut self, rows: RecordBatch) -> Result<()> {
        let writer = match self.run.take() {
            Some(writer) => writer,
            None => self.writer()?,
        };
        self.run.insert(writer).write(rows).await
    }

    async fn close_bucket(&mut self) -> Result<()> {
        if let Some((tag, writer)) = self.bucket.take() {
            self.adds.push(writer.finish(self.attempt.commit.time_ms, Some(tag)).await?);
        }
        Ok(())
    }

    async fn close_run(&mut self) -> Result<()> {
        if let Some(writer) = self.run.take() {
            self.adds.push(writer.finish(self.attempt.commit.time_ms, Some(Tag::Run)).await?);
        }
        Ok(())
    }
}
