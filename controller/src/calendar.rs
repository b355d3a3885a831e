//! Schedules as users write them, evaluated into instants. The engine sees only the instants.
//!
//! The grammar is that of Go's cron packages, which accept more than the classic five fields: a leading
//! `TZ=` or `CRON_TZ=`, `@every`, `?` and a start without an end before a step (`5/15`).

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use holdfast_engine::{Millis, Timestamp};
use jiff::tz::TimeZone;

/// Slots that travel with a command: enough to survive a few wake-ups without asking again.
pub const SLOTS_AHEAD: usize = 3;

/// Slots that are counted as missed at most; a minutely schedule reaches it after a week of downtime.
pub const MISSED_LIMIT: u32 = 10_000;

/// Largest value of each field, for a start without an end (`5/15` means `5-59/15`).
const FIELD_ENDS: [u32; 5] = [59, 23, 31, 12, 6];

/// Why an expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The zone is not in the time zone database.
    #[error(
        "schedule {expression:?}: time zone {zone:?} is unknown; use a name such as Europe/Berlin"
    )]
    Zone {
        /// As written.
        expression: String,
        /// The zone in it.
        zone: String,
    },
    /// Not a duration, or shorter than a second.
    #[error("schedule {expression:?}: @every needs a duration of at least a second, such as 5m")]
    Every {
        /// As written.
        expression: String,
    },
    /// Not a cron expression.
    #[error("schedule {expression:?}: {reason}; use five fields such as \"*/5 * * * *\"")]
    Cron {
        /// As written.
        expression: String,
        /// What the parser says.
        reason: String,
    },
}

/// An expression that can be evaluated.
#[derive(Clone, Debug)]
pub struct Schedule {
    rhythm: Rhythm,
    zone: TimeZone,
}

#[derive(Clone, Debug)]
enum Rhythm {
    Fields(Box<Cron>),
    Every(Millis),
}

/// What passed between two instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The latest slot.
    pub latest: Timestamp,
    /// Slots before that one.
    pub missed: u32,
}

impl Schedule {
    /// Reads an expression.
    ///
    /// # Errors
    /// A [`ScheduleError`] that says what to write instead.
    pub fn parse(expression: &str) -> Result<Self, ScheduleError> {
        let (zone, rest) = split_zone(expression)?;
        let rhythm = match rest.strip_prefix("@every") {
            Some(span) => {
                let span = crate::translate::duration::parse(span.trim())
                    .filter(|span| span.0 >= 1000)
                    .ok_or_else(|| ScheduleError::Every { expression: expression.into() })?;
                Rhythm::Every(span)
            }
            None => Rhythm::Fields(Box::new(parse_fields(expression, rest)?)),
        };
        Ok(Self { rhythm, zone })
    }

    /// The first slots after an instant, ascending; fewer than asked when the expression ends.
    #[must_use]
    pub fn next(&self, after: Timestamp, count: usize) -> Vec<Timestamp> {
        self.slots(after).take(count).collect()
    }

    /// The slots after `since`, up to and including `now`.
    #[must_use]
    pub fn passed(&self, since: Timestamp, now: Timestamp) -> Option<Passed> {
        let mut found: Option<Passed> = None;
        for slot in self.slots(since).take_while(|slot| *slot <= now) {
            let missed = found.map_or(0, |passed| passed.missed.saturating_add(1));
            found = Some(Passed { latest: slot, missed });
            if missed >= MISSED_LIMIT {
                break;
            }
        }
        found
    }

    fn slots(&self, after: Timestamp) -> Box<dyn Iterator<Item = Timestamp> + '_> {
        match &self.rhythm {
            // Multiples of the span since 1970: the same slots after every restart, without an anchor.
            Rhythm::Every(span) => {
                let span = i64::try_from(span.0).unwrap_or(i64::MAX);
                let first = after.0.div_euclid(span).saturating_add(1).saturating_mul(span);
                Box::new(
                    std::iter::successors(Some(first), move |slot| slot.checked_add(span))
                        .map(Timestamp),
                )
            }
            Rhythm::Fields(cron) => {
                let Ok(start) = jiff::Timestamp::from_millisecond(after.0) else {
                    return Box::new(std::iter::empty());
                };
                let start = start.to_zoned(self.zone.clone());
                Box::new(
                    cron.iter_after(start).map(|slot| Timestamp(slot.timestamp().as_millisecond())),
                )
            }
        }
    }
}

fn split_zone(expression: &str) -> Result<(TimeZone, &str), ScheduleError> {
    let text = expression.trim();
    let Some(prefixed) = text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ=")) else {
        return Ok((TimeZone::UTC, text));
    };
    let (name, rest) = prefixed.split_once(char::is_whitespace).unwrap_or((prefixed, ""));
    let zone = TimeZone::get(name)
        .map_err(|_| ScheduleError::Zone { expression: expression.into(), zone: name.into() })?;
    Ok((zone, rest.trim()))
}

fn parse_fields(expression: &str, rest: &str) -> Result<Cron, ScheduleError> {
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let translated = if fields.len() == FIELD_ENDS.len() {
        let fields: Vec<String> = fields
            .iter()
            .zip(FIELD_ENDS)
            .map(|(field, end)| {
                field.split(',').map(|part| close_range(part, end)).collect::<Vec<_>>().join(",")
            })
            .collect();
        fields.join(" ")
    } else {
        rest.to_owned()
    };
    CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build()
        .parse(&translated)
        .map_err(|error| ScheduleError::Cron {
            expression: expression.into(),
            reason: error.to_string().trim_end_matches('.').into(),
        })
}

/// `5/15` becomes `5-59/15`, `?` becomes `*`; everything else stays.
fn close_range(part: &str, end: u32) -> String {
    if part == "?" {
        return "*".into();
    }
    match part.split_once('/') {
        Some((start, step)) if !start.is_empty() && start.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{start}-{end}/{step}")
        }
        _ => part.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn slots_follow_the_expression() {
        for (expression, after, next) in [
            ("*/5 * * * *", "2026-01-01T00:01:00Z", "2026-01-01T00:05:00Z"),
            ("*/5 * * * *", "2026-01-01T00:05:00Z", "2026-01-01T00:10:00Z"),
            ("5/15 * * * *", "2026-01-01T00:21:00Z", "2026-01-01T00:35:00Z"),
            ("@daily", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
            ("0 5 ? * *", "2026-01-01T00:00:00Z", "2026-01-01T05:00:00Z"),
            ("@every 90s", "1970-01-01T00:00:00Z", "1970-01-01T00:01:30Z"),
            ("@every 1h30m", "1970-01-01T01:30:00Z", "1970-01-01T03:00:00Z"),
            ("TZ=Europe/Berlin 0 6 * * *", "2026-01-01T00:00:00Z", "2026-01-01T05:00:00Z"),
            ("CRON_TZ=Europe/Berlin 0 6 * * *", "2026-07-01T00:00:00Z", "2026-07-01T04:00:00Z"),
        ] {
            let schedule = Schedule::parse(expression).unwrap();
            assert_eq!(schedule.next(at(after), 1), [at(next)], "{expression}");
        }
    }

    #[test]
    fn a_spring_gap_moves_the_slot_and_an_autumn_hour_counts_once() {
        let schedule = Schedule::parse("TZ=Europe/Berlin 30 2 * * *").unwrap();
        assert_eq!(schedule.next(at("2026-03-28T12:00:00Z"), 1), [at("2026-03-29T01:00:00Z")]);
        assert_eq!(
            schedule.next(at("2026-10-24T12:00:00Z"), 2),
            [at("2026-10-25T00:30:00Z"), at("2026-10-26T01:30:00Z")]
        );
    }

    #[test]
    fn what_passed_names_the_latest_and_counts_the_others() {
        let schedule = Schedule::parse("*/5 * * * *").unwrap();
        let since = at("2026-01-01T00:00:00Z");
        assert_eq!(schedule.passed(since, at("2026-01-01T00:04:59Z")), None);
        assert_eq!(
            schedule.passed(since, at("2026-01-01T00:17:00Z")),
            Some(Passed { latest: at("2026-01-01T00:15:00Z"), missed: 2 })
        );
        let long = schedule.passed(Timestamp(0), at("2026-01-01T00:17:00Z")).unwrap();
        assert_eq!(long.missed, MISSED_LIMIT);
    }

    #[test]
    fn an_impossible_date_has_no_slot() {
        let schedule = Schedule::parse("0 0 31 2 *").unwrap();
        assert!(schedule.next(at("2026-01-01T00:00:00Z"), 1).is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_name() {
        for (expression, word) in [
            ("TZ=Mars/Olympus * * * * *", "Mars/Olympus"),
            ("@every soon", "@every"),
            ("@every 10ms", "at least a second"),
            ("* * * *", "five fields"),
            ("0 0 * * * *", "five fields"),
            ("61 * * * *", "61 * * * *"),
        ] {
            let error = Schedule::parse(expression).unwrap_err().to_string();
            assert!(error.contains(word), "{expression}: {error}");
        }
    }
}
