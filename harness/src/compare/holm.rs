//! Holm's step-down procedure (Scandinavian Journal of Statistics 6, 1979): many comparisons of one run, and still at most
//! 5 % of runs without any difference are told to have one. It needs no independence, which measures of one round lack.

/// Adjusted p-values in the order given: the i-th smallest of m becomes the largest of (m - j) · p(j) for all j up to it,
/// counted from 0, at most 1. Smaller than alpha means found. What is no probability counts as 1.
pub fn adjust(p_values: &[f64]) -> Vec<f64> {
    let clean: Vec<f64> = p_values
        .iter()
        .map(|p| if (0.0..=1.0).contains(p) { *p } else { 1.0 })
        .collect();
    let mut order: Vec<usize> = (0..clean.len()).collect();
    order.sort_by(|a, b| clean[*a].total_cmp(&clean[*b]));
    let mut adjusted = clean.clone();
    let mut floor: f64 = 0.0;
    for (rank, index) in order.into_iter().enumerate() {
        let left = super::paired::count(clean.len() - rank);
        floor = floor.max((left * clean[index]).min(1.0));
        adjusted[index] = floor;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(p_values: &[f64], expected: &[f64]) {
        let found = adjust(p_values);
        let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(near && found.len() == expected.len(), "{p_values:?}: {found:?}");
    }

    #[test]
    fn adjusts_as_the_textbook_does() {
        // Wikipedia, "Holm-Bonferroni method": four hypotheses, of which the first and the last are rejected at 5 %.
        check(&[0.01, 0.04, 0.03, 0.005], &[0.03, 0.06, 0.06, 0.02]);
        // R: p.adjust(c(0.0001, 0.0004, 0.0019, 0.0095, 0.0201), "holm"), the first p-values of Benjamini and Hochberg 1995.
        check(
            &[0.0001, 0.0004, 0.0019, 0.0095, 0.0201],
            &[0.0005, 0.0016, 0.0057, 0.019, 0.0201],
        );
        check(&[0.5, 0.5, 0.5], &[1.0, 1.0, 1.0]);
        check(&[0.2], &[0.2]);
        check(&[], &[]);
    }

    #[test]
    fn keeps_the_order_of_the_p_values_and_never_makes_one_smaller() {
        let p_values = [0.03, 0.001, 0.2, 0.03, 0.9, 0.0, 0.011, 1.0];
        let adjusted = adjust(&p_values);
        for (i, p) in p_values.iter().enumerate() {
            assert!(adjusted[i] >= *p && adjusted[i] <= 1.0);
            for (j, q) in p_values.iter().enumerate() {
                assert!(p > q || adjusted[i] <= adjusted[j], "{i} {j}: {adjusted:?}");
            }
        }
    }

    #[test]
    fn what_is_no_probability_is_never_found() {
        check(&[f64::NAN, 0.01, -1.0, 7.0], &[1.0, 0.04, 1.0, 1.0]);
    }
}
