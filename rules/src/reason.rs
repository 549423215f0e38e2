//! The words for reasons in rule files.

use broker::exchange::Refusal;

const REASONS: [(&str, Refusal); 11] = [
    ("not_authorized", Refusal::NotAuthorized),
    ("bad_credentials", Refusal::BadCredentials),
    ("bad_authentication_method", Refusal::BadAuthenticationMethod),
    ("client_id_invalid", Refusal::ClientIdInvalid),
    ("topic_name_invalid", Refusal::TopicNameInvalid),
    ("topic_filter_invalid", Refusal::TopicFilterInvalid),
    ("quota_exceeded", Refusal::QuotaExceeded),
    ("packet_too_large", Refusal::PacketTooLarge),
    ("server_unavailable", Refusal::ServerUnavailable),
    ("connection_rate_exceeded", Refusal::ConnectionRateExceeded),
    ("unspecified", Refusal::Unspecified),
];

/// The refusal that a word such as `quota_exceeded` stands for.
#[must_use]
pub fn reason_named(word: &str) -> Option<Refusal> {
    REASONS
        .iter()
        .find(|(known, _)| *known == word)
        .map(|(_, refusal)| *refusal)
}

/// The word for a refusal.
#[must_use]
pub fn word_of(refusal: Refusal) -> &'static str {
    REASONS
        .iter()
        .find(|(_, known)| *known == refusal)
        .map_or("unspecified", |(word, _)| word)
}

/// All words, for a remedy.
pub(crate) fn words() -> String {
    REASONS.map(|(word, _)| word).join(", ")
}
