//! Putting together what there is few of. The standard library's `sort`, and `collect` into its sets and maps, which sorts first, are
//! made for many: 5 to 14 kB of code for each type of item, of which a library for phones has better uses.

/// A set or map of these, one put in after the other.
pub fn gathered<C: Default + Extend<T>, T>(items: impl IntoIterator<Item = T>) -> C {
    let mut all = C::default();
    all.extend(items);
    all
}

/// These in the order of a key; those with the same one as they came.
pub fn in_order<T, K: Ord>(items: impl IntoIterator<Item = T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut all: Vec<T> = Vec::new();
    for item in items {
        let at = all.partition_point(|other| key(other) <= key(&item));
        all.insert(at, item);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn they_are_as_the_standard_library_makes_them() {
        let mut env = crate::Env::seeded(3);
        for n in 0..50 {
            let items: Vec<(u32, usize)> = (0..n).map(|at| (env.below(20), at)).collect();
            let mut sorted = items.clone();
            sorted.sort_by_key(|i| i.0);
            assert_eq!(in_order(items.clone(), |i| i.0), sorted);
            assert_eq!(gathered::<BTreeMap<u32, usize>, _>(items.clone()), items.into_iter().collect());
        }
    }
}
