//! How fast one client may send, from the settings to the brain's limits.

use std::sync::Arc;

use broker::limits::{Rate, RateBook, Rates, TooFast};

/// The rates of the section `listener`, and those of listeners that have some of their own.
pub(super) fn book(conf: &conf::Configuration) -> RateBook {
    let of_all = &conf.listener;
    let common = Rates {
        messages: rate(of_all.client_messages_per_sec, of_all.client_messages_burst),
        bytes: rate(of_all.client_bytes_per_sec, of_all.client_bytes_burst),
        filters: rate(of_all.client_filters_per_sec, of_all.client_filters_burst),
        too_fast: too_fast(of_all.client_too_fast),
    };
    let own = conf
        .listeners
        .iter()
        .map(|listener| (listener.name(), of(listener, common)));
    RateBook {
        common: Arc::new(common),
        listeners: own
            .filter(|(_, own)| *own != common)
            .map(|(name, own)| (name.into_boxed_str(), Arc::new(own)))
            .collect(),
    }
}

fn of(listener: &conf::FurtherListener, common: Rates) -> Rates {
    let or = |per_sec: Option<u32>, burst: Option<u32>, common: Rate| {
        rate(per_sec.unwrap_or(common.per_sec), burst.unwrap_or(common.burst))
    };
    Rates {
        messages: or(
            listener.client_messages_per_sec,
            listener.client_messages_burst,
            common.messages,
        ),
        bytes: or(listener.client_bytes_per_sec, listener.client_bytes_burst, common.bytes),
        filters: or(
            listener.client_filters_per_sec,
            listener.client_filters_burst,
            common.filters,
        ),
        too_fast: listener.client_too_fast.map_or(common.too_fast, too_fast),
    }
}

fn rate(per_sec: u32, burst: u32) -> Rate {
    Rate { per_sec, burst }
}

fn too_fast(written: conf::TooFast) -> TooFast {
    match written {
        conf::TooFast::Slow => TooFast::Slow,
        conf::TooFast::Disconnect => TooFast::Disconnect,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_has_the_common_rates_but_for_its_own() {
        let mut conf = conf::Configuration::default();
        conf.listener.client_bytes_per_sec = 500;
        let book = book(&conf);
        assert!(book.listeners.is_empty());
        assert_eq!(book.common.bytes.per_sec, 500);
        assert!(!book.common.messages.is_bound());
        assert!(book.common.filters.is_bound());
    }
}
