//! Tables as kubectl prints them: capitals above, columns three spaces apart, no lines.

use super::style::{Style, Tone, safe, tone_of};

/// Space between columns.
const GAP: usize = 3;

/// Rows below a header.
#[derive(Debug, Default)]
pub struct Table {
    header: Vec<&'static str>,
    /// Columns whose cells end at one line, as numbers do.
    right: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these columns.
    #[must_use]
    pub fn new(header: &[&'static str]) -> Self {
        Self { header: header.to_vec(), right: Vec::new(), rows: Vec::new() }
    }

    /// The same with these columns aligned to the right.
    #[must_use]
    pub fn right(mut self, columns: &[&'static str]) -> Self {
        self.right = columns.to_vec();
        self
    }

    /// Adds a row; missing cells are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().map(|cell| safe(&cell)).collect();
        cells.resize(self.header.len(), String::new());
        self.rows.push(cells);
    }

    /// Fills the last column of the last row: with one line for each of several values, which may be long.
    /// Whatever a terminal breaks is broken there, and nothing is cut.
    pub fn last_column(&mut self, values: &[String]) {
        let last = self.header.len().saturating_sub(1);
        for (number, value) in values.iter().enumerate() {
            if number > 0 {
                self.row([]);
            }
            if let Some(cell) = self.rows.last_mut().and_then(|row| row.get_mut(last)) {
                *cell = safe(value);
            }
        }
    }

    /// The table as text, each line ended.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let widths: Vec<usize> = (0..self.header.len())
            .map(|column| {
                let cells = self.rows.iter().map(|row| width(&row[column]));
                cells.chain([width(self.header[column])]).max().unwrap_or(0)
            })
            .collect();
        let mut out = String::new();
        let header: Vec<String> = self.header.iter().map(|name| (*name).into()).collect();
        self.line(&mut out, &header, &widths, |cell| style.paint(Tone::Dim, cell));
        for row in &self.rows {
            self.line(&mut out, row, &widths, |cell| style.paint(tone_of(cell), cell));
        }
        out
    }

    fn line(
        &self,
        out: &mut String,
        cells: &[String],
        widths: &[usize],
        paint: impl Fn(&str) -> String,
    ) {
        let last = cells.iter().rposition(|cell| !cell.is_empty()).unwrap_or(0);
        for (column, cell) in cells.iter().enumerate().take(last + 1) {
            let space = widths[column] - width(cell);
            let before = if self.right.contains(&self.header[column]) { space } else { 0 };
            out.push_str(&" ".repeat(before));
            out.push_str(&paint(cell));
            if column < last {
                out.push_str(&" ".repeat(space - before + GAP));
            }
        }
        out.push('\n');
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_end_without_spaces() {
        let mut table = Table::new(&["NAME", "PHASE", "AGE"]);
        table.row(["sample-backup".into(), "Succeeded".into(), String::new()]);
        table.row(["x".into(), "Failed".into(), "5m".into()]);
        let text = table.render(Style::plain());
        let expected = "NAME            PHASE       AGE\n\
                        sample-backup   Succeeded\n\
                        x               Failed      5m\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn several_values_of_the_last_column_stand_below_each_other() {
        let mut table = Table::new(&["ID", "PATHS"]);
        table.row(["1".into()]);
        table.last_column(&["/etc".into(), "/a b\n".into()]);
        table.row(["2".into()]);
        assert_eq!(table.render(Style::plain()), "ID   PATHS\n1    /etc\n     /a b\\n\n2\n");
    }

    #[test]
    fn numbers_end_at_one_line() {
        let mut table = Table::new(&["SIZE", "NAME"]).right(&["SIZE"]);
        table.row(["1 B".into(), "x".into()]);
        table.row(["10.5 MiB".into(), "y".into()]);
        let text = table.render(Style::plain());
        assert_eq!(text, "    SIZE   NAME\n     1 B   x\n10.5 MiB   y\n");
    }

    #[test]
    fn colours_do_not_move_columns() {
        let mut table = Table::new(&["A", "B"]);
        table.row(["Failed".into(), "z".into()]);
        let coloured = table.render(Style::coloured());
        assert!(coloured.contains("\x1b[31mFailed\x1b[0m   z"));
    }
}
