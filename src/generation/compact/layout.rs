//! Positions of nodes on the canvas: main nodes in columns from left to right, sub-nodes below.

use std::collections::{BTreeMap, HashSet, VecDeque};

use serde_json::{Map, Value};

const COLUMN: usize = 240;
const ROW: usize = 200;

/// Returns a position for each node. `links` are pairs of nodes, with true for those of sub-nodes.
pub(super) fn positions(count: usize, links: &[(usize, usize, bool)]) -> Vec<(usize, usize)> {
    let mut parent: Vec<Option<usize>> = vec![None; count];
    for (from, to, sub) in links {
        if *sub {
            parent[*from].get_or_insert(*to);
        }
    }
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut entered = vec![false; count];
    for (from, to, _) in links.iter().filter(|(from, to, sub)| !sub && from != to) {
        next[*from].push(*to);
        entered[*to] = true;
    }
    let mut column: Vec<Option<usize>> = vec![None; count];
    let mut waiting: VecDeque<usize> = (0..count).filter(|at| !entered[*at] && parent[*at].is_none()).collect();
    waiting.iter().for_each(|at| column[*at] = Some(0));
    while let Some(at) = waiting.pop_front() {
        let own = column[at].unwrap_or_default();
        for to in &next[at] {
            if column[*to].is_none() {
                column[*to] = Some(own + 1);
                waiting.push_back(*to);
            }
        }
    }
    let mut rows: BTreeMap<usize, usize> = BTreeMap::new();
    let mut places = vec![(0, 0); count];
    for at in (0..count).filter(|at| parent[*at].is_none()) {
        let column = column[at].unwrap_or_default();
        let row = rows.entry(column).or_default();
        places[at] = (column, *row);
        *row += 1;
    }
    let below = rows.values().max().copied().unwrap_or_default();
    let mut taken: HashSet<(usize, usize)> = HashSet::new();
    for at in (0..count).filter(|at| parent[*at].is_some()) {
        let (mut top, mut level) = (at, 0);
        // Sub-nodes may have sub-nodes; a circle of them ends the search.
        while let Some(above) = parent[top].filter(|_| level < count) {
            (top, level) = (above, level + 1);
        }
        let mut place = (places[top].0, below + level - 1);
        while !taken.insert(place) {
            place.0 += 1;
        }
        places[at] = place;
    }
    places.into_iter().map(|(column, row)| (column * COLUMN, row * ROW)).collect()
}

/// Sets the position of a node.
pub(super) fn place(node: &mut Map<String, Value>, (x, y): (usize, usize)) {
    node.insert("position".to_owned(), Value::from(vec![x, y]));
}
