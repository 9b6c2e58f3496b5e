//! The pipeline file as written. The comments on the fields are its manual.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use super::schema;
use super::value::{OneOrMany, Reference, Scalar};
use crate::score::FieldChange;

/// A pipeline file. In every text, `${VAR}` stands for an environment variable,
/// `${VAR:-default}` for one with a default, and `${file:/run/secrets/name}` for what a file says.
/// What comes from a variable or a file, or stands in `options`, is hidden in all that Onefold
/// tells. Paths are relative to the working directory.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The pipeline's name; names the default consumer group, too.
    pub name: String,
    /// `[source.NAME]`: where events come from. Several may be given; names stay the same for
    /// ever, since positions are kept under them.
    #[serde(default)]
    pub source: BTreeMap<String, SourceSettings>,
    /// `[match]`: when two records are one customer.
    #[serde(default)]
    pub r#match: MatchSettings,
    /// `[state]`: where the job keeps what it must remember.
    #[serde(default)]
    pub state: StateSettings,
    /// `[publish]`: where the tables go.
    #[serde(default)]
    pub publish: PublishSettings,
    /// `[retention]`: what is forgotten by itself. Absent: nothing.
    #[serde(default)]
    pub retention: RetentionSettings,
    /// `[dead_letters]`: where messages that cannot be used go besides their table.
    #[serde(default)]
    pub dead_letters: DeadLettersSettings,
    /// `[run]`: the pace of the job.
    #[serde(default)]
    pub run: RunSettings,
    /// `[http]`: an endpoint for probes and metrics. Absent: there is none.
    pub http: Option<HttpSettings>,
}

/// `[source.NAME]`: where messages stand, and what they mean. Where a pointer is asked for, a list
/// of pointers is welcome, too: the first that is present counts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceSettings {
    /// Files: a path, glob or URL (`s3://`, `gs://`, `az://`, `file://`), or a list of them. `*`,
    /// `?` and `[...]` match within a path segment, `**` over several. `.gz` and `.zst` are
    /// decompressed.
    pub files: Option<OneOrMany<String>>,
    /// Kafka topics; instead of `files`.
    pub kafka: Option<KafkaSettings>,
    /// `jsonl`, `csv` or `parquet`; by default the ending of each file's name decides.
    #[schemars(transform = schema::file_format)]
    pub format: Option<String>,
    /// The separator of CSV cells, one character. Default: `,`, and a tab for `.tsv`.
    pub delimiter: Option<String>,
    /// Options of the object store (`endpoint`, `allow_http`, `access_key_id` ...), over `AWS_*`,
    /// `GOOGLE_*` and `AZURE_*` of the environment.
    #[serde(default)]
    pub options: BTreeMap<String, Scalar>,
    /// The channel: a constant, or a pointer. Default: the source's name.
    pub channel: Option<OneOrMany<Reference>>,
    /// The event id: unique in its channel, a text. A second event of one id is a repeated
    /// delivery and counts once. May be left out where `record_id` is given: a row's event is
    /// then named after its key and content.
    pub event_id: Option<OneOrMany<Reference>>,
    /// The source's own row key, for exports and change streams whose rows have one: a newer
    /// version of a row (by event time, then by content) replaces the older.
    pub record_id: Option<OneOrMany<Reference>>,
    /// The event type, e.g. `purchase`; a constant as `{ value = "row" }`. Default where
    /// `record_id` is given: `row`.
    pub r#type: Option<OneOrMany<Reference>>,
    /// When it happened. May be left out where `record_id` is given; the content then decides
    /// between versions.
    pub occurred_at: Option<TimeSettings>,
    /// Pointers that must be present and not null for an event to be of use; of an inner list, one
    /// must be.
    #[serde(default)]
    pub require: Vec<OneOrMany<String>>,
    /// ISO 3166 country of phone numbers without a country code, and of addresses without a
    /// country, e.g. `US`.
    #[schemars(transform = schema::country)]
    pub default_region: Option<String>,
    /// How ambiguous numeric dates such as `03/04/1980` are meant: `day_first` (default) or
    /// `month_first`.
    #[schemars(transform = schema::date_order)]
    pub date_order: Option<String>,
    /// Which events write the month first, where only some do, e.g. `{ "/locale" = "US" }`.
    pub month_first_when: Option<BTreeMap<String, OneOrMany<Scalar>>>,
    /// The source holds each customer once, so that two of its rows are never one customer. Wants `record_id`.
    #[serde(default)]
    pub one_per_customer: bool,
    /// `[source.NAME.identity]`: who the event speaks of. Each field is a pointer, a list of
    /// pointers of which the first that says something counts (`""`, `null` and `N/A` say
    /// nothing), `{ path = "/store_id", take = 2 }` for the first characters of a text, or
    /// `{ path = "/lat", and = "/lon" }` for two values with a comma between them. A
    /// pointer to an object or a list says nothing. The fields: `full_name`, `given_name`,
    /// `middle_name`, `surname`, `birth_date`, `email`, `phone`, `phone_region`, `address` (a
    /// whole address in one text), `address_line`, `address_line2`, `house`, `street`, `city`,
    /// `region`, `postcode`, `country`, `gender`, `occupation`, `government_id`, `loyalty`,
    /// `cookie`, `device`, `card`, and those of `[match.field.NAME]`.
    #[serde(default)]
    #[schemars(transform = schema::identity)]
    pub identity: BTreeMap<String, OneOrMany<Reference>>,
    /// `[source.NAME.purchase]`: money paid; a table or a list of them, of which the first that
    /// holds counts.
    #[serde(default)]
    pub purchase: OneOrMany<MoneySettings>,
    /// `[source.NAME.return]`: money given back, as a positive amount.
    #[serde(default)]
    pub r#return: OneOrMany<MoneySettings>,
    /// `[source.NAME.consent]`: consent given or withdrawn; a table or a list of them, of which
    /// the first that holds counts.
    #[serde(default)]
    pub consent: OneOrMany<ConsentSettings>,
    /// `[source.NAME.suppression]`: events after which an address must not be used any more, such as bounces; a
    /// table or a list of them, of which the first that holds counts.
    #[serde(default)]
    pub suppression: OneOrMany<SuppressionSettings>,
    /// `[source.NAME.erasure]`: events by which a customer asks to be forgotten; a table or a list of them.
    #[serde(default)]
    pub erasure: OneOrMany<ErasureRequestSettings>,
    /// `[source.NAME.detail]`: what else the event tells.
    #[serde(default)]
    pub detail: DetailSettings,
    /// `[source.NAME.limits]`: what is too large to be read, and goes to the dead letters.
    #[serde(default)]
    pub limits: LimitSettings,
}

/// `kafka = { ... }`: topics whose messages are JSON objects.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaSettings {
    /// `host:port`, several with commas.
    pub brokers: String,
    /// One topic.
    pub topic: Option<String>,
    /// Several topics; instead of `topic`.
    pub topics: Option<Vec<String>>,
    /// The consumer group under which offsets are committed, so that the usual tools see the lag.
    /// Default: `onefold-` and the pipeline's name. All partitions are read, whoever else has the
    /// group; where reading goes on is kept in the state.
    pub group: Option<String>,
    /// What is done where the broker no longer has what comes next, since retention passed this
    /// job: it is told and counted as lost, and then `continue` (default) goes on with the oldest
    /// message that is there, `stop` stops the job.
    #[schemars(transform = schema::on_gap)]
    pub on_gap: Option<String>,
    /// Any librdkafka setting, e.g. `"security.protocol" = "SASL_SSL"`.
    #[serde(default)]
    pub options: BTreeMap<String, Scalar>,
}

/// `occurred_at = { ... }`: when an event happened. Times before 1970 or after 2200 are dead
/// letters.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeSettings {
    /// A pointer to the time.
    pub path: String,
    /// `rfc3339` (default; with an offset), `epoch_seconds`, `epoch_millis`, or `local` for a wall
    /// clock.
    #[schemars(transform = schema::time_format)]
    pub format: Option<String>,
    /// For `local`: `DMY` (default), `MDY` or `YMD`, or where that stands: `{ path =
    /// "/date_format" }`.
    pub order: Option<Reference>,
    /// For `local`: hours ahead of UTC, or a pointer to them. Default 0.
    pub utc_offset: Option<Reference>,
}

/// Money that an event moves. An event without an amount moves none; an amount that cannot be read
/// makes a dead letter.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MoneySettings {
    /// Which events: for each pointer a value, or a list of values. Default: all.
    #[serde(default)]
    pub when: BTreeMap<String, OneOrMany<Scalar>>,
    /// A pointer to the amount, a number or its text. A negative purchase counts as a return.
    pub amount: OneOrMany<Reference>,
    /// The ISO 4217 code: a pointer, or `{ value = "EUR" }`.
    pub currency: OneOrMany<Reference>,
    /// Decimals of the amounts that are kept, 0 to 6; finer ones are rounded half to even.
    /// Default: the currency's own, e.g. 2 for EUR and 0 for JPY.
    pub decimals: Option<u8>,
}

/// A consent that an event gives or withdraws. If it cannot be read, the event is a dead letter.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentSettings {
    /// Which events: for each pointer a value, or a list of values. Default: all.
    #[serde(default)]
    pub when: BTreeMap<String, OneOrMany<Scalar>>,
    /// What it is for: a pointer, or `{ value = "marketing_email" }`.
    pub purpose: OneOrMany<Reference>,
    /// `granted` or `withdrawn`: a pointer, or `{ value = "withdrawn" }`.
    pub state: OneOrMany<Reference>,
    /// The way of contact that it is for, e.g. `email`, `sms`, `phone` or `post`: a pointer, or a constant as `{ value
    /// = "email" }`. Where nothing is said, it is for all.
    #[serde(default)]
    pub channel: OneOrMany<Reference>,
    /// The legal basis, e.g. `{ value = "consent" }`, or a pointer.
    #[serde(default)]
    pub basis: OneOrMany<Reference>,
    /// The version of the policy that was shown.
    #[serde(default)]
    pub policy_version: OneOrMany<Reference>,
    /// How it was said, e.g. `paper_form`. Where nothing is said, the source's name.
    #[serde(default)]
    pub source: OneOrMany<Reference>,
}

/// Events after which the address that they name must not be used any more.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuppressionSettings {
    /// Which events: for each pointer a value, or a list of values. Default: all.
    #[serde(default)]
    pub when: BTreeMap<String, OneOrMany<Scalar>>,
    /// The way of contact, or a list of them: `email`, `sms`, `phone`, `post`.
    #[schemars(transform = schema::contact_channels)]
    pub channel: OneOrMany<String>,
    /// Why: a pointer, or `{ value = "do_not_call" }`. Where nothing is said, the event's type.
    #[serde(default)]
    pub reason: OneOrMany<Reference>,
    /// The events end it instead: the address may be used again.
    #[serde(default)]
    pub lifts: bool,
}

/// Events by which a customer asks to be forgotten. Whoever can send one can have that customer erased, so name events
/// that come once it is known who asks.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErasureRequestSettings {
    /// Which events: for each pointer a value, or a list of values. At least one, so that no typo erases everybody.
    #[schemars(extend("minProperties" = 1))]
    pub when: BTreeMap<String, OneOrMany<Scalar>>,
}

/// What else an event tells.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DetailSettings {
    /// A product category that was looked at or bought.
    #[serde(default)]
    pub category: OneOrMany<Reference>,
    /// The campaign that caused the event.
    #[serde(default)]
    pub campaign: OneOrMany<Reference>,
    /// A mood from -1 to 1.
    #[serde(default)]
    pub sentiment: OneOrMany<Reference>,
    /// A product that was looked at or bought.
    #[serde(default)]
    pub product: OneOrMany<Reference>,
    /// How many things were bought or given back, a whole number.
    #[serde(default)]
    pub items: OneOrMany<Reference>,
    /// What the customer got in touch for.
    #[serde(default)]
    pub reason: OneOrMany<Reference>,
    /// Whether that was resolved: `true` or `false`.
    #[serde(default)]
    pub resolved: OneOrMany<Reference>,
    /// The customer's language.
    #[serde(default)]
    pub language: OneOrMany<Reference>,
    /// The country where they were.
    #[serde(default)]
    pub country: OneOrMany<Reference>,
    /// Their timezone, or its offset.
    #[serde(default)]
    pub timezone: OneOrMany<Reference>,
}

/// What is too large to be read.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    /// One message, line or row. Default `1MiB`.
    #[schemars(transform = schema::size)]
    pub payload: Option<String>,
    /// One text within it. Default `64KiB`.
    #[schemars(transform = schema::size)]
    pub text: Option<String>,
    /// Objects and lists within one another, up to 100. Default 32.
    pub depth: Option<usize>,
    /// Members of one object or elements of one list. Default 4096.
    pub members: Option<usize>,
}

/// `[match]`: when two records are one customer.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MatchSettings {
    /// The model file. Empty or absent: the built-in defaults, which need no training.
    pub model: Option<String>,
    /// A file of judgements (`.jsonl`, `.json` or `.csv`) that is read at each start, and that `onefold judge` keeps.
    /// Empty or absent: there is none.
    pub judgements: Option<String>,
    /// About how many customers there are; without a model, names, dates and addresses must be the
    /// rarer the more there are.
    pub expected_customers: Option<u64>,
    /// The log-odds in bits from which two clusters are merged; overrides the model's own.
    pub threshold_bits: Option<f64>,
    /// `precise`, `balanced` or `broad`; instead of `threshold_bits`.
    #[schemars(transform = schema::operating_point)]
    pub operating_point: Option<String>,
    /// How many records may share a blocking key before it is narrowed. Default 150.
    pub block_cap: Option<usize>,
    /// How many records may form one component before it is split at a higher threshold. Default
    /// 400.
    pub component_cap: Option<usize>,
    /// `[match.field.NAME]`: a field of your own, or what is different of a built-in one.
    #[serde(default)]
    pub field: BTreeMap<String, FieldChange>,
    /// `[[match.rule]]`: a further blocking rule. Records that share no key are never compared.
    #[serde(default)]
    pub rule: Vec<RuleSettings>,
    /// The names of blocking rules that are not wanted.
    #[serde(default)]
    pub without_rules: Vec<String>,
}

/// `[[match.rule]]`: under which key records meet.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSettings {
    /// What explanations call it; the name of a rule that is there replaces that.
    pub name: String,
    /// The parts of the key, of which a record must have each: fields, `surname:3` for the first characters of one,
    /// `surname_sound`, `birth_year`, `birth_month_day`, `birth_year_month_day`, `email_local`, `street_word`,
    /// `outward_code`, and, as the first part only, `any_name` or `name_pair`.
    pub key: OneOrMany<String>,
    /// Up to three parts that narrow a key that too many records share.
    #[serde(default)]
    pub refine: OneOrMany<String>,
}

/// `[state]`: where the job keeps what it must remember.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StateSettings {
    /// A local folder. Default `./state`.
    pub path: Option<String>,
    /// How much memory the state may use. Default `2GiB`. Today it sizes the store's cache of
    /// blocks, which gets an eighth of it, and the store's write buffers, which get a sixteenth (those
    /// that are being written out come on top). Not within it yet: the matcher's index, which grows
    /// with every record.
    #[schemars(transform = schema::size)]
    pub memory: Option<String>,
    /// With less room than this on its disk, no messages are taken until there is more again; what was read is
    /// published meanwhile. Default `256MiB`.
    #[schemars(transform = schema::size)]
    pub disk_reserve: Option<String>,
    /// For how long an event is known, so that a second delivery of it counts once, e.g. `90d`; at least `1d`. Default:
    /// for ever. The window is one of event time and ends with the latest event of each source. An event from before it
    /// that is not known goes to the dead letters (`too_late`), for it may have counted already. What is forgotten
    /// takes no disk.
    #[schemars(transform = schema::duration)]
    pub event_window: Option<String>,
    /// `[state.snapshot]`: where snapshots of the state go.
    pub snapshot: Option<SnapshotSettings>,
}

/// `[state.snapshot]`: where snapshots of the state go, from which `onefold state PIPELINE restore` makes it anew.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotSettings {
    /// A folder or URL (`s3://`, `gs://`, `az://`), best on another disk than the state.
    pub url: String,
    /// How often a running job takes one, e.g. `1h`; it goes on meanwhile. Default: never, only `onefold state PIPELINE
    /// snapshot` does.
    #[schemars(transform = schema::duration)]
    pub interval: Option<String>,
    /// How many are kept; older ones are deleted. Default 3.
    pub keep: Option<usize>,
    /// Options of the object store, over those of the environment.
    #[serde(default)]
    pub options: BTreeMap<String, Scalar>,
}

/// `[retention]`: what is forgotten by itself, by this machine's clock. Looked after about once a day, and when a job
/// ends by itself.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionSettings {
    /// Customers of whom nothing was heard for so long are erased, as by `onefold erase`, e.g. `1095d`; at least `1d`.
    /// Absent: never.
    #[schemars(transform = schema::duration)]
    pub inactive: Option<String>,
    /// Rows of `interactions` that happened so long ago are deleted, e.g. `730d`; at least `1d`. What profiles count of
    /// them stays. Absent: never.
    #[schemars(transform = schema::duration)]
    pub interactions: Option<String>,
}

/// `[publish]`: where the tables go.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishSettings {
    /// A local folder or an object store URL. Default `./out`.
    pub url: Option<String>,
    /// How often changes are published. Default `30s`.
    #[schemars(transform = schema::duration)]
    pub interval: Option<String>,
    /// How long a version of the tables can still be read, and restored, once another has taken its place; at least
    /// `1d`. Then the running job deletes its files. Default `7d`.
    #[schemars(transform = schema::duration)]
    pub retention: Option<String>,
    /// Within how long an erasure that a running job takes up has left every file of tables, state and snapshots.
    /// Customers are gone from the state and the present tables with the next publish; rewriting files is begun at half
    /// of this time, once for all who asked meanwhile. Default `1d`.
    #[schemars(transform = schema::duration)]
    pub erasure_bound: Option<String>,
    /// How often the tables are written as plain Parquet files besides, for tools that know no Delta: whole each time,
    /// as `current/TABLE.parquet`, and as sets of one commit below `plain/`. Absent: never.
    #[schemars(transform = schema::duration)]
    pub plain_interval: Option<String>,
    /// Options of the object store, as for a source.
    #[serde(default)]
    pub options: BTreeMap<String, Scalar>,
    /// Where an earlier output of the same records lies, a folder or URL: a new state takes over its identity ids at the
    /// end of its first run, each by the cluster that holds most of its records, before anything is published. For
    /// a backfill that is made anew; say it for good or take it out afterwards, it counts once.
    pub carry_ids_from: Option<String>,
    /// The purpose of consent to marketing. `<purpose>_email`, `<purpose>_sms` and the like mean it by that channel.
    /// Default `marketing`.
    pub marketing_purpose: Option<String>,
    /// The purpose of consent to profiling: without it, `profiles_marketing` holds nothing that was derived from what a
    /// customer did. Default `profiling`.
    pub profiling_purpose: Option<String>,
    /// Whether `profiles`, too, holds what was derived (activity, money, categories, sentiment) only of those who agreed
    /// to profiling. Default `false`. Those who serve customers need it, on another legal basis.
    #[serde(default)]
    pub require_profiling_consent: bool,
    /// `[publish.survivorship]`: which of many values stands in a profile.
    #[serde(default)]
    pub survivorship: SurvivorshipSettings,
    /// `[publish.topics]`: topics that hear of customers besides the tables.
    pub topics: Option<TopicsSettings>,
}

/// `[publish.topics]`: topics that hear of customers besides the tables, as soon as something is committed. All are keyed
/// by the customer's id.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopicsSettings {
    /// `host:port`, several with commas.
    pub brokers: String,
    /// A compacted topic of present profiles, each as JSON with the columns of `profiles`; a tombstone for a customer
    /// who is no more. A topic that is new gets all of them.
    pub profiles: Option<String>,
    /// A topic of what `identity_changes` says from now on, a row as JSON a message; not compacted.
    pub changes: Option<String>,
    /// Any librdkafka setting of producers, e.g. `"security.protocol" = "SASL_SSL"`.
    #[serde(default)]
    pub options: BTreeMap<String, Scalar>,
}

/// `[publish.survivorship]`: which of many values stands in a profile, or comes first. A rule is `most_frequent`,
/// `most_recent`, `most_trusted_source` or `longest`; of equals the later stands. Case makes no other value, and an
/// initial stands only where there is nothing longer.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SurvivorshipSettings {
    /// The given name. Default `most_frequent`.
    #[schemars(transform = schema::survivorship)]
    pub given_name: Option<String>,
    /// The surname. Default `most_frequent`.
    #[schemars(transform = schema::survivorship)]
    pub surname: Option<String>,
    /// The birth date. Default `most_frequent`.
    #[schemars(transform = schema::survivorship)]
    pub birth_date: Option<String>,
    /// Which e-mail address comes first. Default `most_recent`.
    #[schemars(transform = schema::survivorship)]
    pub email: Option<String>,
    /// Which phone number comes first. Default `most_recent`.
    #[schemars(transform = schema::survivorship)]
    pub phone: Option<String>,
    /// Which address comes first. Default `most_recent`.
    #[schemars(transform = schema::survivorship)]
    pub address: Option<String>,
    /// Sources, the most trusted first, for `most_trusted_source`; others come last.
    #[serde(default)]
    pub trusted_sources: Vec<String>,
}

/// `[dead_letters]`: where messages that cannot be used go besides their table.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadLettersSettings {
    /// `[dead_letters.kafka]`: a topic that each of them is produced to from now on, at least once,
    /// whole and with headers that say where it came from and why it could not be used.
    pub kafka: Option<LetterTopicSettings>,
}

/// `[dead_letters.kafka]`: the topic of the dead letters.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LetterTopicSettings {
    /// `host:port`, several with commas.
    pub brokers: String,
    /// The topic; none that the pipeline reads, and none that is compacted.
    pub topic: String,
    /// Any librdkafka setting of producers, e.g. `"security.protocol" = "SASL_SSL"`.
    #[serde(default)]
    pub options: BTreeMap<String, Scalar>,
}

/// `[run]`: the pace of the job.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunSettings {
    /// The most messages in one micro-batch, which fills up only where the job lags behind. Default 50000.
    pub batch: Option<usize>,
    /// How often results and positions are made durable. Default `1s`.
    #[schemars(transform = schema::duration)]
    pub commit_interval: Option<String>,
    /// How long a stop may take to drain and commit. Default `30s`.
    #[schemars(transform = schema::duration)]
    pub shutdown_timeout: Option<String>,
    /// What becomes of a message that cannot be used: `dead-letter` (default) puts it aside and goes
    /// on; `stop` stops the job before it, and it is read again by the next start.
    #[schemars(transform = schema::on_error)]
    pub on_error: Option<String>,
    /// How much of a source may be unusable before the job stops without committing more: a format
    /// was changed, or the mapping is wrong.
    #[serde(default)]
    pub dead_letters_max: DeadLettersMaxSettings,
}

/// `dead_letters_max = { share = 0.9, per = "1m", at_least = 1000 }`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadLettersMaxSettings {
    /// The share of a source's messages, 0 to 1, that may be unusable. Default 0.9; 1 allows
    /// anything.
    pub share: Option<f64>,
    /// Of the messages that were read within this time. Default `1m`.
    #[schemars(transform = schema::duration)]
    pub per: Option<String>,
    /// The fewest messages of which the share counts. Default 1000.
    pub at_least: Option<u64>,
}

/// `[http]`: an endpoint for probes and metrics: `/health`, `/ready`, `/metrics`, `/status`.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// Where it listens, e.g. `127.0.0.1:9187`; port 0 takes a free one, which the log names.
    pub address: Option<String>,
    /// Whether the address may be one that other machines reach. Default: no.
    #[serde(default)]
    pub allow_remote: bool,
    /// What a caller must know: `Authorization: Bearer TOKEN`; 16 characters at least. Give it as
    /// `${VAR}`. `/status` tells names of files, which may name people, so it answers only with a
    /// token.
    pub token: Option<String>,
    /// What the token is asked for: `status` (default), or `all`, also health, readiness and metrics.
    #[schemars(transform = schema::token_for)]
    pub token_for: Option<String>,
    /// TLS: `{ certificate = "server.pem", key = "server.key.pem" }`. Absent: plain HTTP.
    pub tls: Option<TlsSettings>,
}

impl fmt::Debug for HttpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token is a secret.
        f.debug_struct("HttpSettings").field("address", &self.address).finish_non_exhaustive()
    }
}

/// TLS of `[http]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// A PEM file: the certificate, then those that it is signed with.
    pub certificate: String,
    /// A PEM file: the certificate's private key.
    pub key: String,
}
