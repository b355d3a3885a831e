//! One self-contained page: no script, no font, no request to anywhere. It can be mailed, archived
//! beside an incident report, and opened in ten years.

pub mod calendar;
pub mod escape;
pub mod gantt;
pub mod line;

use escape::escape;
use gantt::Tone;

/// A page of headed sections.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// What the page shows; also the title of the window.
    pub title: String,
    /// One sentence below the title.
    pub subtitle: String,
    /// Small facts in a row: what, and its value.
    pub facts: Vec<(String, String)>,
    /// The sections, in order.
    pub sections: Vec<Section>,
}

/// A section with one picture or table.
#[derive(Clone, Debug)]
pub struct Section {
    /// Heading.
    pub heading: String,
    /// A sentence that says how to read what follows.
    pub intro: String,
    /// What follows.
    pub body: Body,
}

/// What a section shows.
#[derive(Clone, Debug)]
pub enum Body {
    /// Spans of time, one lane each.
    Gantt(gantt::Chart),
    /// Marks on days.
    Calendar(calendar::Calendar),
    /// Quantities over time.
    Line(line::Chart),
    /// Rows of cells below a header.
    Table {
        /// Names of the columns.
        header: Vec<String>,
        /// The rows; each as long as the header.
        rows: Vec<Vec<String>>,
    },
    /// There is nothing to show, and why.
    Empty(String),
}

impl Section {
    /// A section of these parts.
    #[must_use]
    pub fn new(heading: &str, intro: String, body: Body) -> Self {
        Self { heading: heading.into(), intro, body }
    }
}

impl Page {
    /// The page as one HTML document.
    #[must_use]
    pub fn render(&self) -> String {
        let title = escape(&self.title);
        let facts: String = self
            .facts
            .iter()
            .map(|(what, value)| {
                format!("<div><dt>{}</dt><dd>{}</dd></div>", escape(what), escape(value))
            })
            .collect();
        let sections: String = self.sections.iter().map(Section::render).collect();
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>{title}</title><style>{}</style></head>\n<body><main>\
             <header><h1>{title}</h1><p>{}</p><dl>{facts}</dl></header>\n{sections}</main></body></html>\n",
            include_str!("style.css"),
            escape(&self.subtitle),
        )
    }
}

impl Section {
    fn render(&self) -> String {
        format!(
            "<section><h2>{}</h2><p>{}</p>{}</section>\n",
            escape(&self.heading),
            escape(&self.intro),
            self.body.render()
        )
    }
}

impl Body {
    fn render(&self) -> String {
        match self {
            Self::Gantt(chart) => wide(&chart.render()),
            Self::Calendar(calendar) => calendar.render(),
            Self::Line(chart) => wide(&chart.render()),
            Self::Table { header, rows } => table(header, rows),
            Self::Empty(why) => format!("<p class=\"empty\">{}</p>", escape(why)),
        }
    }
}

/// Keeps a drawing legible on a narrow screen: it is scrolled, not shrunk.
fn wide(drawing: &str) -> String {
    format!("<div class=\"scroll\">{drawing}</div>")
}

fn table(header: &[String], rows: &[Vec<String>]) -> String {
    let row = |cells: &[String], tag: &str| -> String {
        let cell = |cell: &String| match tone_of(cell) {
            Some(tone) => {
                format!("<{tag} class=\"word-{}\">{}</{tag}>", tone.class(), escape(cell))
            }
            None => format!("<{tag}>{}</{tag}>", escape(cell)),
        };
        let cells: String = cells.iter().map(cell).collect();
        format!("<tr>{cells}</tr>")
    };
    let body: String = rows.iter().map(|cells| row(cells, "td")).collect();
    format!(
        "<div class=\"scroll\"><table><thead>{}</thead><tbody>{body}</tbody></table></div>",
        row(header, "th")
    )
}

/// The words of phases have a colour wherever they stand alone.
fn tone_of(word: &str) -> Option<Tone> {
    match word {
        "Succeeded" => Some(Tone::Good),
        "Failed" | "Invalid" => Some(Tone::Bad),
        "Running" | "Pending" => Some(Tone::Running),
        "Skipped" => Some(Tone::Skipped),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(title: &str) -> Page {
        Page {
            title: title.into(),
            sections: vec![Section {
                heading: "Sessions".into(),
                intro: "All of them.".into(),
                body: Body::Table {
                    header: vec!["name".into()],
                    rows: vec![vec!["<img src=x onerror=alert(1)>".into()]],
                },
            }],
            ..Page::default()
        }
    }

    #[test]
    fn names_from_outside_cannot_become_markup() {
        let html = page("</title><script>alert(1)</script>").render();
        assert!(!html.contains("<script"));
        assert!(!html.contains("<img"));
    }

    #[test]
    fn it_asks_nothing_from_anywhere() {
        let html = Page { title: "Sessions".into(), ..page("") };
        let html = html.render().replace("&lt;img src=x onerror=alert(1)&gt;", "");
        for forbidden in ["http:", "https:", "src=", "href=", "@import", "url("] {
            assert!(!html.contains(forbidden), "{forbidden}");
        }
    }

    #[test]
    fn phases_have_their_colour_and_other_words_have_none() {
        let html = table(&["phase".into()], &[vec!["Failed".into()], vec!["failed".into()]]);
        assert!(html.contains("<td class=\"word-bad\">Failed</td>"));
        assert!(html.contains("<td>failed</td>"));
    }

    #[test]
    fn the_same_view_gives_the_same_bytes() {
        assert_eq!(page("a").render(), page("a").render());
    }
}
