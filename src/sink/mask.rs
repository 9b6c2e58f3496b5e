//! Which rows of a data file are masked, and how do the log and its readers learn of it?
//!
//! Delta's deletion vectors: a bitmap of row numbers, in the portable form of Roaring bitmaps, that
//! stands in the log itself where it is small, else in a file together with the others of its commit.
//! Those files lie in a folder whose name starts with `_`, which other tools' vacuum passes over; it
//! would delete what it does not know from the table's own folder.

use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use roaring::RoaringBitmap;

use super::log::DeletionVector;
use super::store::store_error;
use crate::error::{Context, Error, Kind, Result};
use crate::failpoint::{Step, around_async};

/// What every vector starts with.
const MAGIC: u32 = 1_681_511_377;
/// What a file of vectors starts with: the version of its form.
const FILE_VERSION: u8 = 1;
/// Bytes of a vector that stands in the log, at most.
const INLINE_BYTES: usize = 160;
/// The folder of the files, below the table's.
const FOLDER: &str = "_dv";
/// Bytes of an id, and how many digits write it.
const ID_BYTES: usize = 16;
const ID_DIGITS: usize = 20;

const DIGITS: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// The vectors of one commit, and the file of those that are not small.
#[derive(Debug)]
pub(super) struct Vectors {
    id: [u8; ID_BYTES],
    file: Vec<u8>,
}

impl Vectors {
    /// `id` is that of the commit, in the form of a UUID.
    pub(super) fn new(id: &str) -> Result<Self> {
        let digits: String = id.chars().filter(|c| *c != '-').collect();
        let number = u128::from_str_radix(&digits, 16).context(Kind::Internal, "read an id")?;
        Ok(Self { id: number.to_be_bytes(), file: vec![FILE_VERSION] })
    }

    /// Adds the vector of one file, and says where it will stand.
    pub(super) fn add(&mut self, mask: &RoaringBitmap) -> Result<DeletionVector> {
        let bytes = encode(mask)?;
        let size = i32::try_from(bytes.len()).context(Kind::Internal, "write a deletion vector")?;
        let cardinality = i64::try_from(mask.len()).unwrap_or(i64::MAX);
        if bytes.len() <= INLINE_BYTES {
            return Ok(DeletionVector {
                storage_type: "i".into(),
                path_or_inline_dv: z85(&bytes),
                offset: None,
                size_in_bytes: size,
                cardinality,
            });
        }
        let offset = i32::try_from(self.file.len()).context(Kind::Internal, "write a vector")?;
        self.file.extend(size.to_be_bytes());
        self.file.extend(&bytes);
        self.file.extend(crc32fast::hash(&bytes).to_be_bytes());
        Ok(DeletionVector {
            storage_type: "u".into(),
            path_or_inline_dv: format!("{FOLDER}{}", z85(&self.id)),
            offset: Some(offset),
            size_in_bytes: size,
            cardinality,
        })
    }

    /// Puts the file, where there is something in it; returns its bytes.
    pub(super) async fn store(self, store: &Arc<dyn ObjectStore>, table: &Path) -> Result<u64> {
        if self.file.len() <= 1 {
            return Ok(0);
        }
        let bytes = self.file.len() as u64;
        let path = file(table, FOLDER, self.id);
        let put = around_async(Step::DataFile, store.put(&path, self.file.into())).await;
        put.map_err(|error| store_error("put deletion vectors", error))?;
        Ok(bytes)
    }
}

/// Where the vector lies, below the folder of its table; `None` where it stands in the log.
pub(super) fn path(table: &Path, vector: &DeletionVector) -> Result<Option<Path>> {
    match vector.storage_type.as_str() {
        "i" => Ok(None),
        "u" => {
            let text = &vector.path_or_inline_dv;
            let cut = text.len().checked_sub(ID_DIGITS).filter(|cut| text.is_char_boundary(*cut));
            let id = cut.and_then(|cut| un_z85(&text[cut..])?.try_into().ok().map(|id| (cut, id)));
            let broken = || Error::data("the name of a deletion vector's file is broken");
            let (cut, id) = id.ok_or_else(broken)?;
            Ok(Some(file(table, &text[..cut], id)))
        }
        _ => Err(Error::data("a deletion vector lies outside of its table")),
    }
}

fn file(table: &Path, folder: &str, id: [u8; ID_BYTES]) -> Path {
    let hex = format!("{:032x}", u128::from_be_bytes(id));
    let id = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
    let below = table.parts().chain(Path::from(folder).parts()).collect::<Path>();
    below.join(format!("deletion_vector_{id}.bin"))
}

/// Reads a vector.
pub(super) async fn load(
    store: &Arc<dyn ObjectStore>,
    table: &Path,
    vector: &DeletionVector,
) -> Result<RoaringBitmap> {
    let broken = || Error::data("a deletion vector is broken");
    let size = u64::try_from(vector.size_in_bytes).ok().ok_or_else(broken)?;
    let mask = match path(table, vector)? {
        None => decode(&un_z85(&vector.path_or_inline_dv).ok_or_else(broken)?),
        Some(path) => {
            let from = u64::try_from(vector.offset.unwrap_or(0)).ok().ok_or_else(broken)?;
            let read = store.get_range(&path, from..from + size + 8).await;
            let bytes = read.map_err(|error| store_error("read a deletion vector", error))?;
            let (head, rest) = bytes.split_first_chunk::<4>().ok_or_else(broken)?;
            let (body, sum) = rest.split_last_chunk::<4>().ok_or_else(broken)?;
            let whole = u64::from(u32::from_be_bytes(*head)) == size
                && u32::from_be_bytes(*sum) == crc32fast::hash(body);
            if whole { decode(body) } else { None }
        }
    };
    let mask = mask.ok_or_else(broken)?;
    if i64::try_from(mask.len()).ok() != Some(vector.cardinality) {
        return Err(Error::data("a deletion vector masks other rows than its table says"));
    }
    Ok(mask)
}

fn encode(mask: &RoaringBitmap) -> Result<Vec<u8>> {
    let mut mask = mask.clone();
    mask.optimize();
    let mut bytes = Vec::with_capacity(16 + mask.serialized_size());
    bytes.extend(MAGIC.to_le_bytes());
    // One bitmap: that of the rows whose numbers' upper halves are 0.
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    mask.serialize_into(&mut bytes).context(Kind::Internal, "write a deletion vector")?;
    Ok(bytes)
}

/// `None` where it is not sound, or names rows beyond the 2³² that a file may have.
fn decode(bytes: &[u8]) -> Option<RoaringBitmap> {
    let (magic, rest) = bytes.split_first_chunk::<4>()?;
    let (count, rest) = rest.split_first_chunk::<8>()?;
    if u32::from_le_bytes(*magic) != MAGIC {
        return None;
    }
    match u64::from_le_bytes(*count) {
        0 => Some(RoaringBitmap::new()),
        1 => {
            let (upper, rest) = rest.split_first_chunk::<4>()?;
            if *upper != [0; 4] {
                return None;
            }
            RoaringBitmap::deserialize_from(rest).ok()
        }
        _ => None,
    }
}

/// Writes bytes as digits, five for four; the last four are filled up with zeros.
fn z85(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(4) * 5);
    for four in bytes.chunks(4) {
        let mut whole = [0; 4];
        whole[..four.len()].copy_from_slice(four);
        let number = u32::from_be_bytes(whole);
        for power in [52_200_625, 614_125, 7_225, 85, 1] {
            text.push(char::from(DIGITS[(number / power % 85) as usize]));
        }
    }
    text
}

fn un_z85(text: &str) -> Option<Vec<u8>> {
    let (fives, rest) = text.as_bytes().as_chunks::<5>();
    let mut bytes = Vec::with_capacity(fives.len() * 4);
    for five in fives {
        let number = five.iter().try_fold(0_u32, |number, digit| {
            let value = DIGITS.iter().position(|d| d == digit)?;
            number.checked_mul(85)?.checked_add(u32::try_from(value).ok()?)
        });
        bytes.extend(number?.to_be_bytes());
    }
    rest.is_empty().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::testing::memory;

    #[test]
    fn digits_are_those_of_z85() {
        let bytes = [0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b];
        assert_eq!(z85(&bytes), "HelloWorld");
        assert_eq!(un_z85("HelloWorld").unwrap(), bytes);
        for broken in ["Hello\"orld", "Hell", "#####", "Hellö"] {
            assert_eq!(un_z85(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_vector_is_written_as_the_protocol_says() {
        let mask: RoaringBitmap = [3, 70_000].into();
        let bytes = encode(&mask).unwrap();
        let expected: Vec<u8> = [
            &[0xd1, 0xd3, 0x39, 0x64][..],
            &[1, 0, 0, 0, 0, 0, 0, 0],
            &[0; 4],
            &12_346_u32.to_le_bytes(),
            &2_u32.to_le_bytes(),
            &[0, 0, 0, 0, 1, 0, 0, 0],
            &24_u32.to_le_bytes(),
            &26_u32.to_le_bytes(),
            &3_u16.to_le_bytes(),
            &4_464_u16.to_le_bytes(),
        ]
        .concat();
        assert_eq!(bytes, expected);
        assert_eq!(decode(&bytes).unwrap(), mask);
        for cut in 0..bytes.len() {
            assert_eq!(decode(&bytes[..cut]), None);
        }
    }

    #[tokio::test]
    async fn small_vectors_stand_in_the_log_and_the_others_in_one_file() {
        let (store, table) = (memory(), Path::from("root/table"));
        let masks: Vec<RoaringBitmap> =
            vec![[7].into(), (0..3_000).step_by(3).collect(), (0..900).step_by(2).collect()];
        let mut vectors = Vectors::new("12345678-1234-5678-1234-567812345678").unwrap();
        let placed: Vec<_> = masks.iter().map(|mask| vectors.add(mask).unwrap()).collect();
        assert!(vectors.store(&store, &table).await.unwrap() > 2_000);
        let kinds: Vec<_> = placed.iter().map(|vector| vector.storage_type.as_str()).collect();
        assert_eq!(kinds, ["i", "u", "u"]);
        let name = "root/table/_dv/deletion_vector_12345678-1234-5678-1234-567812345678.bin";
        let file = Path::from(name);
        assert_eq!(path(&table, &placed[1]).unwrap(), Some(file.clone()));
        for (vector, mask) in placed.iter().zip(&masks) {
            assert_eq!(load(&store, &table, vector).await.unwrap(), *mask);
        }
        // One that says other than its file, and one whose file was changed.
        let other = DeletionVector { cardinality: 5, ..placed[1].clone() };
        assert_eq!(load(&store, &table, &other).await.unwrap_err().kind(), Kind::Data);
        let mut bytes = store.get(&file).await.unwrap().bytes().await.unwrap().to_vec();
        bytes[60] ^= 1;
        store.put(&file, bytes.into()).await.unwrap();
        assert_eq!(load(&store, &table, &placed[1]).await.unwrap_err().kind(), Kind::Data);
    }
}
