//! From values to pixels: linear, logarithmic and "nines" scales, with ticks at numbers that people like.

/// How values are spread over an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::command::bench::report) enum Scale {
    /// From zero, evenly.
    Linear,
    /// Equal ratios take equal space; only values above zero have a place.
    Log,
    /// Percentiles: 90, 99, 99.9 stand equally far apart, so that the tail has room.
    Nines,
}

impl Scale {
    /// Where a value stands before it is stretched over the axis. `None` if the scale has no place for it.
    fn place(self, value: f64) -> Option<f64> {
        let place = match self {
            Self::Linear => value,
            Self::Log => value.log10(),
            Self::Nines => -(1.0 - value / 100.0).log10(),
        };
        place.is_finite().then_some(place)
    }
}

/// A scale stretched over a range of pixels.
#[derive(Debug, Clone)]
pub(super) struct Ruler {
    scale: Scale,
    low: f64,
    high: f64,
    from_px: f64,
    to_px: f64,
}

impl Ruler {
    /// A ruler from `from_px` to `to_px` that has room for all `values`. A `rounded` one ends at a tick, for heights;
    /// one that is not ends at its last value, for time.
    ///
    /// Without values it runs from 0 to 1 (1 to 10, 0 to 90 %), so that an empty chart still has axes.
    pub(super) fn over(
        values: impl Iterator<Item = f64>,
        scale: Scale,
        rounded: bool,
        (from_px, to_px): (f64, f64),
    ) -> Self {
        let places = values.filter_map(|value| scale.place(value));
        let (mut low, mut high) = places.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), place| {
            (low.min(place), high.max(place))
        });
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        match scale {
            Scale::Linear => {
                low = low.min(0.0);
                if high <= low {
                    high = low + 1.0;
                }
                if rounded {
                    let step = nice_step((high - low) / 4.0);
                    high = (high / step - 1e-9).ceil() * step;
                    low = (low / step + 1e-9).floor() * step;
                }
            }
            Scale::Log => (low, high) = (digit_below(low), digit_above(high)),
            Scale::Nines => (low, high) = (0.0, high.max(1.0)),
        }
        // One value alone: open the scale around it.
        if scale == Scale::Log && high - low < 0.3 {
            (low, high) = (digit_below(low - 0.3), digit_above(high + 0.3));
        }
        Self {
            scale,
            low,
            high,
            from_px,
            to_px,
        }
    }

    /// The pixel of a value, within the ruler. `None` if the scale has no place for it.
    pub(super) fn at(&self, value: f64) -> Option<f64> {
        let share = (self.scale.place(value)? - self.low) / (self.high - self.low);
        Some(self.from_px + share.clamp(0.0, 1.0) * (self.to_px - self.from_px))
    }

    /// Values to label, ascending: about `most` of them.
    pub(super) fn ticks(&self, most: usize) -> Vec<f64> {
        match self.scale {
            Scale::Linear => self.linear_ticks(most),
            Scale::Log => self.log_ticks(most),
            Scale::Nines => [0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999]
                .into_iter()
                .filter(|tick| self.scale.place(*tick).is_some_and(|place| place <= self.high + 1e-9))
                .collect(),
        }
    }

    fn linear_ticks(&self, most: usize) -> Vec<f64> {
        let step = nice_step((self.high - self.low) / most.max(1) as f64);
        let first = (self.low / step - 1e-9).ceil();
        (0..=most * 2 + 1)
            .map(|index| (first + index as f64) * step)
            .take_while(|tick| *tick <= self.high + step * 1e-6)
            .collect()
    }

    /// All of 1, 2, 5 of each decade if there is room, else 1 of each, else 1 of every second, third, … decade.
    fn log_ticks(&self, most: usize) -> Vec<f64> {
        let first = self.low.floor() as i32;
        let last = self.high.ceil() as i32;
        let within = |tick: &f64| {
            let place = tick.log10();
            place >= self.low - 1e-9 && place <= self.high + 1e-9
        };
        let fine: Vec<_> = (first..=last)
            .flat_map(|decade| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(decade)))
            .filter(within)
            .collect();
        if fine.len() <= most.max(2) {
            return fine;
        }
        let decades: Vec<_> = (first..=last).map(|decade| 10f64.powi(decade)).filter(within).collect();
        if decades.len() < 2 {
            return fine;
        }
        let every = decades.len().div_ceil(most.max(2));
        decades.into_iter().step_by(every).collect()
    }
}

/// The next of 1, 2, 5 times a power of ten that is not below `step`.
fn nice_step(step: f64) -> f64 {
    if !(step.is_finite() && step > 0.0) {
        return 1.0;
    }
    let power = 10f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|digit| digit * power)
        .find(|nice| *nice >= step * (1.0 - 1e-9))
        .unwrap_or(power * 10.0)
}

/// The logarithms of 1, 2, 5 and 10.
const DIGITS: [f64; 4] = [0.0, std::f64::consts::LOG10_2, 0.698_970_004_336_018_8, 1.0];

/// The logarithm of the last of 1, 2, 5 times a power of ten that is not above `place`.
fn digit_below(place: f64) -> f64 {
    let decade = place.floor();
    let found = DIGITS.into_iter().rev().find(|digit| decade + digit <= place + 1e-9);
    decade + found.unwrap_or(0.0)
}

/// The logarithm of the first of 1, 2, 5 times a power of ten that is not below `place`.
fn digit_above(place: f64) -> f64 {
    let decade = place.floor();
    let found = DIGITS.into_iter().find(|digit| decade + digit >= place - 1e-9);
    decade + found.unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ruler(values: &[f64], scale: Scale) -> Ruler {
        Ruler::over(values.iter().copied(), scale, true, (0.0, 100.0))
    }

    fn close(left: &[f64], right: &[f64]) -> bool {
        left.len() == right.len()
            && left
                .iter()
                .zip(right)
                .all(|(a, b)| (a - b).abs() <= b.abs() * 1e-9 + 1e-12)
    }

    #[test]
    fn linear_ticks_are_round_numbers_from_zero() {
        let ticks = ruler(&[3.0, 87.0], Scale::Linear).ticks(5);
        assert!(close(&ticks, &[0.0, 20.0, 40.0, 60.0, 80.0, 100.0]), "{ticks:?}");
        let ticks = ruler(&[0.012], Scale::Linear).ticks(4);
        assert!(close(&ticks, &[0.0, 0.005, 0.01, 0.015]), "{ticks:?}");
    }

    #[test]
    fn a_ruler_has_room_for_its_values() {
        for values in [[1.0, 2.0], [999.0, 1001.0], [0.0, 0.1], [7.0, 7.0]] {
            for scale in [Scale::Linear, Scale::Log] {
                let ruler = ruler(&values, scale);
                assert!(ruler.ticks(5).len() >= 2, "{values:?} {scale:?}: {:?}", ruler.ticks(5));
                assert!(ruler.ticks(5).len() <= 12, "{values:?} {scale:?}: {:?}", ruler.ticks(5));
                for value in values.into_iter().filter(|value| *value > 0.0) {
                    assert!((0.0..=100.0).contains(&ruler.at(value).unwrap()));
                }
            }
        }
    }

    #[test]
    fn a_logarithmic_ruler_goes_from_digit_to_digit() {
        let ruler = ruler(&[130.0, 4_800.0], Scale::Log);
        assert!(close(
            &ruler.ticks(9),
            &[100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0]
        ));
        assert!(close(&ruler.ticks(3), &[100.0, 1_000.0]));
        assert_eq!(ruler.at(100.0), Some(0.0));
        assert_eq!(ruler.at(0.0), None);
        assert_eq!(ruler.at(-1.0), None);
    }

    #[test]
    fn nines_stand_equally_far_apart() {
        let ruler = ruler(&[50.0, 99.99], Scale::Nines);
        assert_eq!(ruler.ticks(9), [0.0, 50.0, 90.0, 99.0, 99.9, 99.99]);
        let at = |value| ruler.at(value).unwrap();
        assert!((at(99.0) - at(90.0) - (at(99.9) - at(99.0))).abs() < 1e-6);
        assert_eq!(ruler.at(100.0), None);
    }

    #[test]
    fn nothing_to_draw_still_gives_axes() {
        for scale in [Scale::Linear, Scale::Log, Scale::Nines] {
            let ruler = ruler(&[], scale);
            assert!(ruler.ticks(5).len() >= 2, "{scale:?}");
        }
        assert!(ruler(&[f64::NAN, f64::INFINITY], Scale::Linear).ticks(5).len() >= 2);
    }
}
