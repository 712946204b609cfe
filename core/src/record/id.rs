//! What records are found by.

use alloc::vec::Vec;

#[cfg(doc)]
use super::{
    Calls, Definitions, Key, Lease, LogEntry, Owed, Project, Run, RunCall, RunStep, Server, Session, Task,
    Wishes,
};
use crate::run::Unit;
use crate::{KeyId, LaunchId, LogId, ProjectId, RunId, ServerId, SessionId, TaskId};

/// The kinds of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// [`Project`].
    Project,
    /// [`Server`].
    Server,
    /// [`Key`].
    Key,
    /// [`Definitions`].
    Definitions,
    /// [`Session`].
    Session,
    /// [`Wishes`].
    Wishes,
    /// [`Owed`].
    Owed,
    /// [`LogEntry`].
    Log,
    /// [`Lease`].
    Lease,
    /// [`Calls`].
    Calls,
    /// [`Run`].
    Run,
    /// [`RunCall`].
    RunCall,
    /// [`Task`].
    Task,
    /// [`RunStep`].
    RunStep,
}

impl RecordKind {
    /// All kinds.
    pub const ALL: [Self; 14] = [
        Self::Project,
        Self::Server,
        Self::Key,
        Self::Definitions,
        Self::Session,
        Self::Wishes,
        Self::Owed,
        Self::Log,
        Self::Lease,
        Self::Calls,
        Self::Run,
        Self::RunCall,
        Self::Task,
        Self::RunStep,
    ];
}

/// The id of a record: its kind, its project, and its id within it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordId {
    /// A project.
    Project(ProjectId),
    /// A server of a project.
    Server(ProjectId, ServerId),
    /// A key of a project.
    Key(ProjectId, KeyId),
    /// What a server of a project was last seen to offer.
    Definitions(ProjectId, ServerId),
    /// A session of a project.
    Session(ProjectId, SessionId),
    /// What a session of a project wants to be told.
    Wishes(ProjectId, SessionId),
    /// An answer that is owed to a session of a project, by the number of its stream.
    Owed(ProjectId, SessionId, u64),
    /// An entry of a project's log.
    Log(ProjectId, LogId),
    /// A launch of a server of a project.
    Lease(ProjectId, LaunchId),
    /// Calls of a project that were written together.
    Calls(ProjectId, LogId),
    /// A run of a project.
    Run(ProjectId, RunId),
    /// A call of a run of a project.
    RunCall(ProjectId, RunId, Unit),
    /// A task that was begun at a remote server of a project.
    Task(ProjectId, TaskId),
    /// A step of a run of a project, by its place in the plan.
    RunStep(ProjectId, RunId, usize),
}

impl RecordId {
    /// The kind of the record.
    pub fn kind(&self) -> RecordKind {
        match self {
            Self::Project(_) => RecordKind::Project,
            Self::Server(..) => RecordKind::Server,
            Self::Key(..) => RecordKind::Key,
            Self::Definitions(..) => RecordKind::Definitions,
            Self::Session(..) => RecordKind::Session,
            Self::Wishes(..) => RecordKind::Wishes,
            Self::Owed(..) => RecordKind::Owed,
            Self::Log(..) => RecordKind::Log,
            Self::Lease(..) => RecordKind::Lease,
            Self::Calls(..) => RecordKind::Calls,
            Self::Run(..) => RecordKind::Run,
            Self::RunCall(..) => RecordKind::RunCall,
            Self::Task(..) => RecordKind::Task,
            Self::RunStep(..) => RecordKind::RunStep,
        }
    }

    /// The run that it is of, if it is of one.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::Run(_, id) | Self::RunCall(_, id, _) | Self::RunStep(_, id, _) => Some(*id),
            Self::Calls(..)
            | Self::Definitions(..)
            | Self::Key(..)
            | Self::Lease(..)
            | Self::Log(..)
            | Self::Owed(..)
            | Self::Project(_)
            | Self::Server(..)
            | Self::Session(..)
            | Self::Task(..)
            | Self::Wishes(..) => None,
        }
    }

    /// The bytes that stores sort by: the project's 16 bytes, then those of the id within it.
    pub fn sort_key(&self) -> Vec<u8> {
        let run;
        let (project, own): (&ProjectId, &[u8]) = match self {
            Self::Project(id) => (id, &[]),
            Self::Server(project, id) | Self::Definitions(project, id) => (project, id.0.as_bytes()),
            Self::Key(project, id) => (project, id.0.as_bytes()),
            Self::Session(project, id) | Self::Wishes(project, id) | Self::Owed(project, id, _) => {
                (project, &id.0)
            }
            Self::Log(project, id) | Self::Calls(project, id) => (project, id.0.as_bytes()),
            Self::Task(project, id) => (project, id.0.as_bytes()),
            Self::Lease(project, id) => (project, id.0.as_bytes()),
            Self::Run(project, id) | Self::RunCall(project, id, _) | Self::RunStep(project, id, _) => {
                run = id.0.to_be_bytes();
                (project, &run)
            }
        };
        let mut key = [project.0.as_bytes(), own].concat();
        if let Self::Owed(.., stream) = self {
            key.extend_from_slice(&stream.to_be_bytes());
        }
        if let Self::RunCall(.., Unit { step, element }) = self {
            key.extend([step, element].into_iter().flat_map(|number| (*number as u64).to_be_bytes()));
        }
        if let Self::RunStep(.., step) = self {
            key.extend((*step as u64).to_be_bytes());
        }
        key
    }
}
