use super::*;
use crate::command::bench::sample::{broken, contest, lossy, outcome};

fn rounds(target: &str, costs: &[f64]) -> Vec<Outcome> {
    costs.iter().map(|cost| outcome(target, *cost)).collect()
}

fn spread(values: &[f64]) -> Option<Spread> {
    Spread::of(values.iter().copied())
}

#[test]
fn a_median_stands_between_its_extremes() {
    let odd = spread(&[3.0, 1.0, 2.0]).unwrap();
    assert_eq!((odd.min, odd.median, odd.max), (1.0, 2.0, 3.0));
    assert_eq!(spread(&[1.0, 2.0]).unwrap().median, 1.5);
    assert_eq!(spread(&[7.0]).unwrap().median, 7.0);
    assert_eq!(spread(&[f64::NAN, 4.0]).unwrap().median, 4.0);
    assert_eq!(spread(&[]), None);
}

#[test]
fn a_ratio_is_that_of_medians_and_its_spread_that_of_rounds() {
    let contest = contest(vec![
        rounds("strowger", &[1.0, 2.0, 1.0]),
        rounds("mosquitto", &[10.0, 12.0, 9.0]),
    ]);
    let comparison = contest.comparison();
    assert_eq!(comparison.figure, Some("cpu_us_per_delivery"));
    let [strowger, mosquitto] = comparison.brokers.as_slice() else {
        panic!("two brokers");
    };
    assert_eq!(strowger.figure, spread(&[1.0, 1.0, 2.0]));
    assert_eq!(strowger.ratio, spread(&[1.0]));
    let ratio = mosquitto.ratio.unwrap();
    assert_eq!((ratio.min, ratio.median, ratio.max), (6.0, 10.0, 10.0));
    assert_eq!((mosquitto.rounds, mosquitto.whole), (3, 3));
}

#[test]
fn a_broken_round_has_no_figures_but_is_counted() {
    let mut outcomes = rounds("mosquitto", &[10.0, 11.0]);
    outcomes.push(broken("mosquitto"));
    let contest = contest(vec![rounds("strowger", &[1.0, 1.0, 1.0]), outcomes]);
    assert!(!contest.is_whole());
    let comparison = contest.comparison();
    let mosquitto = &comparison.brokers[1];
    assert_eq!((mosquitto.rounds, mosquitto.whole), (3, 2));
    assert_eq!(mosquitto.figure.unwrap().min, 10.0);
    assert_eq!(mosquitto.lost, 40);
}

#[test]
fn a_lossy_round_keeps_its_figures_and_says_what_it_lost() {
    let contest = contest(vec![vec![lossy("mosquitto")]]);
    assert!(!contest.is_whole());
    let standing = &contest.comparison().brokers[0];
    assert_eq!((standing.lost, standing.duplicated, standing.whole), (12, 3, 0));
    assert_eq!(standing.figure.unwrap().median, 2.0);
}

#[test]
fn brokers_of_which_one_is_a_stranger_are_compared_by_what_clients_see() {
    let mut stranger = outcome("elsewhere", 0.0);
    stranger.broker = None;
    stranger.measured.deliveries_per_sec = 400.0;
    let comparison = contest(vec![rounds("strowger", &[1.0]), vec![stranger]]).comparison();
    assert_eq!(comparison.figure, Some("took_us_per_delivery"));
    assert_eq!(comparison.brokers[0].figure.unwrap().median, 1_250.0);
    assert_eq!(comparison.brokers[1].ratio.unwrap().median, 2.0);
}

#[test]
fn the_median_round_is_the_one_that_is_drawn() {
    let contest = contest(vec![rounds("strowger", &[3.0, 1.0, 2.0])]);
    let drawn = contest.entrants[0].median_run().unwrap();
    assert_eq!(drawn.headline().1, 2.0);
    let all_broken = super::super::sample::contest(vec![vec![broken("a")]]);
    assert!(all_broken.entrants[0].median_run().is_some());
    assert_eq!(all_broken.comparison().figure, None);
}
