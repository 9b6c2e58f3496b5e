//! How do large tables become bytes, and come back in seconds?
//!
//! An *image* is what an index in memory is made of, column by column as the processor has them, so that nothing is parsed:
//! it comes back about as fast as it is read. It lies in *pieces*, each of which one core packs or unpacks. It is derived,
//! and only ever read by the program that made it: there is no version of it, and no second decoder.
//!
//! Tables by hash are packed in their own order and unpacked into tables of the same size, so that one entry lands behind
//! the other.

use rayon::prelude::*;

use crate::error::{Error, Result};

/// Takes an image's pieces, in any order.
pub trait Sink {
    /// Takes the next piece of those of this name.
    ///
    /// **Errors:** those of what keeps it.
    fn piece(&mut self, name: &'static str, bytes: Vec<u8>) -> Result<()>;
}

/// Has an image's pieces.
pub trait Pieces: Sync {
    /// How many pieces there are of a name.
    fn count(&self, name: &str) -> usize;

    /// One of them, as it was packed.
    ///
    /// **Errors:** `Data` where it is not as it was packed, or not there; those of what keeps it.
    fn piece(&self, name: &str, number: usize) -> Result<Vec<u8>>;
}

/// So many entries make a piece, of tables that are cut into such.
const ENTRIES: usize = 100_000;
/// So many pieces are packed before they are handed on: that much is in memory twice.
const PACKED_AT_ONCE: usize = 8;

/// Packs a table's entries, some a piece, on all cores.
///
/// **Errors:** those of `sink`.
pub fn pack_entries<T: Sync>(
    sink: &mut dyn Sink,
    name: &'static str,
    entries: &[T],
    pack: impl Fn(&[T], &mut Pack) + Sync,
) -> Result<()> {
    let chunks: Vec<&[T]> = entries.chunks(ENTRIES).collect();
    pack_each(sink, name, &chunks, |chunk, into| pack(chunk, into))
}

/// Packs each of some things as a piece, on all cores.
///
/// **Errors:** those of `sink`.
pub fn pack_each<T: Sync>(
    sink: &mut dyn Sink,
    name: &'static str,
    things: &[T],
    pack: impl Fn(&T, &mut Pack) + Sync,
) -> Result<()> {
    for some in things.chunks(PACKED_AT_ONCE) {
        let packed = some.par_iter().map(|thing| {
            let mut into = Pack::default();
            pack(thing, &mut into);
            into.0
        });
        for bytes in packed.collect::<Vec<_>>() {
            sink.piece(name, bytes)?;
        }
    }
    Ok(())
}

/// Packs something as one piece.
///
/// **Errors:** those of `sink`.
pub fn pack_one(
    sink: &mut dyn Sink,
    name: &'static str,
    pack: impl FnOnce(&mut Pack),
) -> Result<()> {
    let mut into = Pack::default();
    pack(&mut into);
    sink.piece(name, into.0)
}

/// Unpacks all pieces of a name, on all cores, in their order.
///
/// **Errors:** those of `pieces` and `unpack`; `Data` where something of a piece is left over.
pub fn unpack_each<T: Send>(
    pieces: &dyn Pieces,
    name: &str,
    unpack: impl Fn(&mut Unpack<'_>) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let numbers = (0..pieces.count(name)).into_par_iter();
    let unpacked = numbers.map(|number| {
        let bytes = pieces.piece(name, number)?;
        let mut from = Unpack(&bytes);
        let unpacked = unpack(&mut from)?;
        if from.0.is_empty() { Ok(unpacked) } else { Err(misshapen()) }
    });
    unpacked.collect()
}

/// Unpacks what is one piece.
///
/// **Errors:** as of [`unpack_each`]; `Data` where it is not one.
pub fn unpack_one<T: Send>(
    pieces: &dyn Pieces,
    name: &str,
    unpack: impl Fn(&mut Unpack<'_>) -> Result<T> + Sync,
) -> Result<T> {
    let mut all = unpack_each(pieces, name, unpack)?;
    if all.len() > 1 { Err(misshapen()) } else { all.pop().ok_or_else(misshapen) }
}

/// Unpacks a table that was cut into pieces.
///
/// **Errors:** as of [`unpack_each`].
pub fn unpack_entries<T: Send>(
    pieces: &dyn Pieces,
    name: &str,
    unpack: impl Fn(&mut Unpack<'_>) -> Result<Vec<T>> + Sync,
) -> Result<Vec<T>> {
    let chunks = unpack_each(pieces, name, unpack)?;
    let mut entries = Vec::with_capacity(chunks.iter().map(Vec::len).sum());
    chunks.into_iter().for_each(|chunk| entries.extend(chunk));
    Ok(entries)
}

/// The columns of a piece do not fit each other.
///
/// **Errors:** `Data`, always.
pub fn misshapen() -> Error {
    Error::data("an image of the index does not fit together")
}

/// A piece that is being packed.
#[derive(Default)]
pub struct Pack(Vec<u8>);

impl Pack {
    /// A column of truth values.
    pub fn flags(&mut self, column: impl IntoIterator<Item = bool>) {
        self.bytes(column.into_iter().map(u8::from));
    }

    /// A column of bytes.
    pub fn bytes(&mut self, column: impl IntoIterator<Item = u8>) {
        self.arrays(column.into_iter().map(|byte| [byte]));
    }

    /// A column of numbers of 32 bits.
    pub fn words(&mut self, column: impl IntoIterator<Item = u32>) {
        self.arrays(column.into_iter().map(u32::to_le_bytes));
    }

    /// A column of numbers of 64 bits.
    pub fn longs(&mut self, column: impl IntoIterator<Item = u64>) {
        self.arrays(column.into_iter().map(u64::to_le_bytes));
    }

    /// A column of arrays of bytes.
    pub fn arrays<const N: usize>(&mut self, column: impl IntoIterator<Item = [u8; N]>) {
        let at = self.0.len();
        self.0.extend([0; 8]);
        let mut length = 0_u64;
        for array in column {
            self.0.extend_from_slice(&array);
            length += 1;
        }
        self.0[at..at + 8].copy_from_slice(&length.to_le_bytes());
    }

    /// A column of lengths, of lists whose items make columns of their own.
    pub fn lengths(&mut self, column: impl IntoIterator<Item = usize>) {
        let length = |length| u32::try_from(length).expect("no list and no text is that long");
        self.words(column.into_iter().map(length));
    }

    /// A column of texts.
    pub fn texts<'a>(&mut self, column: impl Iterator<Item = &'a str> + Clone) {
        self.lengths(column.clone().map(str::len));
        self.arrays([(column.clone().map(str::len).sum::<usize>() as u64).to_le_bytes()]);
        column.for_each(|text| self.0.extend_from_slice(text.as_bytes()));
    }

    /// A column of lists of numbers.
    pub fn lists<'a>(&mut self, column: impl Iterator<Item = &'a [u32]> + Clone) {
        self.lengths(column.clone().map(<[u32]>::len));
        self.words(column.flatten().copied());
    }
}

/// A piece that is being unpacked, column by column as it was packed.
pub struct Unpack<'a>(&'a [u8]);

impl<'a> Unpack<'a> {
    fn take(&mut self, length: u64) -> Result<&'a [u8]> {
        let length = usize::try_from(length).map_err(|_| misshapen())?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(misshapen)?;
        self.0 = rest;
        Ok(taken)
    }

    /// A column of truth values.
    ///
    /// **Errors:** of this and the others: `Data` where it is not all there.
    pub fn flags(&mut self) -> Result<impl ExactSizeIterator<Item = bool> + use<'a>> {
        Ok(self.bytes()?.iter().map(|flag| *flag != 0))
    }

    /// A column of bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    /// A column of numbers of 32 bits.
    pub fn words(&mut self) -> Result<impl ExactSizeIterator<Item = u32> + Clone + use<'a>> {
        Ok(self.arrays()?.map(u32::from_le_bytes))
    }

    /// A column of numbers of 64 bits.
    pub fn longs(&mut self) -> Result<impl ExactSizeIterator<Item = u64> + Clone + use<'a>> {
        Ok(self.arrays()?.map(u64::from_le_bytes))
    }

    /// A column of arrays of bytes.
    pub fn arrays<const N: usize>(
        &mut self,
    ) -> Result<impl ExactSizeIterator<Item = [u8; N]> + Clone + use<'a, N>> {
        let bytes = self.length()?.checked_mul(N as u64).ok_or_else(misshapen)?;
        let (arrays, _) = self.take(bytes)?.as_chunks::<N>();
        Ok(arrays.iter().copied())
    }

    /// A column of texts.
    pub fn texts(&mut self) -> Result<impl ExactSizeIterator<Item = &'a str> + use<'a>> {
        let lengths = self.words()?;
        let mut sizes = self.arrays()?;
        let size = u64::from_le_bytes(sizes.next().ok_or_else(misshapen)?);
        if lengths.clone().map(u64::from).sum::<u64>() != size {
            return Err(misshapen());
        }
        let mut rest = std::str::from_utf8(self.take(size)?).map_err(|_| misshapen())?;
        let mut ends = lengths.clone().scan(0, |end, length| {
            *end += length as usize;
            Some(*end)
        });
        if !ends.all(|end| rest.is_char_boundary(end)) {
            return Err(misshapen());
        }
        Ok(lengths.map(move |length| {
            let (text, behind) = rest.split_at(length as usize);
            rest = behind;
            text
        }))
    }

    /// A column of lists of numbers.
    pub fn lists(&mut self) -> Result<impl ExactSizeIterator<Item = Vec<u32>> + use<'a>> {
        let (lengths, all) = (self.words()?, self.words()?);
        lists_of(lengths, all)
    }

    fn length(&mut self) -> Result<u64> {
        let length = self.take(8)?.try_into().map_err(|_| misshapen())?;
        Ok(u64::from_le_bytes(length))
    }
}

/// Lists of such lengths, of items that lie one after the other.
///
/// **Errors:** `Data` where there are more of them, or fewer.
pub fn lists_of<T>(
    lengths: impl ExactSizeIterator<Item = u32> + Clone,
    mut items: impl ExactSizeIterator<Item = T>,
) -> Result<impl ExactSizeIterator<Item = Vec<T>>> {
    if lengths.clone().map(u64::from).sum::<u64>() != items.len() as u64 {
        return Err(misshapen());
    }
    Ok(lengths.map(move |length| {
        let mut list = Vec::with_capacity(length as usize);
        list.extend(items.by_ref().take(length as usize));
        list
    }))
}

/// What is there of a table with gaps: of each place, whether something is, and what comes next.
///
/// **Errors:** `Data` where there is less than that.
pub fn with_gaps<T>(
    is_there: impl Iterator<Item = bool>,
    mut next: impl FnMut() -> Option<T>,
) -> Result<Vec<Option<T>>> {
    let next = |is_there: bool| {
        if is_there { next().map(Some).ok_or_else(misshapen) } else { Ok(None) }
    };
    is_there.map(next).collect()
}

#[cfg(test)]
pub(crate) mod testing {
    use std::collections::BTreeMap;

    use super::{Pieces, Result, Sink, misshapen};

    /// An image in memory.
    #[derive(Clone, Default)]
    pub(crate) struct Kept(pub(crate) BTreeMap<&'static str, Vec<Vec<u8>>>);

    impl Sink for Kept {
        fn piece(&mut self, name: &'static str, bytes: Vec<u8>) -> Result<()> {
            self.0.entry(name).or_default().push(bytes);
            Ok(())
        }
    }

    impl Pieces for Kept {
        fn count(&self, name: &str) -> usize {
            self.0.get(name).map_or(0, Vec::len)
        }

        fn piece(&self, name: &str, number: usize) -> Result<Vec<u8>> {
            let piece = self.0.get(name).and_then(|pieces| pieces.get(number));
            piece.cloned().ok_or_else(misshapen)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::testing::Kept;
    use super::*;

    /// What a row of a table may be.
    type Row = (u8, u32, u64, String, Vec<u32>);

    fn unpack(from: &mut Unpack<'_>) -> Result<Vec<Row>> {
        let (bytes, words, longs) = (from.bytes()?, from.words()?, from.longs()?);
        let (texts, lists) = (from.texts()?, from.lists()?);
        let numbers = bytes.iter().copied().zip(words).zip(longs);
        let rows = numbers.zip(texts).zip(lists);
        Ok(rows.map(|((((a, b), c), d), e)| (a, b, c, d.to_owned(), e)).collect())
    }

    fn packed(table: &[Row]) -> Kept {
        let mut kept = Kept::default();
        let pack = |rows: &[Row], into: &mut Pack| {
            into.bytes(rows.iter().map(|row| row.0));
            into.words(rows.iter().map(|row| row.1));
            into.longs(rows.iter().map(|row| row.2));
            into.texts(rows.iter().map(|row| &*row.3));
            into.lists(rows.iter().map(|row| &*row.4));
        };
        for some in table.chunks(3) {
            pack_one(&mut kept, "table", |into| pack(some, into)).unwrap();
        }
        kept
    }

    proptest! {
        #[test]
        fn a_table_comes_back(table in prop::collection::vec(any::<Row>(), 0..12)) {
            let back = unpack_entries(&packed(&table), "table", unpack).unwrap();
            prop_assert_eq!(back, table);
        }

        /// Whatever becomes of a piece, it is refused or it is a table: never a panic.
        #[test]
        fn a_broken_piece_is_refused(
            table in prop::collection::vec(any::<Row>(), 1..4),
            at in any::<prop::sample::Index>(),
            cut in any::<bool>(),
        ) {
            let mut kept = packed(&table);
            let piece = &mut kept.0.get_mut("table").unwrap()[0];
            let at = at.index(piece.len());
            if cut {
                piece.truncate(at);
                prop_assert!(unpack_entries(&kept, "table", unpack).is_err());
            } else {
                piece[at] ^= 0x80;
                let _ = unpack_entries(&kept, "table", unpack);
            }
        }
    }
}
