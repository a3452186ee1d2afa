//! Circles in a graph of modules, and the fewest imports that close them.

use std::collections::{BTreeMap, BTreeSet};

/// Arrows (from, to) with the number of imports behind each.
pub(super) type Graph = BTreeMap<(String, String), usize>;

/// Up to so many modules the fewest closing imports are searched for; in a larger circle all its arrows are named.
const MAX_EXACT: usize = 18;

/// Modules that reach one another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Circle {
    /// The modules, by name; at least two.
    pub(super) modules: Vec<String>,
    /// The arrows without which the modules have an order.
    pub(super) closing: Vec<(String, String)>,
}

/// All circles of a graph.
pub(super) fn find(graph: &Graph) -> Vec<Circle> {
    let nodes: BTreeSet<&str> = graph.keys().flat_map(|(from, to)| [from.as_str(), to.as_str()]).collect();
    let reached: BTreeMap<&str, BTreeSet<&str>> = nodes.iter().map(|&node| (node, reachable(graph, node))).collect();
    let mut done = BTreeSet::new();
    let mut circles = Vec::new();
    for &node in &nodes {
        if done.contains(node) || !reached[node].contains(node) {
            continue;
        }
        let members: Vec<&str> = reached[node].iter().copied().filter(|other| reached[other].contains(node)).collect();
        done.extend(members.iter().copied());
        if members.len() > 1 {
            let closing = closing(graph, &members);
            circles.push(Circle { modules: members.into_iter().map(ToOwned::to_owned).collect(), closing });
        }
    }
    circles
}

/// Every node that some walk of at least one arrow reaches.
fn reachable<'a>(graph: &'a Graph, start: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open = vec![start];
    while let Some(node) = open.pop() {
        for (from, to) in graph.keys() {
            if from == node && found.insert(to.as_str()) {
                open.push(to);
            }
        }
    }
    found
}

/// A minimum feedback arc set, by the number of imports: the cheapest order of the modules is built up over all
/// subsets (Held and Karp's dynamic programme), and the arrows against that order close the circle.
fn closing(graph: &Graph, members: &[&str]) -> Vec<(String, String)> {
    let count = members.len();
    let inside =
        || graph.iter().filter(|((from, to), _)| members.contains(&from.as_str()) && members.contains(&to.as_str()));
    if count > MAX_EXACT {
        return inside().map(|(arrow, _)| arrow.clone()).collect();
    }
    let place: BTreeMap<&str, usize> = members.iter().enumerate().map(|(place, &name)| (name, place)).collect();
    let mut weights = vec![vec![0; count]; count];
    for ((from, to), weight) in inside() {
        weights[place[from.as_str()]][place[to.as_str()]] = *weight;
    }
    // For each set of modules that stand first: the cheapest cost of an order, and the last module of that order.
    let mut best = vec![(usize::MAX, 0); 1 << count];
    best[0] = (0, 0);
    for set in 0..1_usize << count {
        let cost = best[set].0;
        for next in (0..count).filter(|next| set & (1 << next) == 0) {
            let back: usize = (0..count).filter(|earlier| set & (1 << earlier) != 0).map(|to| weights[next][to]).sum();
            let with = set | (1 << next);
            if cost + back < best[with].0 {
                best[with] = (cost + back, next);
            }
        }
    }
    let mut position = vec![0; count];
    let mut set = (1 << count) - 1;
    for rank in (0..count).rev() {
        let last = best[set].1;
        position[last] = rank;
        set &= !(1 << last);
    }
    let back = inside().filter(|((from, to), _)| position[place[from.as_str()]] > position[place[to.as_str()]]);
    back.map(|(arrow, _)| arrow.clone()).collect()
}
