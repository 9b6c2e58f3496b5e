//! Onefold turns streams of customer events into one identity per customer and one profile per identity.
//!
//! # The flow
//!
//! ```text
//! Kafka, files ─ source ─ messages ─┐
//!                                   │  pipeline: one micro-batch, one atomic commit
//!   mapping ─ event ─ normalise ─ record                      (all cores, pure)
//!   block ─ candidates ─ score ─ edges ─ components ─ cluster (resolve, incremental, pure)
//!   identities ─ facts ─ positions ─ outbox ─────────── state (durable, on local disk)
//!                                   │  every interval
//!   profile ─ rows ─ sink ─ Delta tables on object storage
//! ```
//!
//! A message becomes an *event* or a dead letter. Who the event speaks of, normalised, is a *record
//! node*; what happened is folded into the node's *facts*. The resolver finds which nodes speak of
//! one person, each such *cluster* keeps or gets a durable *identity*, and a *profile* is the fold
//! of its members' facts. The facts in the state are the truth; the index in memory is derived from
//! them, and left to the next start by a job that ends well.
//!
//! # The modules, in reading order
//!
//! | Module | Its question |
//! |---|---|
//! | [`record`] | the nouns: [`record::Event`], [`record::Identity`], [`record::RecordKey`], [`record::IdentityId`] |
//! | [`error`], [`clock`], [`image`] | what should a caller do about a failure; the only door to time; tables as bytes |
//! | [`failpoint`] | where can a crash come between two durable steps? |
//! | `kafka` | what is a client of librdkafka told, whichever way its messages go? |
//! | [`source`] | where do messages come from, and what does each mean? |
//! | [`normalise`] | how is a raw value written, so that equal means equal? |
//! | [`block`] | which pairs are worth comparing? |
//! | [`score`] | how much does a pair speak for one person, in bits? |
//! | [`cluster`] | which records are one person, and which identity do they keep? |
//! | [`resolve`] | the three before, incremental: what does one change touch? |
//! | [`explain`] | why do records belong together or not, and in which steps did they come together? |
//! | [`train`] | what can be learnt of the records without labels? |
//! | [`profile`] | what do the members of an identity say together? |
//! | [`sink`] | how do rows become tables that any tool can read, each change exactly once? |
//! | [`state`] | what must outlive a restart? |
//! | [`pipeline`] | the loop that joins them; the one module that knows every stage |
//! | [`config`] | what shall run, and is it written so that it can? |
//! | [`splink`] | what does a model of Splink's say, as one of ours? |
//! | [`evaluate`] | how right is the result, against a known truth? |
//! | [`report`] | how do people see a model, or what a result got wrong? |
//! | [`telemetry`] | what does the program tell those who run it? |
//! | [`web`] | how do probes and Prometheus ask a running job? |
//! | [`demo`] | made-up customers and a broker in this process |
//! | [`cli`] | one file a subcommand |
//!
//! # Which way imports run
//!
//! Down, and never in a circle: `main` > `cli` > `pipeline`, `web` > `config`, `demo` > `source`, `sink`,
//! `state` > `explain`, `train` > `resolve` > `cluster` > `score` > `block` > `normalise`, `profile`, `evaluate`,
//! `telemetry`, `kafka` > `record`, `clock`, `error`, `failpoint`. The stages between `source` and `sink` name neither
//! `config`, `state`, `pipeline`, `telemetry` nor `clock`: they take slices and return values and counts, so they run
//! anywhere. The table in `tests/it/tidy.rs` holds each module to what it may name.
//!
//! # Invariants
//!
//! Each names the tests that would fail without it.
//!
//! 1. **Order does not matter.** Which records are one identity is a function of the set of records,
//!    the frozen model and the judgements, whatever the order, the batches and the restarts; a record that is taken
//!    out, or a judgement that is withdrawn, leaves what there would be had it never come.
//!    `resolve::tests::any_history_gives_the_clusters_of_the_set`,
//!    `resolve::tests::any_history_with_judgements_gives_the_clusters_of_the_set`,
//!    `resolve::tests::any_history_under_limits_gives_the_clusters_of_the_set`,
//!    `resolve::tests::order_and_batching_do_not_matter`, `resolve::tests::a_rebuilt_index_goes_on`,
//!    `cluster::replay::tests::merges_are_those_of_the_set_whatever_became_of_it`,
//!    `resolve::tests::bulk_gives_the_clusters_of_the_set`, `train::tests::order_does_not_matter`,
//!    `resolve::simulation::any_seed_gives_the_clusters_of_the_set`,
//!    `pipeline::golden::the_clusters_of_a_fixed_set_stay_as_they_are`,
//!    `pipeline::tests::batches_restarts_and_publishing_do_not_show_in_the_outcome`.
//! 2. **Exactly once.** Positions, state and tables move together; an event that is delivered again
//!    counts once. `state::tests::durability::kill_loses_nothing_that_was_acknowledged`,
//!    `pipeline::identify::tests::an_event_counts_once_in_one_batch_and_across`,
//!    `pipeline::publish::tests::a_publish_that_was_cut_short_is_made_up_for`,
//!    `pipeline::tests::what_a_crash_left_unpublished_is_published_by_the_next_start`,
//!    `failpoints::a_kill_at_any_step_of_the_state_loses_and_repeats_nothing`,
//!    `failpoints::a_kill_at_any_step_of_publishing_loses_and_repeats_nothing`,
//!    `failpoints::a_kill_as_a_job_ends_or_begins_loses_and_repeats_nothing`,
//!    `failpoints::a_kill_at_a_checkpoint_loses_and_repeats_nothing`,
//!    `torture::what_is_killed_at_random_counts_every_event_once`,
//!    `pipeline::publish::tests::of_two_copies_of_a_state_the_one_that_started_first_stops`,
//!    `pipeline::snapshot::tests::a_state_that_is_restored_ends_as_if_it_had_not_been_lost`,
//!    `pipeline::window::tests::within_the_window_an_event_counts_once_and_before_it_nobody_guesses`,
//!    `pipeline::dead_letter::tests::what_a_person_mended_is_replayed_once_whatever_cut_it_short`,
//!    `sink::tests::a_commit_that_is_there_is_not_published_again`,
//!    `sink::tests::a_lost_answer_is_found_in_the_log`,
//!    `sink::tests::a_fence_stops_the_writer_before`.
//! 3. **Every record belongs to exactly one identity at every commit**, and every identity has a profile or is gone;
//!    but for a backfill's records until all are read (`pipeline::identify::tests::a_catch_up_that_was_cut_short_is_made_anew`).
//!    `state::tests::round_trip::verify_names_the_first_contradiction` shows that a state that breaks it is noticed;
//!    `pipeline::identify::tests::an_identity_is_created_merged_and_split` looks after every commit,
//!    `pipeline::tests::batches_restarts_and_publishing_do_not_show_in_the_outcome` at the tables.
//! 4. **Ids last.** An id is minted from content, never reused, and forwards once merged; the
//!    largest part of a split keeps it.
//!    `cluster::identity::tests::an_id_is_never_reused`,
//!    `cluster::identity::tests::on_a_split_the_largest_part_keeps_the_id`,
//!    `cluster::identity::tests::a_merge_keeps_the_identity_with_more_records`,
//!    `pipeline::identify::tests::an_identity_is_created_merged_and_split`. A new model and a new
//!    backfill take ids over by largest overlap.
//!    `pipeline::rematch::tests::another_model_gives_its_clusters_and_ids_stay_with_the_largest_part`,
//!    `pipeline::carry::tests::a_backfill_made_anew_keeps_every_id`,
//!    `pipeline::carry::tests::under_another_model_the_largest_part_keeps_the_id_whatever_the_batches`.
//! 5. **Nothing is lost silently.** `read = resolved + duplicate + dead-lettered`, and dead letters
//!    hold bytes, position and reason. `config::mapping_tests::broken_events_are_dead_letters`,
//!    `pipeline::identify::tests::what_cannot_be_used_is_kept_and_counted`,
//!    `pipeline::intake::tests::a_panic_does_not_look_like_the_end`,
//!    `source::kafka::tests::what_retention_took_is_told_and_counted`,
//!    `source::kafka::tests::a_position_behind_the_end_is_never_read_anew`.
//! 6. **The core is pure.** The stages do no I/O, read no clock, draw no randomness, iterate nothing
//!    in hash order. `tidy::the_core_is_pure`, `tidy::imports_run_down`.
//! 7. **An erased person is nowhere** (`pipeline::erasure::tests::everything_is_as_if_the_person_had_never_come`,
//!    `failpoints::an_erasure_that_is_killed_at_any_step_is_ended_by_the_next_start`), and nobody is in logs, metrics,
//!    answers over HTTP, panics and errors (`canary::events_broken_in_every_way_are_told_of_nowhere`,
//!    `canary::the_endpoint_tells_of_nobody`, `canary::a_panic_tells_where_it_was_and_nothing_else`,
//!    `config::mapping_tests::no_detail_holds_a_value`, `sink::tests::the_log_names_no_value_without_statistics`).
//!
//! The same input in the same order, pipeline file and version give the same table bytes
//! (`sink::tests::the_same_commits_write_the_same_bytes`).

pub mod block;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod config;
#[cfg(test)]
mod contract;
pub mod demo;
pub mod error;
pub mod evaluate;
pub mod explain;
pub mod failpoint;
pub mod image;
mod kafka;
pub mod normalise;
pub mod pipeline;
pub mod profile;
pub mod record;
pub mod report;
pub mod resolve;
pub mod score;
pub mod sink;
pub mod source;
pub mod splink;
pub mod state;
pub mod telemetry;
pub mod train;
pub mod web;
