//! The same explanation for operators who ask a broker that runs.

use std::net::IpAddr;

use admin::knowledge::{Answer, Query, Verb as Asks};

use super::{OfClient, OfFilter, OfMessage, Verb, Who};

/// Answers by the files as they stand.
///
/// # Errors
///
/// The question makes no sense, or a file is wrong; in one line.
pub(crate) fn answer(query: &Query, settings: &conf::Configuration) -> Result<Answer, String> {
    let verb = verb(query)?;
    let (who, asked) = super::asked(&verb).map_err(|failure| failure.to_string())?;
    let explained = super::explained(who, &asked, settings).map_err(|failure| failure.to_string())?;
    let steps: Vec<String> = explained.reasons.lines().map(|line| line.trim().to_owned()).collect();
    let is_message = query.verb == Asks::Publish || query.verb == Asks::Will;
    let topic = explained.topic.unwrap_or_else(|| asked.topics.clone());
    Ok(Answer {
        verdict: if explained.allowed { "allowed" } else { "denied" }.to_owned(),
        reason: steps
            .last()
            .cloned()
            .unwrap_or_else(|| "nothing stands against it".to_owned()),
        steps,
        topic: (explained.allowed && is_message).then_some(topic),
        ..Answer::default()
    })
}

fn verb(query: &Query) -> Result<Verb, String> {
    let who = || -> Result<Who, String> {
        let address = query.address.as_deref().map(str::parse::<IpAddr>).transpose();
        if query.qos > 2 {
            return Err(format!("qos is {}; allowed: 0, 1, 2", query.qos));
        }
        Ok(Who {
            user: query.username.clone(),
            client_id: query.client_id.clone(),
            groups: query.groups.clone(),
            address: address
                .map_err(|_| format!("{:?} is no address", query.address.as_deref().unwrap_or_default()))?,
            listener: query.listener.clone().unwrap_or_else(|| "default".to_owned()),
            qos: query.qos,
            conf: None,
            acl: None,
            rules: None,
            protocol: 5,
        })
    };
    let message = || -> Result<OfMessage, String> {
        Ok(OfMessage {
            topic: query.topic.clone().ok_or("topic is missing; say which is meant")?,
            payload: query.payload.clone(),
            retain: query.retain,
            who: who()?,
        })
    };
    Ok(match query.verb {
        Asks::Connect => Verb::Connect(OfClient { who: who()? }),
        Asks::Publish => Verb::Publish(message()?),
        Asks::Will => Verb::Will(message()?),
        Asks::Receive => Verb::Receive(message()?),
        Asks::Subscribe => Verb::Subscribe(OfFilter {
            filter: query.filter.clone().ok_or("filter is missing; say which is meant")?,
            who: who()?,
        }),
    })
}
