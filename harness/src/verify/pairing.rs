//! Maximum bipartite matching, for expectations without an order. Pure.

/// `fits[i]` lists the items that option `i` accepts. Answers the items taken and the options left without one; as few
/// options as possible are left (augmenting paths, Kuhn 1955).
pub fn pair(fits: &[Vec<usize>], items: usize) -> (Vec<usize>, Vec<usize>) {
    let mut owner: Vec<Option<usize>> = vec![None; items];
    let mut missing = Vec::new();
    for option in 0..fits.len() {
        let mut seen = vec![false; items];
        if !augment(option, fits, &mut owner, &mut seen) {
            missing.push(option);
        }
    }
    let taken = owner
        .iter()
        .enumerate()
        .filter(|(_, owner)| owner.is_some())
        .map(|(item, _)| item)
        .collect();
    (taken, missing)
}

fn augment(option: usize, fits: &[Vec<usize>], owner: &mut [Option<usize>], seen: &mut [bool]) -> bool {
    for &item in &fits[option] {
        if std::mem::replace(&mut seen[item], true) {
            continue;
        }
        if owner[item].is_none_or(|other| augment(other, fits, owner, seen)) {
            owner[item] = Some(option);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::pair;

    #[test]
    fn an_early_choice_gives_way_to_a_later_one() {
        assert_eq!(pair(&[vec![0, 1], vec![0]], 2), (vec![0, 1], vec![]));
        assert_eq!(pair(&[vec![0], vec![0]], 2), (vec![0], vec![1]));
        assert_eq!(pair(&[], 1), (vec![], vec![]));
    }
}
