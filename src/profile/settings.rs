//! What may a pipeline choose about its profiles?

/// What a pipeline chose about its profiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The purpose of marketing by any channel; `<purpose>_email` and the like mean it by that channel.
    pub marketing_purpose: String,
    /// The purpose of deriving values from what a customer did.
    pub profiling_purpose: String,
    /// Whether `profiles` holds derived values only with consent to profiling; `profiles_marketing` always does.
    pub require_profiling_consent: bool,
    /// Which of many values stands.
    pub survivorship: Survivorship,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            marketing_purpose: "marketing".into(),
            profiling_purpose: "profiling".into(),
            require_profiling_consent: false,
            survivorship: Survivorship::default(),
        }
    }
}

/// What a profile is made by, in this version of the program: raised whenever the same members give another profile.
const EDITION: u32 = 3;

impl Settings {
    /// A text that is another one where the same members would give another profile.
    pub fn fingerprint(&self) -> String {
        format!("{EDITION} {self:?}")
    }
}

/// Which of many values stands, or comes first, by field.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct Survivorship {
    pub given_name: Rule,
    pub surname: Rule,
    pub birth_date: Rule,
    pub email: Rule,
    pub phone: Rule,
    pub address: Rule,
    /// The sources by how far they are trusted, the most trusted first; others come last.
    pub trusted_sources: Vec<String>,
}

impl Default for Survivorship {
    fn default() -> Self {
        Self {
            given_name: Rule::MostFrequent,
            surname: Rule::MostFrequent,
            birth_date: Rule::MostFrequent,
            email: Rule::MostRecent,
            phone: Rule::MostRecent,
            address: Rule::MostRecent,
            trusted_sources: Vec::new(),
        }
    }
}

impl Survivorship {
    /// The place of a source among the trusted ones.
    pub(super) fn trust(&self, source: &str) -> usize {
        let place = self.trusted_sources.iter().position(|trusted| trusted == source);
        place.unwrap_or(self.trusted_sources.len())
    }
}

/// What makes one value better than another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// More events gave it; then, the later.
    MostFrequent,
    /// An event gave it later.
    MostRecent,
    /// A source gave it that is trusted more; then, the later.
    MostTrustedSource,
    /// It says more; then, the later.
    Longest,
}

impl Rule {
    /// The rules with their names in pipeline files.
    pub const ALL: [(&'static str, Self); 4] = [
        ("most_frequent", Self::MostFrequent),
        ("most_recent", Self::MostRecent),
        ("most_trusted_source", Self::MostTrustedSource),
        ("longest", Self::Longest),
    ];
}
