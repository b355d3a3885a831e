//! What repositories hold over time.

use holdfast_engine::State;
use holdfast_engine::units::format_size;
use holdfast_engine::view::catalog;
use holdfast_engine::view::usage::{self, Point};
use holdfast_http::page::line::{self, Chart, Series};
use holdfast_http::page::{Body, Section};

/// One section a repository that has snapshots.
pub(super) fn sections(state: &State) -> Vec<Section> {
    let repositories = catalog::repositories(state).into_iter();
    repositories
        .filter_map(|row| {
            let points = usage::over_time(state, row.uid);
            (!points.is_empty()).then(|| section(&row.key.to_string(), &points))
        })
        .collect()
}

fn section(repository: &str, points: &[Point]) -> Section {
    let ratio = points.iter().rev().find_map(|point| point.dedup_permille);
    let mut intro = String::from("One dot a snapshot.");
    // A repository of a few files is larger than they are: padding and second copies.
    if let Some(permille) = ratio.filter(|permille| *permille >= 1_000) {
        let ratio = format!("{}.{}", permille / 1_000, permille % 1_000 / 100);
        intro.push_str(&format!(
            " Everything ever backed up is {ratio} times what the repository holds: deduplication \
             and compression together."
        ));
    }
    let heading = format!("Repository {repository}");
    Section::new(&heading, intro, Body::Line(Chart { series: series(points) }))
}

fn series(points: &[Point]) -> Vec<Series> {
    let line = |name: &str, value: &dyn Fn(&Point) -> Option<u64>| Series {
        name: name.into(),
        points: points
            .iter()
            .filter_map(|point| {
                let value = value(point)?;
                let title = format!("{}: {name} {}", point.taken, format_size(value));
                Some(line::Point { at: point.taken.0, value, title })
            })
            .collect(),
    };
    vec![
        line("backed up by the session", &|point| Some(point.processed)),
        line("new of it", &|point| Some(point.uploaded)),
        line("repository afterwards", &|point| point.size),
    ]
}

#[cfg(test)]
mod tests {
    use holdfast_engine::{Timestamp, Uid};

    use super::*;

    #[test]
    fn readings_that_are_not_known_are_left_out_and_the_newest_ratio_is_told() {
        let point = |at, size: Option<u64>| Point {
            snapshot: Uid::default(),
            taken: Timestamp(at),
            processed: 4_000,
            uploaded: 1_000,
            size,
            dedup_permille: size.map(|_| 2_500),
        };
        let section = section("demo/repo", &[point(1, Some(1_600)), point(2, None)]);
        assert!(section.intro.contains("2.5 times"), "{}", section.intro);
        let Body::Line(Chart { series }) = section.body else { panic!("not a chart") };
        let counts: Vec<usize> = series.iter().map(|line| line.points.len()).collect();
        assert_eq!(counts, [2, 2, 1]);
    }
}
