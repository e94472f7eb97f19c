//! What is said of many numbers: the median, the quartiles, and how many they were.

/// A summary of what the rounds gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    pub median: f64,
    pub lower: f64,
    pub upper: f64,
    pub rounds: usize,
}

impl Summary {
    /// `None` where there is nothing.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let quantile = |part| quantile(&sorted, part);
        Some(Self { median: quantile(0.5)?, lower: quantile(0.25)?, upper: quantile(0.75)?, rounds: values.len() })
    }
}

/// What lies at that part of the sorted values, between two of them where it must.
fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let at = part * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (sorted.get(at.floor() as usize)?, sorted.get(at.ceil() as usize)?);
    Some(below + (above - below) * at.fract())
}

/// Each round's ratio. Where one side has fewer rounds than the other, they were not measured together: there is none.
pub fn ratios(above: &[f64], below: &[f64]) -> Vec<f64> {
    if above.len() != below.len() {
        return Vec::new();
    }
    above.iter().zip(below).map(|(above, below)| above / below).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_nothing_is_none() {
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn median_and_quartiles_lie_on_values_or_between_them_in_any_order() {
        for (values, median, lower, upper) in [
            (&[3.0][..], 3.0, 3.0, 3.0),
            (&[1.0, 3.0], 2.0, 1.5, 2.5),
            (&[5.0, 1.0, 3.0, 2.0, 4.0], 3.0, 2.0, 4.0),
            (&[8.0, 4.0, 2.0, 6.0], 5.0, 3.5, 6.5),
            (&[1.0, 1.0, 1.0, 1000.0], 1.0, 1.0, 250.75),
        ] {
            let rounds = values.len();
            assert_eq!(Summary::of(values), Some(Summary { median, lower, upper, rounds }), "{values:?}");
        }
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        // The median of the ratios is not the ratio of the medians, which would be 4 / 2.
        let ratios = ratios(&[2.0, 4.0, 90.0], &[2.0, 1.0, 30.0]);
        assert_eq!(ratios, [1.0, 4.0, 3.0]);
        assert_eq!(Summary::of(&ratios).unwrap().median, 3.0);
    }

    #[test]
    fn there_is_no_ratio_with_what_was_not_measured() {
        assert_eq!(ratios(&[], &[1.0]), Vec::<f64>::new());
        assert_eq!(ratios(&[1.0], &[]), Vec::<f64>::new());
    }
}
