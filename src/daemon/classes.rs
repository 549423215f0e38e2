//! From the section `metrics` to what the lines count apart.

use broker::classes::{Classes, ClientGroup};
use mqtt_codec::TopicFilter;

/// What is to be counted apart. What is no filter or no group was refused when the settings were read.
pub(super) fn of(metrics: &conf::Metrics) -> Classes {
    let filter = |counted: &conf::CountedFilter| {
        let filter = TopicFilter::new(counted.filter.clone()).ok()?;
        Some((counted.name.as_str().into(), filter))
    };
    let group = |counted: &conf::CountedGroup| {
        let group = match (&counted.user_group, &counted.client_id_start) {
            (Some(group), _) => ClientGroup::User(group.as_str().into()),
            (None, Some(start)) => ClientGroup::ClientIdStart(start.as_str().into()),
            (None, None) => return None,
        };
        Some((counted.name.as_str().into(), group))
    };
    Classes {
        filters: metrics.filters.iter().filter_map(filter).collect(),
        groups: metrics.groups.iter().filter_map(group).collect(),
    }
}
