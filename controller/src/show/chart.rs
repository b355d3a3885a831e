//! Spans of time as bars of characters, one lane a line.

use super::style::{Style, Tone, safe};

/// Columns for the lanes' names.
const NAME_COLUMNS: usize = 34;
/// The narrowest chart that still says something.
const NARROWEST_COLUMNS: usize = 20;

/// One line of the chart.
#[derive(Debug, Clone)]
pub struct Lane {
    /// Name at the left, indented by its depth.
    pub name: String,
    /// How far the name is indented.
    pub depth: usize,
    /// The spans: begin and end in milliseconds since 1970, and what they say.
    pub spans: Vec<(i64, Option<i64>, Tone)>,
    /// What stands behind the bar.
    pub note: String,
}

/// The chart, `columns` wide in all, each line ended. Spans that still go on reach the right edge.
#[must_use]
pub fn render(lanes: &[Lane], columns: usize, style: Style) -> String {
    let begin = lanes.iter().flat_map(|lane| &lane.spans).map(|span| span.0).min();
    let end = lanes.iter().flat_map(|lane| &lane.spans).map(|span| span.1.unwrap_or(span.0)).max();
    let (Some(begin), Some(end)) = (begin, end) else {
        return "nothing has happened yet\n".into();
    };
    let notes = lanes.iter().map(|lane| lane.note.chars().count()).max().unwrap_or(0);
    let bar_columns = columns.saturating_sub(NAME_COLUMNS + notes + 2).max(NARROWEST_COLUMNS);
    let scale = Scale { begin, span: (end - begin).max(1), columns: bar_columns };
    lanes.iter().map(|lane| line(lane, &scale, style)).collect()
}

struct Scale {
    begin: i64,
    span: i64,
    columns: usize,
}

impl Scale {
    fn column(&self, at: i64) -> usize {
        let offset = i128::from(at - self.begin) * self.columns as i128 / i128::from(self.span);
        usize::try_from(offset).unwrap_or(0).min(self.columns)
    }
}

fn line(lane: &Lane, scale: &Scale, style: Style) -> String {
    let indent = "  ".repeat(lane.depth);
    let name: String = safe(&lane.name);
    let room = NAME_COLUMNS.saturating_sub(indent.len() + 1);
    let name = shorten(&name, room);
    let pad = " ".repeat(NAME_COLUMNS - indent.len() - name.chars().count());
    let name = if lane.depth == 0 { style.paint(Tone::Strong, &name) } else { name };
    format!(
        "{indent}{name}{pad}{} {}\n",
        bar(lane, scale, style),
        style.paint(Tone::Dim, &safe(&lane.note))
    )
}

fn bar(lane: &Lane, scale: &Scale, style: Style) -> String {
    let mut cells: Vec<Option<Tone>> = vec![None; scale.columns];
    for (begin, end, tone) in &lane.spans {
        let from = scale.column(*begin).min(scale.columns - 1);
        let to = end.map_or(scale.columns, |end| scale.column(end)).max(from + 1);
        cells[from..to].fill(Some(*tone));
    }
    let mut out = String::new();
    for run in cells.chunk_by(|a, b| a == b) {
        match run[0] {
            None => out.push_str(&style.paint(Tone::Dim, &"·".repeat(run.len()))),
            Some(tone) => out.push_str(&style.paint(tone, &"█".repeat(run.len()))),
        }
    }
    out
}

fn shorten(text: &str, most: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= most {
        return text.to_owned();
    }
    let half = most.saturating_sub(1) / 2;
    let head: String = chars[..half].iter().collect();
    let tail: String = chars[chars.len() - (most - 1 - half)..].iter().collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(name: &str, depth: usize, spans: &[(i64, Option<i64>)]) -> Lane {
        let spans = spans.iter().map(|(begin, end)| (*begin, *end, Tone::Good)).collect();
        Lane { name: name.into(), depth, spans, note: "1s".into() }
    }

    #[test]
    fn bars_share_one_scale() {
        let lanes = [
            lane("session", 0, &[(0, Some(100))]),
            lane("first half", 1, &[(0, Some(50))]),
            lane("rest", 1, &[(50, None)]),
        ];
        let text = render(&lanes, NAME_COLUMNS + 2 + 2 + 20, Style::plain());
        let bars: Vec<&str> = text.lines().map(|line| line.trim_end_matches(" 1s")).collect();
        assert!(bars[0].ends_with(&"█".repeat(20)));
        assert!(bars[1].ends_with(&format!("{}{}", "█".repeat(10), "·".repeat(10))));
        assert!(bars[2].ends_with(&format!("{}{}", "·".repeat(10), "█".repeat(10))));
    }

    #[test]
    fn an_instant_is_still_seen() {
        let text = render(
            &[lane("a", 0, &[(0, Some(9))]), lane("b", 1, &[(9, Some(9))])],
            60,
            Style::plain(),
        );
        assert!(text.lines().all(|line| line.contains('█')));
    }

    #[test]
    fn nothing_says_so() {
        assert_eq!(render(&[], 80, Style::plain()), "nothing has happened yet\n");
    }
}
