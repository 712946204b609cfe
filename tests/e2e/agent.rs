//! A coding agent in front of the hub, connected as the hub's welcome says.

use std::process::Command;
use std::time::Duration;

use crate::home::Home;
use crate::hub::Hub;
use crate::peers::{self, Server};
use crate::process::succeed;

const DEADLINE: Duration = Duration::from_mins(1);

fn claude(home: &Home, words: &[String]) -> Command {
    let mut command = peers::claude();
    command.args(words).env("HOME", home.path()).current_dir(home.path());
    // There is nothing to reach but this machine.
    command.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1").env("DISABLE_AUTOUPDATER", "1");
    command
}

#[tokio::test]
async fn claude_code_connects_with_the_line_that_the_first_start_prints() {
    let home = Home::with(&[("everything", Server::everything())]);
    let hub = Hub::start(&home).await;
    let line = hub.line(|line| line.contains("claude mcp add")).await;
    let (_, words) = line.split_once("claude ").expect("a command");
    succeed(claude(&home, &shell_words(words)), DEADLINE).await;
    let listed = succeed(claude(&home, &["mcp".to_owned(), "list".to_owned()]), DEADLINE).await;
    let connected = listed.lines().filter(|line| line.contains(&hub.url));
    let states: Vec<&str> = connected.collect();
    assert!(!states.is_empty() && states.iter().all(|state| state.contains("✔ Connected")), "{listed}");
}

/// The words of a command line, as a shell takes them apart.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (_, _) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[test]
fn quoted_words_stay_together() {
    let words = shell_words(r#"mcp add "a b" 'c "d"'  e"#);
    assert_eq!(words, ["mcp", "add", "a b", r#"c "d""#, "e"]);
}
