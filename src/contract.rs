//! Are the files that are made of the code as it would make them now?

/// Compares a generated file with what is there, or writes it anew where `ONEFOLD_RENEW` is set.
#[track_caller]
pub(crate) fn assert_is_current(path: &str, made: &str) {
    let file = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("ONEFOLD_RENEW").is_some() {
        std::fs::write(&file, made).expect("the file is written");
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == made,
        "{path} is behind the code: `ONEFOLD_RENEW=1 cargo test --lib is_current` writes it anew; read what changed"
    );
}
