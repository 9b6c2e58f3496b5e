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
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            marketing_purpose: "marketing".into(),
            profiling_purpose: "profiling".into(),
            require_profiling_consent: false,
        }
    }
}

/// What a profile is made by, in this version of the program: raised whenever the same members give another profile.
const EDITION: u32 = 2;

impl Settings {
    /// A text that is another one where the same members would give another profile.
    pub fn fingerprint(&self) -> String {
        format!("{EDITION} {self:?}")
    }
}
