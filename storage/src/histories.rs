//! How many random histories a test tries.

/// As many as `STROWGER_TEST_HISTORIES` says, or else `usual`, which is what there is time for in every run.
pub(crate) fn histories(usual: u32) -> u32 {
    let given = std::env::var("STROWGER_TEST_HISTORIES").ok();
    given.and_then(|given| given.parse().ok()).unwrap_or(usual)
}
