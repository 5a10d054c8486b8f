//! When timers of tasks are due.
//! Must not know: how a schedule is read.

use crate::domain::{Result, Timestamp};
use crate::store::Tx;
use crate::store::world::row::Cells as _;

/// A timer of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// Row id of the task.
    pub task: i64,
    pub name: String,
    pub schedule: String,
    pub due: Timestamp,
}

/// Gives a task these timers in place of those that it has.
pub async fn set(tx: &mut Tx, task: i64, timers: &[Timer]) -> Result<()> {
    sqlx::query("DELETE FROM task_timers WHERE task = ?").bind(task).execute(tx.conn()).await?;
    for timer in timers {
        sqlx::query("INSERT OR REPLACE INTO task_timers (task, name, schedule, due) VALUES (?, ?, ?, ?)")
            .bind(task)
            .bind(&timer.name)
            .bind(&timer.schedule)
            .bind(timer.due.0)
            .execute(tx.conn())
            .await?;
    }
    Ok(())
}

/// The timers of a task.
pub async fn of(tx: &mut Tx, task: i64) -> Result<Vec<Timer>> {
    let rows =
        sqlx::query("SELECT * FROM task_timers WHERE task = ? ORDER BY name").bind(task).fetch_all(tx.conn()).await?;
    rows.iter().map(timer).collect()
}

fn timer(row: &sqlx::sqlite::SqliteRow) -> Result<Timer> {
    Ok(Timer {
        task: row.cell("task")?,
        name: row.cell("name")?,
        schedule: row.cell("schedule")?,
        due: row.time("due")?,
    })
}

/// When the next timer is due.
pub async fn next(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let at: Option<i64> = sqlx::query_scalar("SELECT min(due) FROM task_timers").fetch_one(tx.conn()).await?;
    Ok(at.map(Timestamp))
}

/// The timers that are due, in the order of their instants.
pub async fn due(tx: &mut Tx, now: Timestamp) -> Result<Vec<Timer>> {
    let rows = sqlx::query("SELECT * FROM task_timers WHERE due <= ? ORDER BY due, task, name")
        .bind(now.0)
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(timer).collect()
}

/// Says when a timer is due next; `None`: never again.
pub async fn wind(tx: &mut Tx, timer: &Timer, due: Option<Timestamp>) -> Result<()> {
    let Some(due) = due else {
        sqlx::query("DELETE FROM task_timers WHERE task = ? AND name = ?")
            .bind(timer.task)
            .bind(&timer.name)
            .execute(tx.conn())
            .await?;
        return Ok(());
    };
    sqlx::query("UPDATE task_timers SET due = ? WHERE task = ? AND name = ?")
        .bind(due.0)
        .bind(timer.task)
        .bind(&timer.name)
        .execute(tx.conn())
        .await?;
    Ok(())
}
