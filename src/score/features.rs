//! What does the scorer keep of a record? Small numbers instead of texts.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rayon::prelude::*;
use rustc_hash::{FxBuildHasher, FxHashMap};
use smol_str::SmolStr;

use super::email::EmailParts;
use super::model::Model;
use super::similarity::{Marked, Marks};
use crate::error::Result;
use crate::image::{self, Pieces, Sink, misshapen};
use crate::record::{Field, Identity};

/// An interned text; 0 stands for "no value". Equal symbols of one [`Terms`] are equal texts.
pub type Symbol = u32;

/// A record as the scorer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Features {
    /// The value of each field, by the field's number; 0 where there is none.
    pub values: [Symbol; Field::COUNT],
    /// Further name tokens.
    pub tokens: Box<[Symbol]>,
}

impl Features {
    /// The symbol of a field's value; 0 where there is none.
    pub fn symbol(&self, field: Field) -> Symbol {
        self.values[field as usize]
    }
}

/// Interned texts, with what the scorer derives from each once.
#[derive(Debug)]
pub struct Terms {
    texts: Vec<(SmolStr, Marks)>,
    /// The symbols, by the hashes of their texts.
    symbols: HashTable<Symbol>,
    emails: FxHashMap<Symbol, EmailParts>,
}

impl Default for Terms {
    fn default() -> Self {
        let nothing = (SmolStr::default(), Marks::of(""));
        Self { texts: vec![nothing], symbols: HashTable::new(), emails: FxHashMap::default() }
    }
}

impl Terms {
    /// Interns a record's texts, but for the values that say nothing under the model.
    pub fn features(&mut self, identity: &Identity, model: &Model) -> Features {
        let drafted = self.drafted(identity, model);
        self.taken(drafted)
    }

    /// The same of many records, in their order; all cores look up what is known.
    pub fn features_of(&mut self, identities: &[&Identity], model: &Model) -> Vec<Features> {
        let drafted: Vec<Drafted> =
            identities.par_iter().map(|identity| self.drafted(identity, model)).collect();
        drafted.into_iter().map(|drafted| self.taken(drafted)).collect()
    }

    /// What is known of a record's texts.
    fn drafted(&self, identity: &Identity, model: &Model) -> Drafted {
        let identity = model.completed(identity);
        let heard = identity.values.iter().filter(|(field, value)| model.hears(*field, value));
        let values = heard.map(|(field, value)| (*field, self.look_up(value))).collect();
        let mut drafted = Drafted { values, ..Drafted::default() };
        if let Some((_, text)) = drafted.values.iter().find(|(field, _)| *field == Field::Email) {
            let known = text.symbol().filter(|symbol| self.emails.contains_key(symbol));
            let address = identity.value(Field::Email).filter(|_| known.is_none());
            drafted.email = address.map(|address| EmailParts::of(address, &model.email));
        }
        drafted.tokens = identity.name_tokens.iter().map(|token| self.look_up(token)).collect();
        drafted
    }

    fn taken(&mut self, drafted: Drafted) -> Features {
        let mut values = [0; Field::COUNT];
        for (field, text) in drafted.values {
            values[field as usize] = self.intern(text);
        }
        if let Some(parts) = drafted.email {
            self.emails.entry(values[Field::Email as usize]).or_insert(parts);
        }
        let tokens = drafted.tokens.into_iter().map(|token| self.intern(token)).collect();
        Features { values, tokens }
    }

    /// The text of a symbol; empty for 0.
    pub fn text(&self, symbol: Symbol) -> &str {
        &self.texts[symbol as usize].0
    }

    /// The text of a symbol, ready to be compared.
    pub(super) fn marked(&self, symbol: Symbol) -> Marked<'_> {
        let (text, marks) = &self.texts[symbol as usize];
        Marked::known(text, *marks)
    }

    /// The text of a record's field.
    pub fn value(&self, features: &Features, field: Field) -> Option<&str> {
        let symbol = features.symbol(field);
        (symbol != 0).then(|| self.text(symbol))
    }

    /// The content that features were made from.
    pub fn identity(&self, features: &Features) -> Identity {
        let values = Field::ALL
            .into_iter()
            .filter_map(|field| Some((field, self.value(features, field)?.into())))
            .collect();
        let name_tokens = features.tokens.iter().map(|token| self.text(*token).into()).collect();
        Identity { values, name_tokens }
    }

    /// The parts of an e-mail address that was interned as a value of that field.
    pub(super) fn email(&self, symbol: Symbol) -> &EmailParts {
        &self.emails[&symbol]
    }

    /// The initials that an e-mail's local part spells, where it spells two names.
    pub fn email_initials(&self, symbol: Symbol) -> Option<[u8; 2]> {
        self.emails.get(&symbol).and_then(EmailParts::initials)
    }

    /// Packs those texts that records have; of others, that no record has any more, nothing is packed.
    ///
    /// **Errors:** those of `sink`.
    pub fn pack<'a>(
        &self,
        records: impl Iterator<Item = &'a Features>,
        sink: &mut dyn Sink,
    ) -> Result<()> {
        let mut has = vec![false; self.texts.len()];
        for features in records {
            let symbols = features.values.iter().chain(&features.tokens);
            symbols.for_each(|symbol| has[*symbol as usize] = true);
        }
        let has = |symbol: &Symbol| has[*symbol as usize];
        let symbols: Vec<Symbol> = (0..).take(self.texts.len()).collect();
        image::pack_entries(sink, TEXTS, &symbols, |symbols, into| {
            let nothing = ("", Marks::of(""));
            let text = |symbol: &Symbol| {
                let (text, marks) = &self.texts[*symbol as usize];
                if has(symbol) { (text.as_str(), *marks) } else { nothing }
            };
            into.texts(symbols.iter().map(|symbol| text(symbol).0));
            into.longs(symbols.iter().map(|symbol| text(symbol).1.bits()));
        })?;
        image::pack_one(sink, SYMBOLS, |into| {
            let symbols = self.symbols.iter().filter(|symbol| has(symbol));
            into.words(symbols.clone().copied());
            into.longs(symbols.map(|symbol| hash(self.text(*symbol))));
        })?;
        image::pack_one(sink, EMAILS, |into| {
            let emails = self.emails.iter().filter(|(symbol, _)| has(symbol));
            into.words(emails.clone().map(|(symbol, _)| *symbol));
            EmailParts::pack(emails.map(|(_, parts)| parts), into);
        })
    }

    /// Come back as they were packed.
    ///
    /// **Errors:** `Data` where that does not fit together; those of `pieces`.
    pub fn unpack(pieces: &dyn Pieces) -> Result<Self> {
        let texts = || {
            image::unpack_entries(pieces, TEXTS, |from| {
                let (texts, marks) = (from.texts()?, from.longs()?);
                let marks = marks.map(Marks::of_bits);
                Ok(texts.map(SmolStr::from).zip(marks).collect())
            })
        };
        let symbols = || {
            image::unpack_one(pieces, SYMBOLS, |from| {
                let (symbols, hashes) = (from.words()?, from.longs()?);
                let mut table = HashTable::with_capacity(symbols.len());
                for (symbol, hash) in symbols.zip(hashes) {
                    table.insert_unique(hash, symbol, |_| unreachable!("the table never grows"));
                }
                Ok(table)
            })
        };
        let emails = || {
            image::unpack_one(pieces, EMAILS, |from| {
                let symbols = from.words()?;
                Ok(symbols.zip(EmailParts::unpack(from)?).collect())
            })
        };
        let (texts, (symbols, emails)) = rayon::join(texts, || rayon::join(symbols, emails));
        let (texts, symbols, emails) = (texts?, symbols?, emails?);
        if texts.is_empty() { Err(misshapen()) } else { Ok(Self { texts, symbols, emails }) }
    }

    fn look_up(&self, text: &str) -> Text {
        let hash = hash(text);
        match self.find(text, hash) {
            Some(symbol) => Text::Known(symbol),
            None => Text::New { text: text.into(), marks: Marks::of(text), hash },
        }
    }

    fn find(&self, text: &str, hash: u64) -> Option<Symbol> {
        let equal = |symbol: &Symbol| self.texts[*symbol as usize].0 == text;
        self.symbols.find(hash, equal).copied()
    }

    fn intern(&mut self, text: Text) -> Symbol {
        let (text, marks, of_text) = match text {
            Text::Known(symbol) => return symbol,
            Text::New { text, marks, hash } => (text, marks, hash),
        };
        // Another record may have brought it since.
        if let Some(symbol) = self.find(&text, of_text) {
            return symbol;
        }
        let symbol = Symbol::try_from(self.texts.len()).expect("fewer than 2^32 distinct texts");
        let texts = &self.texts;
        let of_symbol = |symbol: &Symbol| hash(&texts[*symbol as usize].0);
        self.symbols.insert_unique(of_text, symbol, of_symbol);
        self.texts.push((text, marks));
        symbol
    }
}

/// What the pieces of an image are called that hold the texts, the table of their symbols, and the parts of addresses.
const TEXTS: &str = "texts";
const SYMBOLS: &str = "symbols";
const EMAILS: &str = "emails";

/// What is known of a record's texts before any of them is interned.
#[derive(Default)]
struct Drafted {
    values: Vec<(Field, Text)>,
    tokens: Vec<Text>,
    /// The parts of its e-mail address, where they are not known.
    email: Option<EmailParts>,
}

/// A text that may be interned.
enum Text {
    Known(Symbol),
    New { text: SmolStr, marks: Marks, hash: u64 },
}

impl Text {
    fn symbol(&self) -> Option<Symbol> {
        match self {
            Self::Known(symbol) => Some(*symbol),
            Self::New { .. } => None,
        }
    }
}

fn hash(text: &str) -> u64 {
    FxBuildHasher.hash_one(text)
}
