//! The topics of scenario `wildcards`: devices at lines of sites, and several topic filters for each device.

use crate::load::plan::Plan;

/// Topic filters that match each device's topic, each of another subscriber.
const FILTERS_PER_DEVICE: u32 = 4;

/// All devices. Filter `f` is for device `f / each` and belongs to subscriber `f % subscribers`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Devices {
    subscribers: u32,
    /// Topic filters in all.
    filters: u32,
    /// Topic filters that match one device.
    each: u32,
    /// Topics in use, which are spread over the devices.
    topics: u64,
    wildcard: bool,
}

impl Devices {
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            subscribers: plan.subscribers.max(1),
            filters: plan.subscriptions,
            each: FILTERS_PER_DEVICE.min(plan.subscribers).max(1),
            topics: u64::from(plan.publishers) * u64::from(plan.topics),
            wildcard: plan.wildcard,
        }
    }

    /// The topic that one of the places of all publishers' lists stands for.
    pub(super) fn topic(&self, code: &str, index: u64) -> String {
        exact(code, self.device(index))
    }

    /// How many topic filters a subscriber has.
    pub(super) fn filters(&self, subscriber: u32) -> u32 {
        self.filters.saturating_sub(subscriber).div_ceil(self.subscribers)
    }

    /// One of a subscriber's topic filters. Each matches the topic of one device and no other.
    pub(super) fn filter(&self, code: &str, subscriber: u32, number: u32) -> String {
        let filter = number * self.subscribers + subscriber;
        let device = filter / self.each;
        let [site, line] = place(device);
        match (filter + number) % 4 {
            1 if self.wildcard => match device % 3 {
                0 => format!("bench/{code}/+/line{line}/device{device}/temperature"),
                1 => format!("bench/{code}/site{site}/+/device{device}/temperature"),
                _ => format!("bench/{code}/site{site}/line{line}/device{device}/+"),
            },
            3 if self.wildcard => format!("bench/{code}/site{site}/line{line}/device{device}/#"),
            _ => exact(code, device),
        }
    }

    /// How many subscribers hear a place.
    pub(super) fn audience(&self, index: u64) -> u32 {
        let first = self.device(index) * self.each;
        self.each.min(self.filters.saturating_sub(first))
    }

    /// Whether a subscriber hears a place.
    pub(super) fn hears(&self, subscriber: u32, index: u64) -> bool {
        let first = self.device(index) * self.each;
        (first..first + self.audience(index)).any(|filter| filter % self.subscribers == subscriber)
    }

    fn device(&self, index: u64) -> u32 {
        let devices = u64::from(self.filters.div_ceil(self.each)).max(1);
        let stride = (devices / self.topics.max(1)).max(1);
        u32::try_from(index * stride % devices).unwrap_or(0)
    }
}

fn exact(code: &str, device: u32) -> String {
    let [site, line] = place(device);
    format!("bench/{code}/site{site}/line{line}/device{device}/temperature")
}

/// Site and line of a device.
fn place(device: u32) -> [u32; 2] {
    [device % 10, device / 10 % 100]
}
