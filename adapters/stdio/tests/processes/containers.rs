//! Containers, which are no children of what has started them. The engine is a faithful small one: `docker.sh`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use orch_core::ports::upstream::CloseReason;
use tempfile::TempDir;

use crate::stage::{LONG, Link, Stage, launch};

struct Engine(TempDir);

impl Engine {
    fn new() -> Self {
        let engine = Self(tempfile::tempdir().unwrap());
        fs::write(engine.program(), include_str!("docker.sh")).unwrap();
        fs::set_permissions(engine.program(), fs::Permissions::from_mode(0o755)).unwrap();
        engine
    }

    fn program(&self) -> PathBuf {
        self.0.path().join("docker")
    }

    /// A server that is a container.
    fn run(&self, stage: &Stage) -> (Link, String) {
        let program = self.program();
        let mut link = stage.open(&launch(program.to_str().unwrap(), &["run", "-i", "--rm", "image", "cat"]));
        let id = link.text().strip_prefix("started ").unwrap().to_owned();
        (link, id)
    }

    fn labels(&self, id: &str) -> String {
        fs::read_to_string(self.0.path().join("containers").join(format!("{id}.labels"))).unwrap()
    }

    /// What is left in it.
    fn count(&self) -> usize {
        fs::read_dir(self.0.path().join("containers")).unwrap().count()
    }
}

#[test]
fn a_container_is_removed_with_its_server_and_no_other_is() {
    let (engine, stage) = (Engine::new(), Stage::new());
    stage.runtime.block_on(stage.upstreams.take_over("a-1"));
    let (first, one) = engine.run(&stage);
    let (second, two) = engine.run(&stage);
    assert_ne!(engine.labels(&one), engine.labels(&two));
    first.close(LONG);
    assert_eq!(first.end(), CloseReason::Stopped);
    assert_eq!(engine.count(), 1);
    assert!(engine.labels(&two).contains("mcp-orch.instance=a-1\n"));
    drop(second);
}

#[test]
fn a_container_is_removed_whichever_way_its_server_ends() {
    let (engine, stage) = (Engine::new(), Stage::new());
    let (mut link, _) = engine.run(&stage);
    // Nobody says what becomes of it: the link is let go.
    link.handle = None;
    assert_eq!(link.end(), CloseReason::Stopped);
    assert_eq!(engine.count(), 0);
}

#[test]
fn what_a_dead_hub_has_left_in_an_engine_is_removed_at_its_first_use_and_what_is_of_others_stays() {
    let engine = Engine::new();
    let store = engine.0.path().join("containers");
    fs::create_dir(&store).unwrap();
    for (id, instance) in [("left", "b-2"), ("other", "b-22")] {
        fs::write(store.join(format!("{id}.labels")), format!("mcp-orch.instance={instance}\n")).unwrap();
    }
    let stage = Stage::new();
    stage.runtime.block_on(stage.upstreams.take_over("b-2"));
    let (first, _) = engine.run(&stage);
    let (second, _) = engine.run(&stage);
    let left = |id: &str| store.join(format!("{id}.labels")).exists();
    assert_eq!([left("left"), left("other")], [false, true]);
    assert_eq!(engine.count(), 3, "both of this hub are there");
    for link in [first, second] {
        link.close(LONG);
        assert_eq!(link.end(), CloseReason::Stopped);
    }
    assert_eq!(engine.count(), 1);
}
