//! The readers: programs that are given all messages at once, and say of each what they take from it.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;

use crate::peer::command;
use crate::reading::Reading;

const READERS: [(&str, &str); 2] = [("node", "readers/reader.mjs"), ("python3", "readers/reader.py")];

/// What each reader takes from each of the bodies; `None` of one that it refuses.
type Answers = Vec<Option<Vec<Reading>>>;

/// All readers' answers.
pub(crate) fn all(texts: &[Vec<u8>]) -> Vec<(&'static str, Answers)> {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("messages");
    fs::write(&file, lines(texts)).expect("the messages are written");
    thread::scope(|scope| {
        let file = &file;
        let running =
            READERS.map(|(reader, program)| scope.spawn(move || (reader, read(reader, program, file))));
        running.into_iter().map(|reader| reader.join().expect("a reader's answers")).collect()
    })
}

/// One line of hexadecimal digits for each message: they may hold anything.
fn lines(texts: &[Vec<u8>]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut lines = String::new();
    for text in texts {
        for byte in text {
            lines.push(char::from(DIGITS[usize::from(byte >> 4)]));
            lines.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        lines.push('\n');
    }
    lines
}

fn read(reader: &str, program: &str, file: &Path) -> Answers {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("differential").join(program);
    let messages = fs::File::open(file).expect("the messages");
    let output = command(reader).arg(program).stdin(messages).stderr(Stdio::inherit()).output();
    let output = output.unwrap_or_else(|error| panic!("{reader} could not be started: {error}"));
    assert!(output.status.success(), "{reader}: {}", output.status);
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("an answer")).collect()
}
