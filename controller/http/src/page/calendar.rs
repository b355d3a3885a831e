//! Marks on days, a month a block: which snapshots exist and what a policy would remove.

use super::escape::escape;
use super::gantt::Tone;

/// Size of a day's square in user units.
const DAY: u32 = 26;
/// Space between squares.
const GAP: u32 = 4;
/// Height of the line with the weekdays.
const HEAD: u32 = 18;

/// Months with marked days.
#[derive(Clone, Debug, Default)]
pub struct Calendar {
    /// The months, oldest first.
    pub months: Vec<Month>,
}

/// One month.
#[derive(Clone, Debug)]
pub struct Month {
    /// Such as `2026-11`.
    pub name: String,
    /// Weekday of its first day, Monday 0.
    pub first_weekday: u32,
    /// One entry for each day of the month.
    pub days: Vec<Day>,
}

/// What happened on a day.
#[derive(Clone, Debug, Default)]
pub struct Day {
    /// Marks, oldest first: tone and what a reader sees when pointing at it.
    pub marks: Vec<(Tone, String)>,
}

impl Calendar {
    /// The months as inline drawings.
    #[must_use]
    pub fn render(&self) -> String {
        if self.months.is_empty() {
            return "<p class=\"empty\">no snapshots yet</p>".into();
        }
        let months: String = self.months.iter().map(Month::render).collect();
        format!(
            "<div class=\"months\">{months}</div><p class=\"legend\"><i class=\"good\"></i>kept \
             <i class=\"skipped\"></i>would be removed <i class=\"bad\"></i>failed \
             <i class=\"waiting\"></i>removed</p>"
        )
    }
}

impl Month {
    fn render(&self) -> String {
        let days: String = self
            .days
            .iter()
            .zip(0..)
            .map(|(day, n)| day.render(self.first_weekday + n, n + 1))
            .collect();
        let weeks = (self.first_weekday + u32::try_from(self.days.len()).unwrap_or(31)).div_ceil(7);
        format!(
            "<figure><figcaption>{}</figcaption><svg viewBox=\"0 0 {} {}\" role=\"img\">{}{days}</svg></figure>",
            escape(&self.name),
            7 * (DAY + GAP),
            HEAD + weeks * (DAY + GAP),
            weekdays()
        )
    }
}

/// The line above the days, Monday first.
fn weekdays() -> String {
    let names = ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"].into_iter().zip(0..);
    names
        .map(|(name, column)| {
            let x = column * (DAY + GAP) + DAY / 2;
            format!("<text class=\"weekday\" x=\"{x}\" y=\"{}\">{name}</text>", HEAD - 6)
        })
        .collect()
}

impl Day {
    fn render(&self, cell: u32, number: u32) -> String {
        let (x, y) = (cell % 7 * (DAY + GAP), HEAD + cell / 7 * (DAY + GAP));
        let count = u32::try_from(self.marks.len()).unwrap_or(u32::MAX).max(1);
        let bars: String = self
            .marks
            .iter()
            .zip(0..)
            .map(|((tone, title), n)| {
                let top = n * DAY / count;
                let height = ((n + 1) * DAY / count - top).max(1);
                format!(
                    "<rect class=\"{}\" x=\"{x}\" y=\"{}\" width=\"{DAY}\" height=\"{height}\">\
                     <title>{}</title></rect>",
                    tone.class(),
                    y + top,
                    escape(title)
                )
            })
            .collect();
        // Grey follows the scheme of the page; the other marks are bright in both.
        let bright = self.marks.iter().any(|(tone, _)| *tone != Tone::Waiting);
        format!(
            "<rect class=\"day\" x=\"{x}\" y=\"{y}\" width=\"{DAY}\" height=\"{DAY}\" rx=\"3\"/>{bars}\
             <text class=\"number{}\" x=\"{}\" y=\"{}\">{number}</text>",
            if bright { " on-mark" } else { "" },
            x + DAY / 2,
            y + DAY / 2 + 4
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_drawn_inside_its_day() {
        let mut days = vec![Day::default(); 30];
        days[9].marks = (0..100).map(|n| (Tone::Good, format!("snapshot {n}"))).collect();
        let month = Month { name: "2026-11".into(), first_weekday: 6, days };
        let svg = Calendar { months: vec![month] }.render();
        assert_eq!(svg.matches("<title>snapshot").count(), 100);
        assert_eq!(svg.matches("number on-mark").count(), 1);
        // The tenth day of a month that begins on a Sunday stands in the third row, on Tuesday.
        assert!(svg.contains(&format!("x=\"{}\" y=\"{}\"", DAY + GAP, HEAD + 2 * (DAY + GAP))));
    }

    #[test]
    fn no_month_says_so() {
        assert!(Calendar::default().render().contains("no snapshots yet"));
    }
}
