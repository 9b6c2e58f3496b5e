//! What does the scorer keep of a record? Small numbers instead of texts.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::{FxBuildHasher, FxHashMap};
use smol_str::SmolStr;

use super::email::EmailParts;
use super::model::Model;
use super::similarity::{Marked, Marks};
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
        let identity = model.completed(identity);
        let mut values = [0; Field::COUNT];
        for (field, value) in identity.values.iter().filter(|(f, value)| model.hears(*f, value)) {
            let symbol = self.intern(value);
            values[*field as usize] = symbol;
            if *field == Field::Email {
                self.emails.entry(symbol).or_insert_with(|| EmailParts::of(value, &model.email));
            }
        }
        let tokens = identity.name_tokens.iter().map(|token| self.intern(token)).collect();
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

    fn intern(&mut self, text: &str) -> Symbol {
        let hash = |text: &str| FxBuildHasher.hash_one(text);
        let texts = &self.texts;
        let equal = |symbol: &Symbol| texts[*symbol as usize].0 == text;
        if let Some(symbol) = self.symbols.find(hash(text), equal) {
            return *symbol;
        }
        let symbol = Symbol::try_from(texts.len()).expect("fewer than 2^32 distinct texts");
        self.symbols.insert_unique(hash(text), symbol, |symbol| hash(&texts[*symbol as usize].0));
        self.texts.push((text.into(), Marks::of(text)));
        symbol
    }
}
