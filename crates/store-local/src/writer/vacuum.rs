//! Gives pages that expiry freed back to the file system, a few at a time, once a quarter of the
//! file is free: below that they are soon used again.

use rusqlite::Connection;

/// Pages in the smallest step that is worth its commit.
const STEP: u32 = 512;

/// Gives some pages back. False: there is nothing to give, or nobody to take it.
pub(super) fn step(conn: &Connection) -> rusqlite::Result<bool> {
    let free = number(conn, "PRAGMA freelist_count")?;
    if free < STEP || free < number(conn, "PRAGMA page_count")? / 4 {
        return Ok(false);
    }
    // The engine gives back one page for each row that is asked for.
    let mut pragma = conn.prepare_cached(&format!("PRAGMA incremental_vacuum({STEP})"))?;
    let mut rows = pragma.query(())?;
    while rows.next()?.is_some() {}
    Ok(true)
}

fn number(conn: &Connection, pragma: &str) -> rusqlite::Result<u32> {
    conn.prepare_cached(pragma)?.query_row((), |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_whose_rows_are_deleted_becomes_small_again() {
        let dir = tempfile::tempdir().unwrap();
        let conn = crate::connection::writable(&dir.path().join("a.db")).unwrap();
        crate::connection::make_writer(&conn).unwrap();
        conn.execute_batch("CREATE TABLE t (a)").unwrap();
        let mut insert = conn
            .prepare("INSERT INTO t VALUES (zeroblob(4000))")
            .unwrap();
        conn.execute_batch("BEGIN").unwrap();
        for _ in 0..5000 {
            insert.execute(()).unwrap();
        }
        conn.execute_batch("COMMIT").unwrap();
        assert!(!step(&conn).unwrap(), "nothing is free");
        conn.execute_batch("DELETE FROM t").unwrap();
        let before = number(&conn, "PRAGMA page_count").unwrap();
        assert!(step(&conn).unwrap());
        let after = number(&conn, "PRAGMA page_count").unwrap();
        assert!(
            (STEP..STEP + 10).contains(&(before - after)),
            "{before} to {after}"
        );
        while step(&conn).unwrap() {}
        assert!(number(&conn, "PRAGMA page_count").unwrap() < STEP + 10);
    }
}
