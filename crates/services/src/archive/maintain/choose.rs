//! Which of several segments of one group are to count, so that every row is in one of them and no two
//! share a stretch of ids.

use std::collections::HashSet;

use uuid::Uuid;

/// A segment as the choice sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    /// Its archive id: sorts by the time of writing.
    pub(super) id: Uuid,
    /// Ids of its rows, sorted.
    pub(super) ids: &'a [Uuid],
}

/// The archive ids of those that are to count; `None` when no choice holds every row without sharing a
/// stretch.
///
/// What one backup of a day wrote stands for everything that earlier ones wrote, so the newest are tried
/// first. When the newest is only a part of what a backup wanted to write, the oldest are complete.
pub(super) fn choose(members: &[Member<'_>]) -> Option<HashSet<Uuid>> {
    let mut newest_first: Vec<Member<'_>> = members.to_vec();
    newest_first.sort_unstable_by_key(|member| std::cmp::Reverse(member.id));
    let oldest_first: Vec<Member<'_>> = newest_first.iter().rev().copied().collect();
    [newest_first, oldest_first]
        .iter()
        .map(|order| needed(order))
        .find(|chosen| !share_a_stretch(chosen))
        .map(|chosen| chosen.iter().map(|member| member.id).collect())
}

/// Those that have a row which none before them has.
fn needed<'a>(order: &[Member<'a>]) -> Vec<Member<'a>> {
    let mut held = HashSet::new();
    order
        .iter()
        .filter(|member| {
            let before = held.len();
            held.extend(member.ids.iter().copied());
            held.len() > before
        })
        .copied()
        .collect()
}

fn share_a_stretch(chosen: &[Member<'_>]) -> bool {
    let mut stretches: Vec<(Uuid, Uuid)> = chosen
        .iter()
        .filter_map(|member| Some((*member.ids.first()?, *member.ids.last()?)))
        .collect();
    stretches.sort_unstable();
    stretches.windows(2).any(|pair| pair[0].1 >= pair[1].0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: &[u128]) -> Vec<Uuid> {
        numbers.iter().map(|n| Uuid::from_u128(*n)).collect()
    }

    /// Members by number and rows; the numbers of those that were chosen.
    fn chosen(members: &[(u128, &[u128])]) -> Option<Vec<u128>> {
        let rows: Vec<Vec<Uuid>> = members.iter().map(|(_, rows)| ids(rows)).collect();
        let of = |((id, _), ids): (&(u128, &[u128]), &'_ Vec<Uuid>)| (Uuid::from_u128(*id), ids.clone());
        let owned: Vec<(Uuid, Vec<Uuid>)> = members.iter().zip(&rows).map(of).collect();
        let members: Vec<Member<'_>> = owned.iter().map(|(id, ids)| Member { id: *id, ids }).collect();
        let mut chosen: Vec<u128> = choose(&members)?.into_iter().map(|id| id.as_u128()).collect();
        chosen.sort_unstable();
        Some(chosen)
    }

    #[test]
    fn neighbours_are_all_chosen() {
        assert_eq!(chosen(&[(1, &[1, 2]), (2, &[3, 4])]), Some(vec![1, 2]));
    }

    #[test]
    fn a_later_copy_of_the_day_stands_for_the_earlier_one() {
        assert_eq!(
            chosen(&[(1, &[1, 2]), (2, &[3, 5]), (3, &[1, 2, 3]), (4, &[4, 5])]),
            Some(vec![3, 4])
        );
        assert_eq!(chosen(&[(1, &[1, 2]), (2, &[1, 2])]), Some(vec![2]));
    }

    #[test]
    fn a_later_copy_that_broke_off_does_not() {
        assert_eq!(
            chosen(&[(1, &[1, 2]), (2, &[3, 4]), (3, &[1, 2, 3])]),
            Some(vec![1, 2])
        );
    }

    #[test]
    fn what_fits_nowhere_is_told() {
        assert_eq!(chosen(&[(1, &[1, 3]), (2, &[2, 4])]), None);
    }
}
