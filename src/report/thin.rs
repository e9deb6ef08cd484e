//! Fewer points where there are more than anybody sees: of each part of the axis the lowest and the highest, so that no peak is lost.

use std::collections::BTreeMap;

use super::{Axis, Latency};

/// How many parts of the axis evidence is thinned to.
const PARTS: usize = 2_000;

/// The points that are left, by their indices: all, or of each part the lowest and the highest.
pub fn kept(points: &[(i64, i64)], axis: &Axis, parts: usize) -> Vec<usize> {
    if points.len() <= 2 * parts {
        return (0..points.len()).collect();
    }
    let mut ends: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for (index, (at, value)) in points.iter().enumerate() {
        let (low, high) = ends.entry(axis.part(*at, parts)).or_insert((index, index));
        if *value < points[*low].1 {
            *low = index;
        }
        if *value > points[*high].1 {
            *high = index;
        }
    }
    let mut kept: Vec<usize> = ends.into_values().flat_map(|(low, high)| [low, high]).collect();
    kept.sort_unstable();
    kept.dedup();
    kept
}

/// The latencies that are left: of each node and part of the axis the least and the greatest.
pub fn latencies(all: &[Latency], axis: &Axis) -> Vec<Latency> {
    let mut nodes: BTreeMap<&str, Vec<&Latency>> = BTreeMap::new();
    all.iter().for_each(|each| nodes.entry(&each.node).or_default().push(each));
    let parts = PARTS / nodes.len().max(1);
    let of = |all: Vec<&Latency>| {
        let points: Vec<(i64, i64)> = all.iter().map(|each| (each.at, each.latency)).collect();
        kept(&points, axis, parts).into_iter().map(|index| all[index].clone()).collect::<Vec<_>>()
    };
    let mut left: Vec<Latency> = nodes.into_values().flat_map(of).collect();
    left.sort_by_key(|each| each.at);
    left
}
