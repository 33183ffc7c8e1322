//! Tables for people: fit the terminal, never break an id in two.

use comfy_table::{ColumnConstraint, ContentArrangement, Table as Comfy, Width};

use crate::text::one_line;

/// How a column may be laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// Never broken: ids, times, single words.
    Whole(&'static str),
    /// Broken between words where the line is full.
    Wrapped(&'static str),
}

/// Rows under a heading.
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty one.
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row, a cell a column. Cells are made safe to print; `\n` in one begins a second line.
    pub(crate) fn row<const N: usize>(&mut self, cells: &[String; N]) {
        debug_assert_eq!(N, self.columns.len(), "a cell a column");
        self.rows.push(cells.iter().map(|cell| safe(cell)).collect());
    }

    /// Whether there are no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text of at most `width` characters a line, ended by a line break. Wider only where the
    /// columns that are never broken do not fit.
    pub(crate) fn render(&self, width: usize) -> String {
        let mut table = Comfy::new();
        table
            .load_style(comfy_table::TableStyle::new())
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(u16::try_from(width).unwrap_or(u16::MAX))
            .set_header(self.columns.iter().map(|column| column.title()));
        for row in &self.rows {
            table.add_row(row);
        }
        for (index, column) in self.columns.iter().enumerate() {
            let Some(laid_out) = table.column_mut(index) else { continue };
            laid_out.set_padding((0, if index + 1 == self.columns.len() { 0 } else { 2 }));
            if let Column::Whole(title) = column {
                let cells = self.rows.iter().map(|row| row[index].lines().map(width_of).max().unwrap_or(0));
                let longest = cells.max().unwrap_or(0).max(title.len());
                let padded = longest + if index + 1 == self.columns.len() { 0 } else { 2 };
                laid_out.set_constraint(ColumnConstraint::Absolute(Width::Fixed(
                    u16::try_from(padded).unwrap_or(u16::MAX),
                )));
            }
        }
        table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }
}

impl Column {
    fn title(self) -> &'static str {
        match self {
            Self::Whole(title) | Self::Wrapped(title) => title,
        }
    }
}

fn safe(cell: &str) -> String {
    cell.split('\n').map(one_line).collect::<Vec<_>>().join("\n")
}

fn width_of(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_and_keeps_ids_whole() {
        let mut table = Table::new(&[
            Column::Whole("ID"),
            Column::Wrapped("MACHINE"),
            Column::Whole("STATE"),
            Column::Wrapped("ATTENTION"),
        ]);
        table.row(&[
            "0123456789abcdef".into(),
            "HMI of the servo press by the north door".into(),
            "quiet".into(),
            "another machine has written this machine's journal: adopt one of the two".into(),
        ]);
        table.row(&["fedcba9876543210".into(), "\u{1b}[31mred".into(), "reachable".into(), String::new()]);
        let text = table.render(60);
        assert!(text.lines().all(|line| width_of(line) <= 60), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn an_empty_table_is_its_heading() {
        let table = Table::new(&[Column::Whole("ID"), Column::Wrapped("NAME")]);
        assert!(table.is_empty());
        assert_eq!(table.render(80), "ID  NAME\n");
    }
}
