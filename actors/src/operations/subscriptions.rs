//! Subscriptions: listed, looked at, taken away.

use std::sync::Arc;
use std::time::Duration;

use actix::{Addr, Handler, Message, MessageResult};
use broker::line::{Best, Bookmark, Looked, Subscribed, SubscriptionQuestion};
use mqtt_codec::TopicFilter;
use tokio::time::{sleep, timeout};

use super::stride::Stride;
use super::{Operations, Unanswered};
use crate::session::SessionActor;

/// Subscriptions, and slots of sessions, that a line looks at in one turn.
const SLICE: usize = 256;
/// For the router to carry out a change, and between two looks whether it has.
const ROUTED: Duration = Duration::from_secs(2);
const ROUTED_POLL: Duration = Duration::from_millis(2);

/// Which subscriptions are meant.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionFilter {
    /// Part of the topic filter.
    pub search: Option<String>,
    /// Those of this client.
    pub client_id: Option<String>,
    /// Those that match this topic.
    pub topic: Option<String>,
}

/// A subscription as an operator sees it.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// Whose.
    pub client_id: String,
    /// The topic filter, without the share name.
    pub filter: String,
    /// The name of the shared group, if it is a member's.
    pub share: Option<String>,
    /// The highest QoS: 0, 1 or 2.
    pub qos: u8,
    /// What the client publishes itself is left out.
    pub no_local: bool,
    /// The RETAIN flag is passed on as it was published.
    pub retain_as_published: bool,
    /// The client's number for it.
    pub subscription_id: Option<u32>,
}

/// From operators to a line: which of some subscriptions are meant? The one who asks comes again for the next.
#[derive(Message)]
#[rtype(result = "(Best<Subscribed>, Option<Bookmark>)")]
struct Survey {
    from: Bookmark,
    question: Arc<SubscriptionQuestion>,
    best: Best<Subscribed>,
}

impl Handler<Survey> for SessionActor {
    type Result = MessageResult<Survey>;

    fn handle(&mut self, survey: Survey, _: &mut Self::Context) -> Self::Result {
        let Survey {
            from,
            question,
            mut best,
        } = survey;
        let next = self
            .desk()
            .look(|line| line.survey_subscriptions(from, SLICE, &question, &mut best));
        MessageResult((best, next))
    }
}

/// From operators to a line: which of some subscriptions of this client are meant? The list comes back, with how far that
/// was; `None`: there is no such client here.
#[derive(Message)]
#[rtype(result = "(Best<Subscribed>, Option<Looked>)")]
struct OfClient {
    client_id: String,
    skipped: usize,
    question: Arc<SubscriptionQuestion>,
    best: Best<Subscribed>,
}

impl Handler<OfClient> for SessionActor {
    type Result = MessageResult<OfClient>;

    fn handle(&mut self, mut of: OfClient, _: &mut Self::Context) -> Self::Result {
        let (client_id, question) = (&of.client_id, &of.question);
        let part = (of.skipped, SLICE);
        let looked = self
            .desk()
            .look(|line| line.subscriptions_of(client_id, part, question, &mut of.best));
        MessageResult((of.best, looked))
    }
}

/// From operators to a line: take a subscription from a client. Answered with whether there was one; `None`: there is no
/// such client here.
#[derive(Message)]
#[rtype(result = "Option<bool>")]
struct Remove {
    client_id: String,
    filter: TopicFilter,
}

impl Handler<Remove> for SessionActor {
    type Result = Option<bool>;

    fn handle(&mut self, remove: Remove, _: &mut Self::Context) -> Self::Result {
        let Remove { client_id, filter } = remove;
        self.desk()
            .act(|line, now| line.remove_subscription(&client_id, &filter, now))
    }
}

/// From operators to a line: has this client this subscription?
#[derive(Message)]
#[rtype(result = "bool")]
struct Has {
    client_id: String,
    filter: TopicFilter,
}

impl Handler<Has> for SessionActor {
    type Result = bool;

    fn handle(&mut self, has: Has, _: &mut Self::Context) -> Self::Result {
        let Has { client_id, filter } = has;
        self.desk().look(|line| line.has_subscription(&client_id, &filter))
    }
}

impl Operations {
    /// The subscriptions that are meant: how many there are, and those from `skipped` on, `limit` at most. `sort` is
    /// client_id or filter, with a minus in front for the last first.
    ///
    /// # Errors
    ///
    /// The order is none, there is no such client, or a line did not answer.
    pub async fn subscriptions(
        &self,
        filter: SubscriptionFilter,
        sort: &str,
        (skipped, limit): (usize, usize),
    ) -> Result<(usize, Vec<Subscription>), Unanswered> {
        let (name, is_descending) = sort.strip_prefix('-').map_or((sort, false), |name| (name, true));
        if !["client_id", "filter"].contains(&name) {
            let what = format!("{name:?} is no order; allowed: client_id, filter, each with a minus in front");
            return Err(Unanswered::Senseless(what));
        }
        let boxed = |text: Option<String>| text.filter(|text| !text.is_empty()).map(String::into_boxed_str);
        let question = Arc::new(SubscriptionQuestion {
            search: boxed(filter.search),
            topic: boxed(filter.topic),
            is_by_filter: name == "filter",
            is_descending,
        });
        let best = Best::new(skipped.saturating_add(limit));
        let best = match filter.client_id {
            Some(client_id) => self.of_client(client_id, &question, best).await?,
            None => self.of_all(&question, best).await?,
        };
        let total = best.total();
        let page = best.into_sorted().into_iter().skip(skipped).map(subscription);
        Ok((total, page.collect()))
    }

    async fn of_all(
        &self,
        question: &Arc<SubscriptionQuestion>,
        mut best: Best<Subscribed>,
    ) -> Result<Best<Subscribed>, Unanswered> {
        let mut stride = Stride::begin();
        for line in &self.house.lines {
            let mut next = Some(Bookmark::default());
            while let Some(from) = next {
                let question = Arc::clone(question);
                let survey = Survey { from, question, best };
                (best, next) = line.send(survey).await.map_err(|_| Unanswered::Line)?;
                stride.pause().await;
            }
        }
        Ok(best)
    }

    async fn of_client(
        &self,
        client_id: String,
        question: &Arc<SubscriptionQuestion>,
        mut best: Best<Subscribed>,
    ) -> Result<Best<Subscribed>, Unanswered> {
        for line in &self.home_first(&client_id) {
            let mut skipped = 0;
            let mut stride = Stride::begin();
            loop {
                let of = OfClient {
                    client_id: client_id.clone(),
                    skipped,
                    question: Arc::clone(question),
                    best,
                };
                let looked;
                (best, looked) = line.send(of).await.map_err(|_| Unanswered::Line)?;
                match looked {
                    Some(Looked::All) => return Ok(best),
                    Some(Looked::UpTo(count)) => skipped = count,
                    None => break,
                }
                stride.pause().await;
            }
        }
        Err(Unanswered::no_client(&client_id))
    }

    /// Takes a subscription from a client, by its filter, with the share name if it has one, and waits until it is gone.
    /// The client is not told.
    ///
    /// # Errors
    ///
    /// There is no such client or no such subscription, a line did not answer, or the router did not within two seconds.
    pub async fn unsubscribe(&self, client_id: &str, filter: &str) -> Result<(), Unanswered> {
        let wanted = TopicFilter::new(filter.to_owned())
            .map_err(|_| Unanswered::Senseless(format!("{filter:?} is no topic filter")))?;
        for line in &self.home_first(client_id) {
            let remove = Remove {
                client_id: client_id.to_owned(),
                filter: wanted.clone(),
            };
            match line.send(remove).await.map_err(|_| Unanswered::Line)? {
                Some(true) => return until_gone(line, client_id, &wanted).await,
                Some(false) => {
                    let what = format!("{client_id} has no subscription {filter:?}; GET its subscriptions lists them");
                    return Err(Unanswered::Missing(what));
                }
                None => {}
            }
        }
        Err(Unanswered::no_client(client_id))
    }
}

/// Waits until the router has carried out what a line asked of it.
async fn until_gone(line: &Addr<SessionActor>, client_id: &str, filter: &TopicFilter) -> Result<(), Unanswered> {
    let has = || Has {
        client_id: client_id.to_owned(),
        filter: filter.clone(),
    };
    let gone = timeout(ROUTED, async {
        while line.send(has()).await.map_err(|_| Unanswered::Line)? {
            sleep(ROUTED_POLL).await;
        }
        Ok(())
    });
    let late = |_| {
        let filter = filter.as_str();
        Unanswered::Refused(format!(
            "{filter} is going, but the router is busy; GET its subscriptions shows when it is gone"
        ))
    };
    gone.await.map_err(late)?
}

fn subscription(subscribed: Subscribed) -> Subscription {
    let Subscribed {
        client_id,
        filter,
        options,
    } = subscribed;
    Subscription {
        client_id: client_id.to_string(),
        filter: filter.inner().to_owned(),
        share: filter.share().map(|(share, _)| share.to_owned()),
        qos: u8::from(options.qos),
        no_local: options.no_local,
        retain_as_published: options.retain_as_published,
        subscription_id: options.id.map(mqtt_codec::SubscriptionId::get),
    }
}
