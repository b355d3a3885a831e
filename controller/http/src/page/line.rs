//! Quantities over time, as lines with a dot for each reading.

use holdfast_engine::Timestamp;

use super::escape::escape;

const WIDTH: i64 = 960;
const HEIGHT: i64 = 220;
/// Room for the labels at the left.
const LEFT: i64 = 90;
/// Room for the labels below.
const BOTTOM: i64 = 24;
/// Room above the highest reading.
const TOP: i64 = 12;

/// Lines over one stretch of time, with a common scale that begins at zero.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// The lines; at most four have a colour of their own.
    pub series: Vec<Series>,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// Readings, ascending in time.
    pub points: Vec<Point>,
}

/// One reading.
#[derive(Clone, Debug)]
pub struct Point {
    /// Milliseconds since 1970.
    pub at: i64,
    /// How much.
    pub value: u64,
    /// The reading as people write it, and what it belongs to.
    pub title: String,
}

impl Chart {
    /// The chart as an inline drawing with a legend.
    #[must_use]
    pub fn render(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let (Some(begin), Some(end)) =
            (points().map(|point| point.at).min(), points().map(|point| point.at).max())
        else {
            return "<p class=\"empty\">no readings yet</p>".into();
        };
        let most = points().map(|point| point.value).max().unwrap_or(0).max(1);
        let place = |point: &Point| {
            let right = i128::from(WIDTH - LEFT - 12);
            let x = i128::from(point.at - begin) * right / i128::from((end - begin).max(1));
            let high = i128::from(HEIGHT - TOP - BOTTOM);
            let y = i128::from(point.value) * high / i128::from(most);
            (LEFT + i64::try_from(x).unwrap_or(0), HEIGHT - BOTTOM - i64::try_from(y).unwrap_or(0))
        };
        let lines: String =
            self.series.iter().zip(0..).map(|(series, n)| series.render(n % 4, &place)).collect();
        let legend: String = self
            .series
            .iter()
            .zip(0..)
            .map(|(series, n)| {
                format!("<i class=\"series{}\"></i>{} ", n % 4, escape(&series.name))
            })
            .collect();
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">{}{}{lines}</svg><p class=\"legend\">{legend}</p>",
            scale_lines(most),
            ends(begin, end)
        )
    }
}

impl Series {
    fn render(&self, colour: u8, place: &dyn Fn(&Point) -> (i64, i64)) -> String {
        let path: Vec<String> =
            self.points.iter().map(place).map(|(x, y)| format!("{x},{y}")).collect();
        let dots: String = self
            .points
            .iter()
            .map(|point| {
                let (x, y) = place(point);
                format!(
                    "<circle class=\"series{colour}\" cx=\"{x}\" cy=\"{y}\" r=\"3\"><title>{}</title></circle>",
                    escape(&point.title)
                )
            })
            .collect();
        format!("<polyline class=\"series{colour}\" points=\"{}\"/>{dots}", path.join(" "))
    }
}

fn scale_lines(most: u64) -> String {
    (0..=4)
        .map(|quarter| {
            let y = HEIGHT - BOTTOM - quarter * (HEIGHT - TOP - BOTTOM) / 4;
            let value = u128::from(most) * u128::from(quarter.unsigned_abs()) / 4;
            format!(
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y}\" y2=\"{y}\"/>\
                 <text class=\"scale\" x=\"{}\" y=\"{}\">{}</text>",
                LEFT - 6,
                y + 4,
                bytes(u64::try_from(value).unwrap_or(u64::MAX))
            )
        })
        .collect()
}

/// When the readings begin and end.
fn ends(begin: i64, end: i64) -> String {
    let label = |x: i64, anchor: &str, at: i64| {
        format!(
            "<text class=\"date\" x=\"{x}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
            HEIGHT - 6,
            Timestamp(at)
        )
    };
    let first = label(LEFT, "start", begin);
    if begin == end { first } else { first + &label(WIDTH - 12, "end", end) }
}

/// A short label of a quantity of bytes; readings themselves carry exact titles.
fn bytes(value: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut tenths = u128::from(value) * 10;
    while tenths >= 10_240 && unit < UNITS.len() - 1 {
        tenths /= 1024;
        unit += 1;
    }
    if unit == 0 {
        format!("{value} B")
    } else {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_become_dots_in_order_and_inside() {
        let point = |at, value| Point { at, value, title: format!("{value} bytes") };
        let series = Series {
            name: "stored".into(),
            points: vec![point(5, 0), point(6, u64::MAX), point(900, 7)],
        };
        let svg = Chart { series: vec![series] }.render();
        assert!(svg.contains(">1970-01-01T00:00:00Z</text>"), "the readings begin then");
        assert_eq!(svg.matches("<circle").count(), 3);
        for value in svg.split("cy=\"").skip(1) {
            let y: i64 = value.split('"').next().unwrap().parse().unwrap();
            assert!((TOP..=HEIGHT - BOTTOM).contains(&y), "{y}");
        }
    }

    #[test]
    fn labels_are_short() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024), "1.0 KiB");
        assert_eq!(bytes(1_610_612_736), "1.5 GiB");
    }
}
