//! What the rules cost a message: none that names it, one that does, and one that reads JSON.

#![expect(clippy::panic, reason = "a bench whose rules are wrong has nothing to time")]

use std::hint::black_box;

use broker::exchange::Kind;
use criterion::{Criterion, criterion_group, criterion_main};
use rules::{Event, Limits, Outcome, RuleBook, Tally};

/// Twenty rules for topics beneath `plant/`, each with a predicate.
fn twenty() -> RuleBook {
    let rules: String = (0..20)
        .map(|number| {
            format!(
                "[[rule]]\nname = \"r{number}\"\non = [\"publish\"]\ntopics = [\"plant/{number}/#\"]\n\
                 when = \"size(payload) > 4096 && user != 'admin'\"\nthen = [{{ deny = \"quota_exceeded\" }}]\n"
            )
        })
        .collect();
    parsed(&rules)
}

fn parsed(text: &str) -> RuleBook {
    RuleBook::parse("rules.toml", text, Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn time(criterion: &mut Criterion, name: &str, book: &RuleBook, event: &Event<'_>) {
    let (mut tally, mut outcome) = (Tally::of(book), Outcome::default());
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| {
            book.judge(black_box(event), &mut tally, &mut outcome);
            black_box(outcome.verdict())
        });
    });
}

fn judge(criterion: &mut Criterion) {
    let payload = br#"{"value": 21.5, "unit": "C"}"#;
    let event = |topic| Event {
        topic,
        payload,
        user: "alice",
        ..Event::new(Kind::Publish, "meter-7")
    };
    let book = twenty();
    time(
        criterion,
        "20 rules, no rule on this kind",
        &book,
        &Event {
            kind: Kind::Deliver,
            ..event("plant/7/temp")
        },
    );
    time(
        criterion,
        "20 rules, another first level",
        &book,
        &event("sensors/7/temp"),
    );
    time(
        criterion,
        "20 rules, the same first level",
        &book,
        &event("plant/77/temp"),
    );
    time(criterion, "20 rules, one applies, false", &book, &event("plant/7/temp"));
    let rule = |when: &str| {
        parsed(&format!(
            "[[rule]]\nname = \"r\"\non = [\"publish\"]\nwhen = \"{when}\"\nthen = [\"cancel\"]"
        ))
    };
    time(criterion, "JSON", &rule("payload.json().value > 80"), &event("a"));
    time(
        criterion,
        "pattern",
        &rule("client.id.matches('^gateway-[0-9]+$')"),
        &event("a"),
    );
    time(criterion, "rate", &rule("!rate('m', 1000000, 1)"), &event("a"));
    time(
        criterion,
        "levels",
        &rule("levels.exists(l, l == 'x')"),
        &event("plant/7/temp"),
    );
}

criterion_group!(benches, judge);
criterion_main!(benches);
