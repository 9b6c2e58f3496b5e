//! What profiles are made by.

use super::one_of;
use crate::config::problem::At;
use crate::config::settings::{PublishSettings, SurvivorshipSettings};
use crate::profile::{Rule, Settings, Survivorship};
use crate::source::SourcePlan;

/// Resolves what a pipeline says of its profiles. Takes note of what is wrong, and leaves it out.
pub(super) fn plan(settings: &PublishSettings, sources: &[SourcePlan], at: &At) -> Settings {
    let default = Settings::default();
    let purpose = |given: &Option<String>, default: String, key: &str| {
        let given = given.as_deref().map(str::trim);
        if given == Some("") {
            let at = at.under(key);
            at.note(at.wrong("", "give the purpose as events name it"));
        }
        given.map_or(default, ToOwned::to_owned)
    };
    let marketing = &settings.marketing_purpose;
    let profiling = &settings.profiling_purpose;
    Settings {
        marketing_purpose: purpose(marketing, default.marketing_purpose, "marketing_purpose"),
        profiling_purpose: purpose(profiling, default.profiling_purpose, "profiling_purpose"),
        require_profiling_consent: settings.require_profiling_consent,
        survivorship: survivorship(&settings.survivorship, sources, &at.under("survivorship")),
    }
}

fn survivorship(settings: &SurvivorshipSettings, sources: &[SourcePlan], at: &At) -> Survivorship {
    let default = Survivorship::default();
    let rule = |given: &Option<String>, default: Rule, key: &str| {
        let at = at.under(key);
        let rule = given.as_deref().and_then(|word| at.take(one_of(word, &Rule::ALL, &at)));
        rule.unwrap_or(default)
    };
    let place = at.under("trusted_sources");
    for (ordinal, name) in settings.trusted_sources.iter().enumerate() {
        if sources.iter().all(|source| *source.name != **name) {
            let at = place.element(ordinal);
            at.note(at.wrong(name, "there is no such source"));
        }
    }
    let made = Survivorship {
        given_name: rule(&settings.given_name, default.given_name, "given_name"),
        surname: rule(&settings.surname, default.surname, "surname"),
        birth_date: rule(&settings.birth_date, default.birth_date, "birth_date"),
        email: rule(&settings.email, default.email, "email"),
        phone: rule(&settings.phone, default.phone, "phone"),
        address: rule(&settings.address, default.address, "address"),
        trusted_sources: settings.trusted_sources.clone(),
    };
    let rules =
        [made.given_name, made.surname, made.birth_date, made.email, made.phone, made.address];
    if rules.contains(&Rule::MostTrustedSource) && settings.trusted_sources.is_empty() {
        place.note(place.problem("is missing; most_trusted_source asks which sources are trusted"));
    }
    made
}
