//! Did-you-mean: the nearest of the names that exist.

/// The candidate that the author most probably meant, if one is near enough.
///
/// Names that differ only in case or surrounding blanks win over those that differ by a few letters;
/// beyond a third of the letters nothing is suggested, since a wrong hint is worse than none.
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(wanted);
    let limit = (folded.len() / 3).clamp(1, 6);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != wanted)
        .filter_map(|candidate| distance(&folded, &fold(candidate), limit).map(|d| (d, candidate)))
        .min_by_key(|(d, candidate)| (*d, *candidate))
        .map(|(_, candidate)| candidate)
}

fn fold(name: &str) -> Vec<char> {
    name.trim().chars().take(128).flat_map(char::to_lowercase).collect()
}

/// Optimal string alignment distance (insertion, deletion, substitution, swap of neighbours),
/// or `None` where it is more than `limit`.
fn distance(a: &[char], b: &[char], limit: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut before_last: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut row = vec![i + 1; b.len() + 1];
        for (j, cb) in b.iter().enumerate() {
            let substituted = last[j] + usize::from(ca != cb);
            let mut best = substituted.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *ca == b[j - 1] && a[i - 1] == *cb {
                best = best.min(before_last[j - 1] + 1);
            }
            row[j + 1] = best;
        }
        if row.iter().all(|d| *d > limit) {
            return None;
        }
        before_last = last;
        last = row;
    }
    last.last().copied().filter(|d| *d <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        let nodes = ["Send mail", "Autopilot5 ", "HTTP Request", "Set"];
        assert_eq!(nearest("Autopilot5", nodes), Some("Autopilot5 "));
        assert_eq!(nearest("send Mail", nodes), Some("Send mail"));
        assert_eq!(nearest("HTTP Reqeust", nodes), Some("HTTP Request"));
        assert_eq!(nearest("Sett", nodes), Some("Set"));
        assert_eq!(nearest("Postgres", nodes), None);
        assert_eq!(nearest("", nodes), None);
    }

    #[test]
    fn a_swap_of_neighbours_counts_once() {
        let chars = |s: &str| s.chars().collect::<Vec<_>>();
        assert_eq!(distance(&chars("abcd"), &chars("abdc"), 3), Some(1));
        assert_eq!(distance(&chars("abcd"), &chars("xyzw"), 3), None);
        assert_eq!(distance(&chars(""), &chars("ab"), 3), Some(2));
    }
}
