//! A summary of many numbers: the median, the quartiles, and their count.

/// A summary of the values of the rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    pub median: f64,
    pub lower: f64,
    pub upper: f64,
    pub rounds: usize,
}

impl Summary {
    /// `None` if there are no values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let quantile = |part| quantile(&sorted, part);
        Some(Self { median: quantile(0.5)?, lower: quantile(0.25)?, upper: quantile(0.75)?, rounds: values.len() })
    }
}

/// The value at this part of the sorted values, interpolated if it lies between two of them.
fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let at = part * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (sorted.get(at.floor() as usize)?, sorted.get(at.ceil() as usize)?);
    Some(below + (above - below) * at.fract())
}

/// The ratio of each round. If one side has fewer rounds than the other, they were not measured together: the result is
/// empty.
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
    fn without_values_there_is_no_summary() {
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn median_and_quartiles_are_values_or_between_them_in_any_order() {
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
    fn each_ratio_is_of_one_round() {
        // The median of the ratios is not the ratio of the medians, which would be 4 / 2.
        let ratios = ratios(&[2.0, 4.0, 90.0], &[2.0, 1.0, 30.0]);
        assert_eq!(ratios, [1.0, 4.0, 3.0]);
        assert_eq!(Summary::of(&ratios).unwrap().median, 3.0);
    }

    #[test]
    fn without_a_measurement_there_is_no_ratio() {
        assert_eq!(ratios(&[], &[1.0]), Vec::<f64>::new());
        assert_eq!(ratios(&[1.0], &[]), Vec::<f64>::new());
    }
}
