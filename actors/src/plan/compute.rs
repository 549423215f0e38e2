//! The steps of a reload, in words: from what differs and what was found out about those who are in.

use auth::News;
use broker::effect::Parting;
use broker::line::{Clients, Findings};

use super::{DoorStep, SettingChange, Step, StepKind, When};
use crate::settings::ListenerSettings;

/// What the steps depend on.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    /// The settings that differ.
    pub(crate) changes: &'a [SettingChange],
    /// The listeners that are open, and how many connections each has.
    pub(crate) old: &'a [(&'a ListenerSettings, usize)],
    /// The listeners that are to be.
    pub(crate) new: &'a [ListenerSettings],
    /// What becomes of them.
    pub(crate) doors: &'a [DoorStep],
    /// Listeners with a file of certificates that is another than it was.
    pub(crate) certificates: &'a [String],
    /// Whether the rights are other ones.
    pub(crate) are_rights_other: bool,
    /// Whether a lost subscription ends its client's connection.
    pub(crate) loss_disconnects: bool,
    /// What the files of users and bans say that they did not say before.
    pub(crate) news: News,
    /// What is said of the rules, if they are other ones.
    pub(crate) rules: Option<&'a str>,
    /// Retained messages that there are.
    pub(crate) retained: usize,
    /// Those whom it hits.
    pub(crate) found: &'a Findings,
}

/// All that a reload does.
pub(crate) fn steps(facts: &Facts<'_>) -> Vec<Step> {
    let mut steps: Vec<Step> = facts.changes.iter().map(|change| of_setting(change, facts)).collect();
    steps.extend(of_doors(facts));
    steps.extend(facts.certificates.iter().map(|name| {
        let text = format!("listener {name}: certificates are read again; its clients stay");
        Step::new(StepKind::Certificates, name, text)
    }));
    steps.extend(of_users(&facts.news));
    steps.extend(of_rights(facts));
    for why in [Parting::NotKnown, Parting::Banned] {
        let clients = parting(facts.found, why);
        let whose = match (why, clients.count) {
            (_, 0) => continue,
            (Parting::Banned, 1) => "who is banned",
            (Parting::Banned, _) => "who are banned",
            (Parting::NotKnown | Parting::ListenerGone(_), _) => "whose user is gone or who may not come in any more",
        };
        let text = format!("disconnects {} {whose}", number(clients.count, "client"));
        steps.push(Step::new(StepKind::Disconnect, "clients", text).hitting(&clients));
    }
    if let Some(rules) = facts.rules {
        steps.push(Step::new(StepKind::Rules, "rules.file", format!("rules: {rules}")));
    }
    steps
}

fn of_setting(change: &SettingChange, facts: &Facts<'_>) -> Step {
    let SettingChange {
        key,
        before,
        after,
        when,
    } = change;
    let text = format!("{key}: {before} -> {after}");
    match when {
        When::Now => of_live_setting(key, text, facts),
        When::Connections => {
            let text = format!("{text}, for connections that come; those that are open keep what they were granted");
            Step::new(StepKind::Setting, key, text)
        }
        When::Restart => Step::new(StepKind::Restart, key, format!("{text} needs a restart")),
    }
}

/// With what there is beyond another bound.
fn of_live_setting(key: &str, text: String, facts: &Facts<'_>) -> Step {
    let step = |text| Step::new(StepKind::Setting, key, text);
    match key {
        "session.queue_messages_max" | "session.queue_bytes_max" if facts.found.overfull.count > 0 => {
            let above = number(facts.found.overfull.count, "absent client");
            let (have, get) = match facts.found.overfull.count {
                1 => ("has", "gets"),
                _ => ("have", "get"),
            };
            step(format!(
                "{text}; {above} {have} more waiting and {get} nothing further before it is less"
            ))
            .hitting(&facts.found.overfull)
        }
        "retained.messages_max" => {
            let bound = text.rsplit(' ').next().and_then(|bound| bound.parse().ok());
            match bound.is_some_and(|bound: usize| bound < facts.retained) {
                true => step(format!(
                    "{text}; {} are retained and stay, further topics are refused",
                    facts.retained
                )),
                false => step(text),
            }
        }
        _ => step(text),
    }
}

fn of_doors(facts: &Facts<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut moved = Vec::new();
    for door in facts.doors {
        match door {
            DoorStep::Keep { .. } => {}
            DoorStep::Change { old, new } => steps.extend(of_changed(facts, *old, *new)),
            DoorStep::Replace { old, why, .. } => steps.extend(of_leaving(facts, *old, Some(why))),
            DoorStep::Close { old } => {
                let place = facts
                    .old
                    .get(*old)
                    .and_then(|(before, _)| place_of_moved(facts, before, &moved));
                moved.extend(place);
                let why = place.and_then(|place| facts.new.get(place)).zip(facts.old.get(*old));
                let why = why.map(|(after, (before, _))| {
                    format!("its address changes from {} to {}", before.endpoint, after.endpoint)
                });
                steps.extend(of_leaving(facts, *old, why.as_deref()));
            }
            DoorStep::Open { new } if moved.contains(new) => {}
            DoorStep::Open { new } => steps.extend(facts.new.get(*new).map(|after| {
                let (name, endpoint, transport) = (&after.name, &after.endpoint, after.transport());
                let text = format!("opens listener {name} on {endpoint} for {transport}");
                Step::new(StepKind::OpenListener, name, text)
            })),
            DoorStep::Stay { old, why } => {
                let before = facts.old.get(*old).map(|(before, _)| &before.name);
                steps.extend(before.map(|name| later(name, why)));
            }
            DoorStep::Later { new, why } => steps.extend(facts.new.get(*new).map(|after| later(&after.name, why))),
        }
    }
    steps
}

/// The listener of the same name that is opened in another place, if nobody else moved there.
fn place_of_moved(facts: &Facts<'_>, before: &ListenerSettings, moved: &[usize]) -> Option<usize> {
    let mut opened = facts.doors.iter().filter_map(|door| match door {
        DoorStep::Open { new } => Some(*new),
        DoorStep::Keep { .. }
        | DoorStep::Change { .. }
        | DoorStep::Replace { .. }
        | DoorStep::Close { .. }
        | DoorStep::Stay { .. }
        | DoorStep::Later { .. } => None,
    });
    let is_it = |new: &usize| facts.new.get(*new).is_some_and(|after| after.name == before.name);
    opened.find(|new| !moved.contains(new) && is_it(new))
}

fn later(name: &str, why: &str) -> Step {
    let text = format!("listener {name} needs a restart: {why}");
    Step::new(StepKind::Restart, format!("listener {name}"), text)
}

/// A bound that is below what there is. The settings themselves are told of one by one.
fn of_changed(facts: &Facts<'_>, old: usize, new: usize) -> Option<Step> {
    let ((before, inside), after) = (facts.old.get(old)?, facts.new.get(new)?);
    let max = after.limits.connections_max;
    (*inside > max).then(|| {
        let name = &before.name;
        let text = format!("listener {name} has {inside} connections, which stay; nobody comes in above {max}");
        Step::new(StepKind::Setting, name, text)
    })
}

/// A listener whose clients leave: because it is closed, or because it is another one.
fn of_leaving(facts: &Facts<'_>, old: usize, why: Option<&str>) -> Option<Step> {
    let (before, _) = facts.old.get(old)?;
    let name = &before.name;
    let clients = parting(facts.found, Parting::ListenerGone(u32::try_from(old).ok()?));
    let (kind, text) = match why {
        Some(why) => (StepKind::RestartListener, format!("restarts listener {name}: {why}")),
        None => (
            StepKind::CloseListener,
            format!("closes listener {name} on {}", before.endpoint),
        ),
    };
    let are = if clients.count == 1 { "is" } else { "are" };
    let text = format!("{text}; {} {are} disconnected", number(clients.count, "client"));
    Some(Step::new(kind, name, text).hitting(&clients))
}

fn of_users(news: &News) -> Vec<Step> {
    let mut steps = Vec::new();
    let users = [
        (news.users_added, "added"),
        (news.users_gone, "gone"),
        (news.users_other, "with another password or other groups"),
    ];
    let said = users.iter().filter(|(count, _)| *count > 0);
    let said: Vec<String> = said.map(|(count, what)| format!("{count} {what}")).collect();
    if !said.is_empty() {
        let text = format!("users: {}", said.join(", "));
        steps.push(Step::new(StepKind::Users, "auth.password_file", text));
    }
    if let Some((before, after)) = news.bans {
        let text = format!("bans: {before} before, {after} after");
        steps.push(Step::new(StepKind::Users, "auth.bans_file", text));
    }
    steps
}

fn of_rights(facts: &Facts<'_>) -> Option<Step> {
    let found = facts.found;
    if !facts.are_rights_other && found.subscriptions_lost == 0 {
        return None;
    }
    let text = if found.subscriptions_lost == 0 {
        "rights change: nobody who is connected loses a subscription".to_owned()
    } else {
        let lost = number(found.subscriptions_lost, "subscription");
        let of = number(found.losing.count, "client");
        let then = match (facts.loss_disconnects, found.losing.count) {
            (true, 1) => "is disconnected",
            (true, _) => "are disconnected",
            (false, 1) => "stays",
            (false, _) => "stay",
        };
        format!("rights change: drops {lost} of {of}, which {then}")
    };
    let step = Step {
        subscriptions_lost: found.subscriptions_lost,
        ..Step::new(StepKind::Rights, "acl.file", text)
    };
    Some(step.hitting(&found.losing))
}

fn parting(found: &Findings, why: Parting) -> Clients {
    let known = found.parting.iter().find(|(known, _)| *known == why);
    known.map(|(_, clients)| clients.clone()).unwrap_or_default()
}

/// "1 client", "2 clients".
fn number(count: u64, of: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {of}{plural}")
}
