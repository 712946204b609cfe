//! Watching the configuration file: each change is parsed and handed on, well within a second.
//!
//! The parent directory is watched, because most editors save by renaming a new file over the old one. The file is
//! also looked at twice a second: that is the fall-back when watching fails, and sees what the directory's events do
//! not tell (a symbolic link whose target changes, a network file system, a directory that is made later).

use std::fs;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime};

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use orch_core::Limits;

use crate::file::{ConfigFile, Finding};

/// How often the file is looked at without an event.
const LOOK: Duration = Duration::from_millis(500);
/// A file that looks the same for so long is complete: an editor has truncated and written, deleted and created.
const SETTLE: Duration = Duration::from_millis(200);
/// So often that is waited for; a file that is always being written is read all the same.
const SETTLES: usize = 3;

/// The watch goes on until this is dropped.
#[derive(Debug)]
pub struct Watching {
    _events: Option<RecommendedWatcher>,
    _wakes: SyncSender<()>,
}

/// Calls `on_change`, on a thread of its own, whenever the file says something else than before.
///
/// `seen` is what the caller has already read; `None` when there was no file, which is nothing to report. A file that
/// is broken or gone is reported as such, once, and it is for the caller to keep what it has.
pub fn watch(
    path: &Path,
    limits: &Limits,
    seen: Option<ConfigFile>,
    on_change: impl FnMut(Result<ConfigFile, Vec<Finding>>) + Send + 'static,
) -> io::Result<Watching> {
    let (wakes, woken) = sync_channel(1);
    let events = events(path, wakes.clone()).ok();
    let watched = Watched { path: path.to_owned(), limits: limits.clone(), last: seen.map(Ok), on_change };
    thread::Builder::new().name("config-watch".to_owned()).spawn(move || watched.run(&woken))?;
    Ok(Watching { _events: events, _wakes: wakes })
}

/// Sends a wake for every event that names the file, or names none.
fn events(path: &Path, wakes: SyncSender<()>) -> notify::Result<RecommendedWatcher> {
    let name = path.file_name().map(ToOwned::to_owned);
    let concerns_file = move |event: &Event| {
        // Reading the file is an event too, and reading is what a wake leads to.
        let changes = !event.kind.is_access();
        changes && (event.paths.is_empty() || event.paths.iter().any(|it| it.file_name() == name.as_deref()))
    };
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.as_ref().map_or(true, &concerns_file) {
            // A full channel holds a wake already.
            wakes.try_send(()).ok();
        }
    })?;
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    watcher.watch(parent, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

struct Watched<F> {
    path: PathBuf,
    limits: Limits,
    last: Option<Result<ConfigFile, Vec<Finding>>>,
    on_change: F,
}

impl<F: FnMut(Result<ConfigFile, Vec<Finding>>)> Watched<F> {
    fn run(mut self, woken: &Receiver<()>) {
        let mut looked = None;
        let mut wait = Duration::ZERO;
        loop {
            let due = match woken.recv_timeout(wait) {
                Ok(()) => true,
                Err(RecvTimeoutError::Timeout) => looked != Some(Looks::of(&self.path)),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if due {
                looked = Some(self.read());
            }
            wait = LOOK;
        }
    }

    /// Reads the file once it has settled. Looks first: what changes after that is seen the next time.
    fn read(&mut self) -> Looks {
        let mut looks = Looks::of(&self.path);
        for _ in 0..SETTLES {
            thread::sleep(SETTLE);
            let before = mem::replace(&mut looks, Looks::of(&self.path));
            if looks == before {
                break;
            }
        }
        if looks == Looks::Absent && self.last.is_none() {
            return looks;
        }
        let outcome = ConfigFile::load(&self.path, &self.limits);
        if self.last.as_ref() != Some(&outcome) {
            self.last = Some(outcome.clone());
            (self.on_change)(outcome);
        }
        looks
    }
}

/// A file from the outside. Two contents with the same looks are settled apart by time.
#[derive(PartialEq)]
enum Looks {
    Absent,
    Present { length: u64, modified: Option<SystemTime> },
}

impl Looks {
    fn of(path: &Path) -> Self {
        match fs::metadata(path) {
            Ok(file) => Self::Present { length: file.len(), modified: file.modified().ok() },
            Err(_) => Self::Absent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};
    use tempfile::TempDir;

    const LONG: Duration = Duration::from_secs(20);

    /// A watched file, and what was reported of it: the names of its servers, or the first error.
    struct Bench {
        directory: TempDir,
        path: PathBuf,
        reported: Receiver<Result<Vec<String>, String>>,
        watching: Option<Watching>,
    }

    impl Bench {
        fn new(name: &str, first: Option<&str>) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join(name);
            let seen = first.map(|text| {
                fs::write(&path, text).unwrap();
                ConfigFile::load(&path, &Limits::default()).unwrap()
            });
            let (sender, reported) = channel();
            let watching = watch(&path, &Limits::default(), seen, reporter(sender)).unwrap();
            Self { directory, path, reported, watching: Some(watching) }
        }

        fn write(&self, text: &str) {
            fs::write(&self.path, text).unwrap();
        }

        #[track_caller]
        fn reports(&self, server: &str) {
            assert_eq!(self.next(), Ok(vec![server.to_owned()]));
        }

        fn next(&self) -> Result<Vec<String>, String> {
            self.reported.recv_timeout(LONG).unwrap()
        }
    }

    fn reporter(
        sender: Sender<Result<Vec<String>, String>>,
    ) -> impl FnMut(Result<ConfigFile, Vec<Finding>>) + Send {
        move |outcome| {
            let report = match outcome {
                Ok(file) => Ok(file.servers.into_keys().collect()),
                Err(mut findings) => Err(findings.remove(0).message),
            };
            sender.send(report).ok();
        }
    }

    fn config(server: &str) -> String {
        format!("{{\"mcpServers\": {{\"{server}\": {{\"command\": \"c\"}}}}}}")
    }

    #[test]
    fn a_file_that_is_written_in_place_is_reported() {
        let bench = Bench::new("c.json", Some(&config("a")));
        bench.write(&config("b"));
        bench.reports("b");
    }

    #[test]
    fn a_file_that_is_replaced_by_renaming_is_reported_each_time() {
        let bench = Bench::new("c.json", Some(&config("a")));
        for server in ["b", "c", "d"] {
            let new = bench.directory.path().join(".c.json.swp");
            fs::write(&new, config(server)).unwrap();
            fs::rename(&new, &bench.path).unwrap();
            bench.reports(server);
        }
    }

    #[test]
    fn a_file_that_comes_later_is_reported_and_its_absence_is_not() {
        let bench = Bench::new("c.json", None);
        bench.write(&config("a"));
        bench.reports("a");
    }

    #[test]
    fn a_directory_that_comes_later_is_no_obstacle() {
        let bench = Bench::new("later/c.json", None);
        fs::create_dir(bench.directory.path().join("later")).unwrap();
        bench.write(&config("a"));
        bench.reports("a");
        bench.write(&config("b"));
        bench.reports("b");
    }

    #[test]
    fn a_change_behind_a_symbolic_link_is_reported() {
        let bench = Bench::new("c.json", None);
        let target = tempfile::tempdir().unwrap();
        let real = target.path().join("real.json");
        fs::write(&real, config("a")).unwrap();
        std::os::unix::fs::symlink(&real, &bench.path).unwrap();
        bench.reports("a");
        fs::write(&real, config("b")).unwrap();
        bench.reports("b");
    }

    #[test]
    fn a_broken_file_and_a_lost_one_are_reported_once_and_then_their_repair() {
        let bench = Bench::new("c.json", Some(&config("a")));
        bench.write("{");
        assert_eq!(bench.next(), Err("not JSON: unterminated object".to_owned()));
        fs::remove_file(&bench.path).unwrap();
        assert!(bench.next().is_err_and(|message| message.starts_with("cannot be read: No such file")));
        bench.write(&config("a"));
        bench.reports("a");
    }

    #[test]
    fn a_file_that_says_the_same_is_not_reported() {
        let bench = Bench::new("c.json", Some(&config("a")));
        bench.write(&format!("// the same\n{}", config("a")));
        thread::sleep(2 * (LOOK + SETTLE));
        bench.write(&config("b"));
        bench.reports("b");
    }

    #[test]
    fn nothing_is_reported_after_the_watch_is_dropped() {
        let mut bench = Bench::new("c.json", Some(&config("a")));
        drop(bench.watching.take());
        bench.write(&config("b"));
        while let Ok(report) = bench.reported.recv_timeout(LONG) {
            assert_eq!(report, Ok(vec!["b".to_owned()]), "a change that was under way");
        }
    }
}
