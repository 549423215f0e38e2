//! One structured record for each connection that ended.

use broker::effect::{Cause, ClosingRecord};
use broker::limits::LimitReached;

/// Violations and slow clients are warnings: somebody has something to mend. The rest is the day's business.
pub(crate) fn report_closed(record: &ClosingRecord) {
    macro_rules! report {
        ($level:ident) => {
            tracing::$level!(
                client = %&*record.client_id,
                peer = %record.peer,
                version = %record.version,
                by = record.cause.culprit(),
                cause = %record.cause,
                reason_code = format_args!("0x{:02x}", record.reason_code),
                lasted_ms = record.lasted_millis,
                packets_in = record.packets_in,
                packets_out = record.packets_out,
                last = %record.trail,
                "connection closed"
            )
        };
    }
    match record.cause {
        Cause::Violation(_)
        | Cause::QueueFull
        | Cause::TooFast(_)
        | Cause::Refused(_)
        | Cause::Policy(_)
        | Cause::RightLost
        | Cause::NotProven(_) => report!(warn),
        Cause::Panic => report!(error),
        Cause::ClientDisconnected
        | Cause::ConnectionLost(_)
        | Cause::KeepAliveTimeout
        | Cause::TakenOver
        | Cause::IdentityExpired
        | Cause::Expelled(_)
        | Cause::ServerStopping
        | Cause::Administrative(_)
        | Cause::SentAway => report!(info),
    }
}

/// One record for a limit, now and then.
pub(crate) fn report_limit(reached: &LimitReached) {
    tracing::warn!(
        client = %&*reached.client_id,
        times = reached.times,
        limit = reached.limit.name(),
        "{}",
        reached.limit.says()
    );
}
