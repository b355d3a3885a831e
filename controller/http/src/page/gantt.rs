//! Spans of time, one lane below the other: sessions, their components, their steps.

use super::escape::escape;

/// Width of the drawing in user units; the page scales it.
const WIDTH: i64 = 960;
/// Left margin for the lanes' names.
const MARGIN: i64 = 262;
/// Right margin for the lanes' notes.
const NOTES: i64 = 74;
/// Height of one lane.
const LANE: i64 = 22;
/// Height of the axis above the lanes.
const AXIS: i64 = 26;
/// A span shorter than this is still drawn this wide, or nobody would see it.
const NARROWEST: i64 = 3;
/// About how many ticks the axis has.
const TICKS: i64 = 6;

/// Lanes over one stretch of time.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// The lanes, top down.
    pub lanes: Vec<Lane>,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Name at the left.
    pub name: String,
    /// How far the name is indented: 0 session, 1 component, 2 step.
    pub depth: u8,
    /// What stands at the right, such as how long it took; a few characters.
    pub note: String,
    /// The spans, in milliseconds since 1970.
    pub spans: Vec<Span>,
}

/// A stretch of one lane.
#[derive(Clone, Debug)]
pub struct Span {
    /// Begin, milliseconds since 1970.
    pub begin: i64,
    /// End; `None` for what still goes on.
    pub end: Option<i64>,
    /// Decides the colour.
    pub tone: Tone,
    /// What a reader sees when pointing at it.
    pub title: String,
}

/// What a span or a mark says at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words are the meaning")]
pub enum Tone {
    Good,
    Bad,
    Running,
    Waiting,
    Skipped,
}

impl Tone {
    /// Class in the style sheet.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Skipped => "skipped",
        }
    }
}

impl Chart {
    /// The chart as an inline drawing.
    #[must_use]
    pub fn render(&self) -> String {
        let Some((begin, end)) = self.bounds() else {
            return "<p class=\"empty\">nothing has happened yet</p>".into();
        };
        let height = AXIS + LANE * i64::try_from(self.lanes.len()).unwrap_or(0) + 4;
        let scale = Scale { begin, span: (end - begin).max(1) };
        let lanes: String = self
            .lanes
            .iter()
            .zip(0..)
            .map(|(lane, row)| lane_svg(lane, row, &scale, end))
            .collect();
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">{}{lanes}</svg>",
            axis(&scale, height)
        )
    }

    fn bounds(&self) -> Option<(i64, i64)> {
        let spans = || self.lanes.iter().flat_map(|lane| &lane.spans);
        let begin = spans().map(|span| span.begin).min()?;
        let end = spans().map(|span| span.end.unwrap_or(span.begin)).max()?;
        Some((begin, end.max(begin)))
    }
}

struct Scale {
    begin: i64,
    span: i64,
}

impl Scale {
    fn x(&self, at: i64) -> i64 {
        let offset = i128::from(at - self.begin) * i128::from(WIDTH - MARGIN - NOTES);
        MARGIN + i64::try_from(offset / i128::from(self.span)).unwrap_or(0)
    }
}

fn lane_svg(lane: &Lane, row: i64, scale: &Scale, now: i64) -> String {
    let top = AXIS + row * LANE;
    let spans: String = lane
        .spans
        .iter()
        .map(|span| {
            let x = scale.x(span.begin);
            let width = (scale.x(span.end.unwrap_or(now)) - x).max(NARROWEST);
            format!(
                "<rect class=\"{}\" x=\"{x}\" y=\"{}\" width=\"{width}\" height=\"{}\" rx=\"2\">\
                 <title>{}</title></rect>",
                span.tone.class(),
                top + 4,
                LANE - 8,
                escape(&span.title)
            )
        })
        .collect();
    format!(
        "<line class=\"rule\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{top}\" y2=\"{top}\"/>\
         <text class=\"depth{}\" x=\"{}\" y=\"{}\">{}</text>{spans}\
         <text class=\"scale\" x=\"{WIDTH}\" y=\"{}\">{}</text>",
        lane.depth.min(2),
        4 + i64::from(lane.depth) * 14,
        top + LANE - 7,
        escape(&shorten(&lane.name, 32 - 2 * usize::from(lane.depth.min(2)))),
        top + LANE - 7,
        escape(&lane.note)
    )
}

fn axis(scale: &Scale, height: i64) -> String {
    let step = tick_step(scale.span);
    (0..)
        .map(|n| n * step)
        .take_while(|offset| *offset <= scale.span)
        .map(|offset| {
            let x = scale.x(scale.begin + offset);
            format!(
                "<line class=\"grid\" x1=\"{x}\" x2=\"{x}\" y1=\"{}\" y2=\"{height}\"/>\
                 <text class=\"tick\" x=\"{x}\" y=\"14\">{}</text>",
                AXIS - 6,
                offset_label(offset)
            )
        })
        .collect()
}

/// The step between ticks: a round number of milliseconds.
fn tick_step(span: i64) -> i64 {
    const ROUND: [i64; 20] = [
        100,
        200,
        500,
        1_000,
        2_000,
        5_000,
        10_000,
        30_000,
        60_000,
        120_000,
        300_000,
        600_000,
        1_800_000,
        3_600_000,
        7_200_000,
        21_600_000,
        43_200_000,
        86_400_000,
        604_800_000,
        2_592_000_000,
    ];
    let wanted = span / TICKS;
    ROUND.into_iter().find(|step| *step >= wanted).unwrap_or(wanted.max(1))
}

/// `+1.5s`, `+2m`, `+3h`, `+4d`: the distance from the left edge.
fn offset_label(offset: i64) -> String {
    match offset {
        0 => "start".into(),
        o if o % 86_400_000 == 0 => format!("+{}d", o / 86_400_000),
        o if o % 3_600_000 == 0 => format!("+{}h", o / 3_600_000),
        o if o % 60_000 == 0 => format!("+{}m", o / 60_000),
        o if o % 1000 == 0 => format!("+{}s", o / 1000),
        o => format!("+{}.{}s", o / 1000, o % 1000 / 100),
    }
}

/// The text, cut in the middle when longer than `most` characters: names differ at both ends.
fn shorten(text: &str, most: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= most {
        return text.into();
    }
    let half = (most - 1) / 2;
    let head: String = chars[..half].iter().collect();
    let tail: String = chars[chars.len() - (most - 1 - half)..].iter().collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(spans: &[(i64, Option<i64>)]) -> Chart {
        let spans = spans
            .iter()
            .map(|(begin, end)| Span {
                begin: *begin,
                end: *end,
                tone: Tone::Good,
                title: "t".into(),
            })
            .collect();
        Chart { lanes: vec![Lane { name: "dump".into(), depth: 1, note: "1s".into(), spans }] }
    }

    #[test]
    fn every_span_is_inside_the_drawing_and_visible() {
        let svg = chart(&[(1_000, Some(1_001)), (1_001, Some(90_000_000)), (5_000, None)]).render();
        for rect in svg.split("<rect").skip(1) {
            let number = |name: &str| -> i64 {
                let rest = rect.split(&format!(" {name}=\"")).nth(1).unwrap();
                rest.split('"').next().unwrap().parse().unwrap()
            };
            assert!(
                number("x") >= MARGIN && number("x") + number("width") <= WIDTH - NOTES + NARROWEST
            );
            assert!(number("width") >= NARROWEST);
        }
    }

    #[test]
    fn an_empty_chart_says_so() {
        assert!(Chart::default().render().contains("nothing has happened yet"));
    }

    #[test]
    fn ticks_are_round_and_few() {
        for span in [1, 999, 61_000, 3_599_000, 86_400_000 * 40] {
            assert!(span / tick_step(span) <= TICKS, "{span}");
        }
        assert_eq!(offset_label(1_500), "+1.5s");
        assert_eq!(offset_label(7_200_000), "+2h");
    }

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(shorten("abcdefghij", 5), "ab…ij");
        assert_eq!(shorten("abc", 5), "abc");
    }
}
