//! What | measured | budget.

/// The rows so far; each is also told as it comes.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<(String, String, String)>,
}

impl Table {
    /// A figure with its budget and whether it holds.
    pub(super) fn judged(&mut self, what: impl Into<String>, measured: String, budget: &str, holds: bool) {
        let verdict = if holds { "" } else { "  MISSED" };
        self.row(what.into(), measured, format!("{budget}{verdict}"));
    }

    /// A figure without a budget.
    pub(super) fn note(&mut self, what: impl Into<String>, measured: String) {
        self.row(what.into(), measured, String::new());
    }

    fn row(&mut self, what: String, measured: String, budget: String) {
        eprintln!("  {what}: {measured}");
        self.rows.push((what, measured, budget));
    }

    pub(super) fn print(&self) {
        let width = |of: fn(&(String, String, String)) -> &String| {
            self.rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0)
        };
        let (what, measured) = (width(|row| &row.0), width(|row| &row.1));
        println!("{:<what$} | {:<measured$} | budget (design, section 9)", "what", "measured");
        println!("{}-+-{}-+-{}", "-".repeat(what), "-".repeat(measured), "-".repeat(26));
        for (name, value, budget) in &self.rows {
            println!("{name:<what$} | {value:<measured$} | {budget}");
        }
    }
}
