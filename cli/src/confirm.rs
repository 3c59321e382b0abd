//! Questions before something is destroyed.

use std::io::{BufRead, IsTerminal, Write};

use crate::exit::Trouble;

/// Asks on a terminal. Elsewhere the option `--yes` is required. `what` is what will be done, such as `delete 3 failed jobs`.
pub(crate) async fn confirm(yes: bool, what: &str) -> Result<(), Trouble> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Trouble::usage(format!("this would {what}; add --yes to do it")));
    }
    let question = format!("This will {what}. Continue? [y/N] ");
    let answer = tokio::task::spawn_blocking(move || {
        eprint!("{question}");
        let _ = std::io::stderr().flush();
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    match answer.await {
        Ok(Ok(line)) if matches!(line.trim().to_lowercase().as_str(), "y" | "yes") => Ok(()),
        _ => Err(Trouble::no("nothing was changed")),
    }
}
