//! `acrite snapshot` and `acrite reset`: the world saved, loaded, compared and put back.
//! Must not know how a snapshot is kept; it sends wishes and prints what became of them.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::cli::At;
use crate::cli::control::Control;
use crate::cli::failure::Failure;
use crate::cli::output::{Progress, print, table};

const PATH: &str = "/acrite/v1/snapshots";

#[derive(Subcommand)]
pub(super) enum Action {
    /// Save the world as it is now; requests go on meanwhile
    Save { name: String },
    /// Put a snapshot in the place of the world; what was done since it was saved never happened
    Load { name: String },
    /// Show all snapshots
    List,
    /// Show one
    Show { name: String },
    /// Say what differs between a snapshot and the world now, or another snapshot
    Diff {
        name: String,
        /// The snapshot to compare with [default: the world now]
        with: Option<String>,
    },
    /// Delete one
    Delete { name: String },
    /// Write one to a file, with the keys of its world: for `acrite exec --snapshot FILE`, or `import`
    Export {
        name: String,
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Take one in from a file that this world's `export` has written
    Import {
        name: String,
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

pub(super) async fn run(action: Action, at: At, json: bool) -> Result<ExitCode, Failure> {
    let control = Control::find(&at).await?;
    let nothing = json!({});
    let answer = match &action {
        Action::Save { name } => control.post(PATH, &json!({ "name": name })).await?,
        Action::Load { name } => {
            let _progress = Progress::new(format!("loading {name}"), 0);
            control.post(&format!("{PATH}/{name}/load"), &nothing).await?
        }
        Action::List => control.get(PATH).await?,
        Action::Show { name } => control.get(&format!("{PATH}/{name}")).await?,
        Action::Diff { name, with: None } => control.get(&format!("{PATH}/{name}/diff")).await?,
        Action::Diff { name, with: Some(with) } => control.get(&format!("{PATH}/{name}/diff?with={with}")).await?,
        Action::Delete { name } => control.delete(&format!("{PATH}/{name}")).await?,
        Action::Export { name, file } => {
            let bytes = control.download(&format!("{PATH}/{name}/export"), file).await?;
            json!({"file": file, "bytes": bytes})
        }
        Action::Import { name, file } => control.upload(&format!("{PATH}/{name}/import"), file).await?,
    };
    let text = match action {
        _ if json => format!("{answer:#}\n"),
        Action::Save { name } => format!("saved {name}: {}\n", contents(&answer)),
        Action::Load { name } => format!("loaded {name}: {}\n", contents(&answer)),
        Action::List => listed(&answer["snapshots"]),
        Action::Show { .. } => listed(&json!([answer])),
        Action::Diff { .. } => differences(&answer["differences"]),
        Action::Delete { name } => format!("deleted {name}\n"),
        Action::Export { name, file } => {
            format!(
                "exported {name} to {}: {} bytes, with its keys: keep it as you keep them\n",
                file.display(),
                answer["bytes"]
            )
        }
        Action::Import { name, .. } => format!("imported {name}: {}\n", contents(&answer)),
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn reset(at: At, json: bool) -> Result<ExitCode, Failure> {
    let answer = Control::find(&at).await?.post("/acrite/v1/reset", &json!({})).await?;
    print(&if json { format!("{answer:#}\n") } else { "the world is as it began\n".to_owned() })?;
    Ok(ExitCode::SUCCESS)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn contents(snapshot: &Value) -> String {
    format!("{} blobs of {} bytes, at {}", snapshot["blobs"], snapshot["bytes"], text(&snapshot["time"]))
}

fn listed(snapshots: &Value) -> String {
    let mut rows = vec![["NAME", "SAVED", "TIME", "BLOBS", "BYTES", "ACRITE"].map(str::to_owned).to_vec()];
    for snapshot in snapshots.as_array().into_iter().flatten() {
        let cells = ["name", "saved_at", "time", "blobs", "bytes", "acrite"];
        rows.push(cells.map(|name| text(&snapshot[name])).to_vec());
    }
    if rows.len() == 1 { "no snapshots\n".to_owned() } else { table(&rows) }
}

fn differences(said: &Value) -> String {
    let lines: Vec<String> = said.as_array().into_iter().flatten().map(|line| format!("{}\n", text(line))).collect();
    if lines.is_empty() { "no differences\n".to_owned() } else { lines.concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_sentences() {
        assert_eq!(differences(&json!([])), "no differences\n");
        assert_eq!(differences(&json!(["key k: version 2 added"])), "key k: version 2 added\n");
        assert_eq!(listed(&json!([])), "no snapshots\n");
        assert_eq!(contents(&json!({"blobs": 2, "bytes": 9, "time": "T"})), "2 blobs of 9 bytes, at T");
    }
}
