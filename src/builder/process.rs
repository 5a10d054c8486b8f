//! Processes of a run: each under a supervisor of its own, which ends the whole tree when the run lets go of it, or the
//! emulator dies.
//! Must not know: which command it is.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc::Sender;

/// Bytes of a line at most; longer ones are broken.
const LINE: usize = 16 * 1024;
/// Bytes of an answer that is read whole.
const ANSWER: u64 = 1024 * 1024;

/// A process tree under way. It ends when this goes: its supervisor reads from a pipe that ends then.
pub(super) struct Tree {
    child: Child,
    /// Its supervisor's standard input. To wait for a child closes what the child itself still holds of it.
    hold: Option<ChildStdin>,
}

/// What is run, and in which surroundings.
pub(super) struct Order<'a> {
    pub program: &'a Path,
    pub arguments: &'a [String],
    pub env: &'a [(String, OsString)],
    pub folder: &'a Path,
}

impl Tree {
    fn start(order: &Order<'_>) -> Result<Self, String> {
        let own = std::env::current_exe().map_err(|e| format!("the emulator does not know its own program: {e}"))?;
        let mut command = Command::new(own);
        command.arg("supervise").arg("--").arg(order.program).args(order.arguments);
        command.env_clear().envs(order.env.iter().map(|(name, value)| (name, value)));
        command.current_dir(order.folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = command.spawn();
        let mut child = started.map_err(|e| format!("{} cannot be started: {e}", order.program.display()))?;
        let hold = child.stdin.take();
        Ok(Self { child, hold })
    }

    /// Lets go of it, and waits until all of it has ended.
    pub(super) async fn end(mut self) {
        drop(self.hold.take());
        let _ = self.child.wait().await;
    }
}

/// Runs a command to its end. What it says goes to `said`, line by line. `under_way` holds it meanwhile, so that whoever
/// gives up waiting can end it.
pub(super) async fn run(order: &Order<'_>, under_way: &mut Option<Tree>, said: &Sender<String>) -> Result<(), String> {
    let mut tree = Tree::start(order)?;
    let (out, err) = (tree.child.stdout.take(), tree.child.stderr.take());
    let tree = under_way.insert(tree);
    let ((), (), status) = tokio::join!(lines(out, said), lines(err, said), tree.child.wait());
    *under_way = None;
    let status = status.map_err(|e| e.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("{} {}", name(order.program), describe(status))) }
}

/// The same for a short answer, which is returned.
pub(super) async fn ask(
    order: &Order<'_>,
    under_way: &mut Option<Tree>,
    said: &Sender<String>,
) -> Result<String, String> {
    let mut tree = Tree::start(order)?;
    let (out, err) = (tree.child.stdout.take(), tree.child.stderr.take());
    let tree = under_way.insert(tree);
    let answer = async {
        let mut text = Vec::new();
        if let Some(out) = out {
            let _ = out.take(ANSWER).read_to_end(&mut text).await;
        }
        String::from_utf8_lossy(&text).trim().to_owned()
    };
    let (answer, (), status) = tokio::join!(answer, lines(err, said), tree.child.wait());
    *under_way = None;
    let status = status.map_err(|e| e.to_string())?;
    if status.success() { Ok(answer) } else { Err(format!("{} {}", name(order.program), describe(status))) }
}

fn name(program: &Path) -> String {
    program.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn describe(status: std::process::ExitStatus) -> String {
    status.code().map_or_else(|| "was killed".to_owned(), |code| format!("ended with exit code {code}"))
}

async fn lines(from: Option<impl AsyncRead + Unpin>, said: &Sender<String>) {
    let Some(from) = from else { return };
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut from).take(LINE as u64).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                // Where nobody listens any more the run is at its end.
                let _ = said.send(String::from_utf8_lossy(&line).trim_end().to_owned()).await;
            }
        }
    }
}
