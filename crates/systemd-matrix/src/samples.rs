//! Small matrices for the tests of this crate.

use crate::table::{Cell, Matrix, Row, Table, TableId};

pub(crate) fn restarted(result: &str) -> Cell {
    Cell::Restarted {
        result: result.to_owned(),
        delay_seconds: 5,
    }
}

pub(crate) fn stays(result: &str) -> Cell {
    Cell::NotRestarted {
        result: result.to_owned(),
        state: "failed".to_owned(),
    }
}

pub(crate) fn matrix(systemd: &str, rows: &[(&str, &[Cell])]) -> Matrix {
    let row = |(label, cells): &(&str, &[Cell])| Row {
        label: (*label).to_owned(),
        means: String::new(),
        cells: cells.to_vec(),
    };
    Matrix {
        systemd: systemd.to_owned(),
        tables: vec![Table {
            id: TableId::Oneshot,
            title: "`Type=oneshot`".to_owned(),
            legend: vec!["yes: started again".to_owned(), "a remark".to_owned()],
            corner: "end".to_owned(),
            columns: vec!["`no`".to_owned(), "`always`".to_owned()],
            rows: rows.iter().map(row).collect(),
        }],
    }
}
